import type { Cpu } from '@rpal/hw-x86';
import { MemFd } from '@rpal/ipc';
import { MemoryFile, type MemoryManager } from '@rpal/mm';
import { Errno, OpenFlag } from '@rpal/uapi';
import {
  Direction,
  type File,
  type IoVec,
  IovIter,
  importSegments,
  OFFSET_END,
  type Operation,
  Pending,
  refusal,
  transferSize,
} from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { KernelStep } from '../steps.js';
import { whenOver } from './when-over.js';

/** Which way data goes: where a function takes `write: boolean`, its callers say one of these. */
const Transfer = { READ: false, WRITE: true } as const;

/** The last that lseek knows: SEEK_HOLE. */
const SEEK_MAX = 4;
/** Longest name of memfd_create: with `memfd:` before it, that of a file. */
const MEMFD_NAME_MAX = 249;

/** What the calls need from a kernel. */
export interface TransferCallParts {
  readonly memory: MemoryManager;
}

/** Calls that move data by other ways than one read or write, and the files they are used with. */
export function defineTransferCalls(table: SyscallTable, kernel: TransferCallParts): void {
  table.define(Nr.readv, (cpu, thread, regs) => vectored(cpu, thread, regs, Transfer.READ), { holds: [0] });
  table.define(Nr.writev, (cpu, thread, regs) => vectored(cpu, thread, regs, Transfer.WRITE), { holds: [0] });

  table.define(
    Nr.memfd_create,
    (cpu, thread, { args, a0, a1 }) => {
      const MFD_CLOEXEC = 1;
      if ((a1 & ~MFD_CLOEXEC) !== 0) return -Errno.EINVAL;
      const name = args.string(cpu, thread, a0);
      if (typeof name === 'number') return name;
      if (name.length > MEMFD_NAME_MAX) return -Errno.EINVAL;
      cpu.charge(KernelStep.openFile);
      const file = new MemFd(new MemoryFile(kernel.memory, `/memfd:${name} (deleted)`), OpenFlag.RDWR);
      return thread.process.files.install(cpu, file, (a1 & MFD_CLOEXEC) !== 0 ? OpenFlag.CLOEXEC : 0);
    },
    { missing: 'seals, and huge pages' },
  );
  table.define(Nr.lseek, (cpu, thread, { a0, a1, a2 }) => {
    const file = thread.process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    cpu.charge(KernelStep.seek);
    const whence = a2 >>> 0;
    return whence > SEEK_MAX ? -Errno.EINVAL : file.seek(a1, whence);
  });
  table.define(Nr.pread64, (cpu, thread, { a0, a1, a2, a3 }) => {
    const file = a3 < 0 ? null : thread.process.files.lookUp(cpu, a0);
    if (file === null) return a3 < 0 ? -Errno.EINVAL : -Errno.EBADF;
    const size = positionedSize(file, Direction.READ, a1, a2, a3);
    return size < 0 ? size : file.readAt(cpu, thread, a1, size, a3);
  });
  table.define(Nr.pwrite64, (cpu, thread, { a0, a1, a2, a3 }) => {
    const file = a3 < 0 ? null : thread.process.files.lookUp(cpu, a0);
    if (file === null) return a3 < 0 ? -Errno.EINVAL : -Errno.EBADF;
    const size = positionedSize(file, Direction.WRITE, a1, a2, a3);
    return size < 0 ? size : file.writeAt(cpu, thread, a1, size, a3);
  });
  table.define(Nr.ftruncate, (cpu, thread, { a0, a1 }) =>
    a1 < 0 ? -Errno.EINVAL : (thread.process.files.lookUp(cpu, a0)?.truncate(cpu, thread, a1) ?? -Errno.EBADF),
  );
}

/** What pread and pwrite refuse before the file is asked. @returns how many bytes to move, or a negative errno */
function positionedSize(file: File, direction: number, address: number, count: number, offset: number): number {
  if (!file.positioned) return -Errno.ESPIPE;
  const size = transferSize(file, direction, address, count);
  return size >= 0 && offset + count >= OFFSET_END ? -Errno.EINVAL : size;
}

/** readv(2) and writev(2). */
function vectored(cpu: Cpu, thread: Thread, { args, a0, a1, a2 }: UserContext, write: boolean): number {
  const file = thread.process.files.lookUp(cpu, a0);
  if (file === null) return -Errno.EBADF;
  const refused = refusal(file, write ? Direction.WRITE : Direction.READ);
  if (refused < 0) return refused;
  const given = args.segments(cpu, thread, a1, a2);
  const segments = typeof given === 'number' ? given : importSegments(given);
  if (typeof segments === 'number') return segments;
  const iov = new IovIter(segments);
  // A transfer of zero bytes does not reach the file.
  if (iov.length === 0) return 0;
  if (!(write ? file.writesIov : file.readsIov)) return new SegmentTransfer(thread, file, segments, write).step(cpu);
  if (!write) return readInto(cpu, thread, file, iov);
  thread.iov = iov;
  return whenOver(cpu, thread, file.write(cpu, thread, 0, iov.length), (_on, outcome) => {
    thread.iov = null;
    return outcome;
  });
}

/** Reads from a file into segments of memory. */
function readInto(cpu: Cpu, thread: Thread, file: File, iov: IovIter): number {
  thread.iov = iov;
  return whenOver(cpu, thread, file.read(cpu, thread, 0, iov.length), (_on, outcome) => {
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
  /** Segments and bytes that are done. */
  #segment = 0;
  #done = 0;
  /** The state of the call for the present segment. */
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
      if (segment.length === 0) {
        this.#segment++;
        continue;
      }
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

/** The result of a call that has moved `done` bytes, and whose last part came to `result`. */
function soFar(done: number, result: number): number {
  if (result < 0) return done > 0 ? done : result;
  return done + result;
}
