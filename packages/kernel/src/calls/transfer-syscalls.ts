import type { Cpu } from '@rpal/hw-x86';
import { MemFd, type NamedMemory, PipeEnd, splice, spliceFromSocket, spliceToSocket, tee, UnixStreamSocket, vmsplice } from '@rpal/ipc';
import { MemoryFile, type MemoryManager } from '@rpal/mm';
import { Errno, OpenFlag, Signal } from '@rpal/uapi';
import { type File, type IoVec, IovIter, type Operation, Pending, UIO_MAXIOV } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { cpuOnlineFile, type HotplugParts } from '../proc/cpu-online.js';
import { fdInfo, PROC_FILES, ProcFile } from '../proc/proc-files.js';
import { Capability } from '../process/credentials.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { Signals } from '../signals/signals.js';
import { KernelStep } from '../steps.js';
import { PidFd } from './pidfd.js';
import { processVmAccess } from './process-vm.js';
import { whenOver } from './when-over.js';

/** Which way data goes: where a function takes `write: boolean`, its callers say one of these. */
const Transfer = { READ: false, WRITE: true } as const;

/** The last that lseek knows: SEEK_HOLE. */
const SEEK_MAX = 4;

/** What files with names need of a kernel. */
export interface NamedFileParts extends HotplugParts {
  readonly sharedMemory: NamedMemory;
}

/** What the calls need of a kernel. */
export interface TransferCallParts {
  readonly memory: MemoryManager;
  readonly signals: Signals;
  readonly processes: ProcessTable;
}

/** Calls that move data by other ways than one read or write, and the files they are used with. */
export function defineTransferCalls(table: SyscallTable, kernel: TransferCallParts): void {
  table.define(Nr.readv, (cpu, thread, regs) => vectored(cpu, thread, regs, Transfer.READ), { holds: [0] });
  table.define(Nr.writev, (cpu, thread, regs) => vectored(cpu, thread, regs, Transfer.WRITE), { holds: [0] });

  table.define(
    Nr.splice,
    (cpu, thread, { a0, a1, a2, a3, a4, a5 }) =>
      // Neither pipes nor sockets have offsets.
      a1 !== 0 || a3 !== 0
        ? -Errno.ESPIPE
        : betweenFiles(cpu, thread, a0, a2, a4, (from, to) => {
            if (from instanceof PipeEnd && to instanceof PipeEnd) return splice(cpu, thread, from, to, a4, a5);
            if (from instanceof PipeEnd && to instanceof UnixStreamSocket) return spliceToSocket(cpu, thread, from, to, a4, a5);
            if (from instanceof UnixStreamSocket && to instanceof PipeEnd) return spliceFromSocket(cpu, thread, from, to, a4, a5);
            return -Errno.EINVAL;
          }),
    { holds: [0, 2] },
  );
  table.define(
    Nr.tee,
    (cpu, thread, { a0, a1, a2, a3 }) =>
      betweenFiles(cpu, thread, a0, a1, a2, (from, to) => {
        if (!(from instanceof PipeEnd) || !(to instanceof PipeEnd)) return -Errno.EINVAL;
        return tee(cpu, thread, from, to, a2, a3);
      }),
    { holds: [0, 1] },
  );
  table.define(
    Nr.vmsplice,
    (cpu, thread, { a0, a1, a2, a3 }) => {
      const file = thread.process.files.lookUp(cpu, a0);
      if (!(file instanceof PipeEnd)) return -Errno.EBADF;
      return a2 === 0 ? 0 : vmsplice(cpu, thread, file, a1, a2, a3);
    },
    { holds: [0] },
  );

  table.define(Nr.memfd_create, (cpu, thread, { args, a0, a1 }) => {
    const MFD_CLOEXEC = 1;
    if ((a1 & ~MFD_CLOEXEC) !== 0) return -Errno.EINVAL;
    const name = args.string(cpu, thread, a0);
    if (typeof name === 'number') return name;
    cpu.charge(KernelStep.openFile);
    const file = new MemFd(new MemoryFile(kernel.memory, `/memfd:${name} (deleted)`), OpenFlag.RDWR);
    return thread.process.files.install(cpu, file, (a1 & MFD_CLOEXEC) !== 0 ? OpenFlag.CLOEXEC : 0);
  });
  table.define(Nr.lseek, (cpu, thread, { a0, a1, a2 }) => {
    const file = thread.process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    return a2 < 0 || a2 > SEEK_MAX ? -Errno.EINVAL : file.seek(a1, a2);
  });
  table.define(Nr.pread64, (cpu, thread, { a0, a1, a2, a3 }) =>
    a3 < 0 ? -Errno.EINVAL : (thread.process.files.lookUp(cpu, a0)?.readAt(cpu, thread, a1, a2, a3) ?? -Errno.EBADF),
  );
  table.define(Nr.pwrite64, (cpu, thread, { a0, a1, a2, a3 }) =>
    a3 < 0 ? -Errno.EINVAL : (thread.process.files.lookUp(cpu, a0)?.writeAt(cpu, thread, a1, a2, a3) ?? -Errno.EBADF),
  );
  table.define(Nr.ftruncate, (cpu, thread, { a0, a1 }) =>
    a1 < 0 ? -Errno.EINVAL : (thread.process.files.lookUp(cpu, a0)?.truncate(cpu, thread, a1) ?? -Errno.EBADF),
  );

  table.define(Nr.process_vm_readv, (cpu, thread, regs) => processVm(kernel.processes, cpu, thread, regs, Transfer.READ));
  table.define(Nr.process_vm_writev, (cpu, thread, regs) => processVm(kernel.processes, cpu, thread, regs, Transfer.WRITE));

  table.define(Nr.pidfd_open, (cpu, thread, { a0, a1 }) => {
    if ((a1 & ~OpenFlag.NONBLOCK) !== 0 || a0 <= 0) return -Errno.EINVAL;
    cpu.charge(KernelStep.openFile);
    const process = kernel.processes.get(a0);
    return process === undefined ? -Errno.ESRCH : thread.process.files.install(cpu, new PidFd(process, a1), OpenFlag.CLOEXEC);
  });
  table.define(Nr.pidfd_send_signal, (cpu, thread, { a0, a1 }) => {
    const file = thread.process.files.lookUp(cpu, a0);
    if (!(file instanceof PidFd)) return -Errno.EBADF;
    if (a1 < 0 || a1 > Signal.RTMAX) return -Errno.EINVAL;
    if (!thread.process.maySignal(file.process)) return -Errno.EPERM;
    return a1 === 0 ? (file.process.exit === null ? 0 : -Errno.ESRCH) : kernel.signals.kill(cpu, file.process, a1);
  });
}

/** open(2) of what is not a special file: `/dev/shm/...` and `/proc/{self,PID}/{maps,status,stat,fdinfo/FD}`. */
export function openPath(kernel: NamedFileParts, thread: Thread, path: string, flags: number): File | number {
  const [, name] = /^\/dev\/shm\/([^/]+)$/.exec(path) ?? [];
  if (name !== undefined) return kernel.sharedMemory.open(path, flags);
  const online = cpuOnlineFile(kernel, path, flags);
  if (online !== undefined) return online;
  const [, who, which, fd] = /^\/proc\/(self|\d+)\/(\w+)(?:\/(\d+))?$/.exec(path) ?? [];
  const process = who === 'self' ? thread.process : kernel.processes.get(Number(who));
  if (process === undefined || which === undefined) return -Errno.ENOENT;
  const text = fd === undefined ? PROC_FILES[which]?.(process) : which === 'fdinfo' ? fdInfo(process, Number(fd)) : undefined;
  return text === undefined ? -Errno.ENOENT : new ProcFile(text);
}

/** readv(2) and writev(2). */
function vectored(cpu: Cpu, thread: Thread, { args, a0, a1, a2 }: UserContext, write: boolean): number {
  const file = thread.process.files.lookUp(cpu, a0);
  if (file === null) return -Errno.EBADF;
  const segments = args.segments(cpu, thread, a1, a2);
  if (typeof segments === 'number') return segments;
  if (segments.length > UIO_MAXIOV) return -Errno.EINVAL;
  const iov = new IovIter(segments);
  // A transfer of nothing gets no further than the check that the file can be read, or written.
  if (iov.length === 0) return !may(file, write) ? -Errno.EBADF : (write ? file.canWrite : file.canRead) ? 0 : -Errno.EINVAL;
  if (!(write ? file.writesIov : file.readsIov)) return new SegmentTransfer(thread, file, segments, write).step(cpu);
  thread.iov = iov;
  const result = write ? file.write(cpu, thread, 0, iov.length) : file.read(cpu, thread, 0, iov.length);
  return whenOver(cpu, thread, result, (_on, outcome) => {
    thread.iov = null;
    return outcome;
  });
}

/** One call of the file per segment, until one comes to less than its length (Linux: `do_loop_readv_writev`). */
class SegmentTransfer implements Operation {
  readonly #thread: Thread;
  readonly #file: File;
  readonly #segments: readonly IoVec[];
  readonly #write: boolean;
  /** Segments and bytes that are through. */
  #segment = 0;
  #done = 0;
  /** What the call for the present segment is in. */
  #inner: Operation | null = null;

  constructor(thread: Thread, file: File, segments: readonly IoVec[], write: boolean) {
    this.#thread = thread;
    this.#file = file;
    this.#segments = segments;
    this.#write = write;
  }

  step(cpu: Cpu): number {
    for (;;) {
      const segment = this.#segments[this.#segment];
      if (segment === undefined) return this.#done;
      const result = this.#inner === null ? this.#begin(cpu, segment) : this.#inner.step(cpu);
      if (result <= Pending.AGAIN) return result;
      this.#inner = null;
      if (result !== segment.length) return soFar(this.#done, result);
      this.#done += result;
      this.#segment++;
    }
  }

  #begin(cpu: Cpu, { address, length }: IoVec): number {
    const thread = this.#thread;
    const result = this.#write ? this.#file.write(cpu, thread, address, length) : this.#file.read(cpu, thread, address, length);
    if (result > Pending.AGAIN) return result;
    this.#inner = thread.operation;
    thread.operation = this;
    return result === Pending.SLEEP ? result : Pending.AGAIN;
  }
}

/** The result of a call of which `done` bytes are through, and the rest came to `result`. */
function soFar(done: number, result: number): number {
  if (result < 0) return done > 0 ? done : result;
  return done + result;
}

/** Has it been opened for writing, or for reading? */
function may(file: File, write: boolean): boolean {
  return (file.flags & OpenFlag.ACCMODE) !== (write ? OpenFlag.RDONLY : OpenFlag.WRONLY);
}

/** splice and tee: from a file that can be read to one that can be written. */
function betweenFiles(
  cpu: Cpu,
  thread: Thread,
  fdFrom: number,
  fdTo: number,
  length: number,
  call: (from: File, to: File) => number,
): number {
  if (length === 0) return 0;
  const from = thread.process.files.lookUp(cpu, fdFrom);
  const to = thread.process.files.lookUp(cpu, fdTo);
  if (from === null || to === null || !may(from, Transfer.READ) || !may(to, Transfer.WRITE)) return -Errno.EBADF;
  return call(from, to);
}

function processVm(processes: ProcessTable, cpu: Cpu, thread: Thread, { args, a0, a1, a2, a3, a4 }: UserContext, write: boolean): number {
  const local = args.segments(cpu, thread, a1, a2);
  if (typeof local === 'number') return local;
  const remote = args.remoteSegments(cpu, thread, a3, a4);
  if (typeof remote === 'number') return remote;
  const process = processes.get(a0);
  if (process === undefined || process.exit !== null) return -Errno.ESRCH;
  if (!thread.process.mayInspect(process, Capability.SYS_PTRACE)) return -Errno.EPERM;
  return processVmAccess(cpu, thread.memory, local, process.mm, remote, write);
}
