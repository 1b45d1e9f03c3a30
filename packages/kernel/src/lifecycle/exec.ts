import { type Cpu, PAGE_SIZE, pageFloor } from '@rpal/hw-x86';
import { defaultLayout, exitMm, insertArea, type MemoryManager, mmap, populateRange, randomBrk, Vma, VmFlag } from '@rpal/mm';
import { type KernelPath, PathResult, type Task, TaskState, type WaitTarget } from '@rpal/sched';
import { Errno, MapFlag, Prot, Signal } from '@rpal/uapi';
import { Pending } from '@rpal/vfs';
import { afterExec } from '../process/credentials.js';
import type { Image } from '../process/image.js';
import { DEFAULT_ACTION } from '../process/signal-action.js';
import type { Thread } from '../process/thread.js';
import { defaultPkru } from '../signals/default-pkru.js';
import { KernelStep } from '../steps.js';
import { type ExitParts, exitThread } from './exit.js';

const STACK_BYTES = 0x2_1000;
/** Thread-local storage of a thread, and where its FS base points: glibc's TCB sits at the upper end. */
const TLS_BYTES = 2 * PAGE_SIZE;
const TCB_OFFSET = PAGE_SIZE + 0x740;

/** What a program that takes another's place needs from a kernel. */
export interface ExecParts extends ExitParts {
  readonly memory: MemoryManager;
  readonly entry: { readonly returnPath: KernelPath };
}

/** The first thing a process does: execve of its image. */
export class ExecPath implements KernelPath {
  readonly #kernel: ExecParts;
  readonly #image: Image;

  constructor(kernel: ExecParts, image: Image) {
    this.#kernel = kernel;
    this.#image = image;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const thread = task as Thread;
    cpu.interruptsEnabled = false;
    if (exec(this.#kernel, cpu, thread, this.#image) < 0) {
      // Past the point of no return there is no program to report to.
      exitThread(this.#kernel, cpu, thread, 0, Signal.SEGV);
      return PathResult.SCHEDULE;
    }
    thread.frame.user = this.#image.start(this.#kernel.contexts, cpu, thread);
    thread.path = this.#kernel.entry.returnPath;
    return task.state === TaskState.DEAD ? PathResult.SCHEDULE : PathResult.CONTINUE;
  }
}

/** What a thread in execve waits for. */
const OTHER_THREADS: WaitTarget = { describe: () => 'the end of the other threads' };

/**
 * execve: the process goes on with another image, in an address space of its own. Other threads end; descriptors marked so are
 * closed; signal handlers are forgotten, what is ignored, blocked or pending stays so.
 */
export function execve(kernel: ExecParts, cpu: Cpu, thread: Thread, image: Image): number {
  const { process } = thread;
  if (process.threads.length === 1) return replaceImage(kernel, cpu, thread, image);
  // Another thread is at it, or the process ends: this one ends, too.
  if (process.execing !== null || process.exit !== null) return -Errno.EAGAIN;
  process.execing = thread;
  for (const other of process.threads) if (other !== thread) kernel.signals.send(cpu, other, Signal.KILL);
  thread.operation = {
    step(on) {
      thread.prepareToSleep(on, TaskState.UNINTERRUPTIBLE, OTHER_THREADS);
      if (process.threads.length > 1) return Pending.SLEEP;
      thread.state = TaskState.RUNNING;
      process.execing = null;
      return replaceImage(kernel, on, thread, image);
    },
  };
  return Pending.OPERATION;
}

function replaceImage(kernel: ExecParts, cpu: Cpu, thread: Thread, image: Image): number {
  const { process } = thread;
  kernel.processes.makeFirst(thread);
  const old = process.mm;
  kernel.seams.hooks.kernelMemoryRelease.call(cpu, thread);
  process.mm = kernel.memory.create(cpu);
  thread.mm = process.mm;
  process.mm.activate(cpu);
  if (--old.users === 0) exitMm(cpu, old);
  process.unshareFiles();
  process.files.exec(cpu);
  kernel.contexts.release(thread);
  process.actions.forEach((action, signal) => {
    if (action.handler !== 'ignore') process.actions[signal] = DEFAULT_ACTION;
  });
  process.name = image.name;
  process.execed = true;
  process.exitSignal = Signal.CHLD;
  process.credentials = afterExec(process.credentials);
  process.applyLimits();
  if (exec(kernel, cpu, thread, image) < 0) {
    exitThread(kernel, cpu, thread, 0, Signal.SEGV);
    thread.operation = { step: () => Pending.SLEEP };
    return Pending.SLEEP;
  }
  thread.frame.user = image.start(kernel.contexts, cpu, thread);
  return 0;
}

/** Fills the empty address space of `thread` with an image (Linux: `load_elf_binary`). @returns 0 or a negative errno */
function exec(kernel: ExecParts, cpu: Cpu, thread: Thread, image: Image): number {
  const { hooks } = kernel.seams;
  const { process } = thread;
  const { mm } = process;
  cpu.charge(KernelStep.exec);
  hooks.kernelExec.call(cpu, thread, image);
  mm.layout = kernel.memory.seams.hooks.mmLayout.call(defaultLayout(kernel.memory.rng), mm);

  const stackTop = pageFloor(mm.layout.stackTop);
  const stackFlags = VmFlag.READ | VmFlag.WRITE | VmFlag.GROWSDOWN | VmFlag.ACCOUNT | (VmFlag.PROT << 4);
  const stack = insertArea(mm, new Vma(stackTop - STACK_BYTES, stackTop, stackFlags, 0, null, (stackTop - STACK_BYTES) / PAGE_SIZE));
  // The argument strings and the auxiliary vector have been written by now.
  populateRange(cpu, mm, stack.end - PAGE_SIZE, stack.end);
  process.stackTop = stackTop - PAGE_SIZE;

  const refused = hooks.kernelExecMap.call(cpu, thread, image);
  if (refused !== undefined && refused < 0) return refused;

  const bias = image.pie ? mm.layout.loadBias : 0;
  let end = 0;
  for (const segment of image.segments) {
    const address = mmap(
      cpu,
      mm,
      bias + segment.address,
      segment.bytes,
      segment.prot,
      MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED_NOREPLACE,
    );
    if (address < 0) return address;
    if ((segment.prot & Prot.WRITE) !== 0) process.dataStart = address;
    else process.textStart = address;
    end = Math.max(end, address + segment.bytes);
  }
  mm.brkStart = mm.layout.brkStart === 0 ? randomBrk(end, kernel.memory.rng) : mm.layout.brkStart;
  mm.brk = mm.brkStart;
  const tls = allocateTls(cpu, thread);
  if (tls < 0) return tls;
  cpu.fsBase = thread.fsBase;
  cpu.mmu.pkru = defaultPkru(kernel, thread);
  return 0;
}

/** Maps a thread's TLS and points its FS base there. @returns 0 or a negative errno */
export function allocateTls(cpu: Cpu, thread: Thread): number {
  const tls = mmap(cpu, thread.process.mm, 0, TLS_BYTES, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  if (tls < 0) return tls;
  thread.fsBase = tls + TCB_OFFSET;
  return 0;
}
