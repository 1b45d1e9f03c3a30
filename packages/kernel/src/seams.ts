import { EventSeam, FirstAnswerHook, NotifyHook, Slot, ValueHook, wholeNumber, zeroOrErrno } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { FileSystem } from './process/file-system.js';
import type { Image } from './process/image.js';
import type { Process } from './process/process.js';
import type { Thread } from './process/thread.js';
import type { SignalFrames } from './process/thread-context.js';

/** The seams of processes and of the border between user and kernel mode. */
export class KernelSeams {
  readonly hooks = {
    /**
     * The kernel has been entered from user mode by `thread`, whose frame is saved; only for threads with `entryWatched`.
     * A tap may switch to another thread and rewrite frames: the entry goes on for the thread that is current afterwards.
     * Interrupts are off.
     * @param kind why: one of `EntryKind`
     * @cost every entry from user mode of watched threads: hot, several per message.
     */
    kernelEntry: new NotifyHook<[cpu: Cpu, thread: Thread, kind: number]>('kernelEntry'),
    /**
     * An NMI has come and its entry is over: what it interrupted in user mode may have been switched by `kernelEntry`. The
     * first answer says how many causes were found; if all say 0 or nothing, it is an unknown NMI. NMIs are blocked.
     * @cost every NMI.
     */
    kernelNmi: new FirstAnswerHook<[cpu: Cpu], number>('kernelNmi', { refuse: wholeNumber(0, 1000) }),
    /**
     * The kernel is between two steps, and other CPUs could run in between, but it cannot return to the loop of the machine here: an
     * operation that can returns `Pending.AGAIN` instead. In ordinary runs no other CPU runs in between. A tap may let other CPUs go on
     * (`Platform.stepOnce`) before it returns; `cpu` is in the middle of a step and must not.
     * @param point where, for people
     * @cost up to eight per lazy switch of RPAL, one per fork; no other path has any.
     */
    kernelYieldPoint: new NotifyHook<[cpu: Cpu, point: string]>('kernelYieldPoint'),
    /**
     * `exec` is past the point of no return: `thread` is alone in its process, the new memory is still empty.
     * @cost once per exec.
     */
    kernelExec: new NotifyHook<[cpu: Cpu, thread: Thread, image: Image]>('kernelExec'),
    /**
     * The layout is known and the stack is mapped; the image is not. A negative errno makes `exec` fail.
     * @cost once per exec.
     */
    kernelExecMap: new FirstAnswerHook<[cpu: Cpu, thread: Thread, image: Image], number>('kernelExecMap', { refuse: zeroOrErrno }),
    /**
     * `child` has been made by `parent` and cannot run yet: a thread of the same process, or the first of a forked one.
     * @cost once per new thread or process.
     */
    kernelClone: new NotifyHook<[cpu: Cpu, parent: Thread, child: Thread]>('kernelClone'),
    /**
     * `thread` lets go of its memory, which is still there: it ends, or is about to execute another image (Linux: `mm_release`).
     * @cost once per thread that ends, and per exec.
     */
    kernelMemoryRelease: new NotifyHook<[cpu: Cpu, thread: Thread]>('kernelMemoryRelease'),
    /**
     * `thread` ends. `last`: it was the last of its process, whose memory is still there.
     * @param last true for the last thread of its process
     * @cost once per thread.
     */
    kernelThreadExit: new NotifyHook<[cpu: Cpu, thread: Thread, last: boolean]>('kernelThreadExit'),
    /**
     * PKRU is set to its default for `thread`: at exec and for signal handlers.
     * @param value PKRU, 32 bits: two per key, access disabled and write disabled
     * @cost once per exec, clone and signal.
     */
    kernelDefaultPkru: new ValueHook<number, [thread: Thread]>('kernelDefaultPkru', {
      refuse: (value) => (value === value >>> 0 || value === (value | 0) ? null : 'is no 32-bit number'),
    }),
  };

  readonly slots = {
    /**
     * Frames of signal handlers as bytes on the user stack. Empty by default: the model keeps what a handler has interrupted.
     * @cost once per handler and per return from one; the step for either is charged with and without.
     */
    signalFrames: new Slot<SignalFrames>('signalFrames', { methods: ['push', 'pop'] }),
    /**
     * Where paths lead. Empty by default: paths are names of special files, sockets and shared memory.
     * @cost asked by every call that takes a path, but for special files.
     */
    fileSystem: new Slot<FileSystem>('fileSystem', { methods: ['open', 'unlink', 'bindSocket', 'socketKey', 'image'] }),
  };

  readonly events = {
    /**
     * A system call begins. Times in TSC cycles.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param nr number of the call (`SyscallNumber`)
     * @cost every system call: hot.
     */
    syscallEnter: new EventSeam<[cpu: number, time: number, thread: Thread, nr: number]>('syscallEnter'),
    /**
     * A system call has come to its end: user mode goes on with the next instruction. A call that does not come back, and one whose thread
     * is taken to a signal handler first, end there.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param result what is in the result register: a count, an address, or a negative errno
     * @cost every system call: hot.
     */
    syscallExit: new EventSeam<[cpu: number, time: number, thread: Thread, result: number]>('syscallExit'),
    /**
     * A process has ended.
     * @param time TSC cycles since boot
     * @cost once per process.
     */
    processExit: new EventSeam<[time: number, process: Process]>('processExit'),
  };
}

declare module '@rpal/bus' {
  interface Hooks extends KernelHooks {}
  interface Events extends KernelEvents {}
  interface Slots extends KernelSlots {}
}

type KernelHooks = KernelSeams['hooks'];
type KernelEvents = KernelSeams['events'];
type KernelSlots = KernelSeams['slots'];
