import type { Cpu } from '@rpal/hw-x86';
import { EventFd, EventfdFlag, IpcStep, type NamedMemory, Pipe } from '@rpal/ipc';
import { getUser32, type MemoryManager, putUser32 } from '@rpal/mm';
import type { Scheduler } from '@rpal/sched';
import { At, Errno, Fcntl, FD_CLOEXEC, OpenFlag } from '@rpal/uapi';
import { Direction, type File, transferSize } from '@rpal/vfs';
import type { PathTable } from '../dispatch/path-table.js';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { KernelSeams } from '../seams.js';
import { KernelStep } from '../steps.js';

/** Commands of ioctl that are not left to the file alone. */
const Ioctl = {
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
  TIOCOUTQ: 0x5411,
} as const;

/** Opens a special file such as `/proc/...`: a file, or a negative errno. */
export type Opener = (cpu: Cpu, thread: Thread, flags: number) => File | number;

/** What the calls need from a kernel. */
export interface FileCallParts {
  readonly sharedMemory: NamedMemory;
  readonly scheduler: Scheduler;
  readonly memory: MemoryManager;
  readonly specialFiles: PathTable<Opener>;
  readonly seams: KernelSeams;
}

/** Reading and writing, pipes, eventfds, and what is done to descriptors. */
export function defineFileCalls(table: SyscallTable, kernel: FileCallParts): void {
  table.define(
    Nr.read,
    (cpu, thread, { a0, a1, a2 }) => {
      const file = thread.process.files.lookUp(cpu, a0);
      if (file === null) return -Errno.EBADF;
      const size = transferSize(file, Direction.READ, a1, a2);
      return size < 0 ? size : file.read(cpu, thread, a1, size);
    },
    { holds: [0] },
  );

  table.define(
    Nr.write,
    (cpu, thread, { a0, a1, a2 }) => {
      const file = thread.process.files.lookUp(cpu, a0);
      if (file === null) return -Errno.EBADF;
      const size = transferSize(file, Direction.WRITE, a1, a2);
      return size < 0 ? size : file.write(cpu, thread, a1, size);
    },
    { holds: [0] },
  );

  table.define(Nr.open, (cpu, thread, { args, a0, a1, a2 }) => open(kernel, cpu, thread, At.FDCWD, args.string(cpu, thread, a0), a1, a2));
  table.define(Nr.openat, (cpu, thread, { args, a0, a1, a2, a3 }) => open(kernel, cpu, thread, a0, args.string(cpu, thread, a1), a2, a3));

  table.define(Nr.close, (cpu, thread, { a0 }) => thread.process.files.close(cpu, a0));

  table.define(Nr.pipe2, (cpu, thread, regs) => {
    const { a1: flags } = regs;
    if ((flags & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC | OpenFlag.DIRECT)) !== 0) return -Errno.EINVAL;
    cpu.charge(IpcStep.pipeCreate);
    const [read, write] = Pipe.create(kernel.scheduler, kernel.memory.frames, flags);
    return installPair(cpu, thread, regs, regs.a0, read, write, flags);
  });

  table.define(Nr.eventfd2, (cpu, thread, { a0, a1 }) => {
    if ((a1 & ~(EventfdFlag.SEMAPHORE | EventfdFlag.NONBLOCK | EventfdFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    cpu.charge(IpcStep.eventfdCreate);
    return thread.process.files.install(cpu, new EventFd(kernel.scheduler, a0, a1), a1);
  });

  table.define(Nr.ioctl, (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(KernelStep.ioctl);
    const file = thread.process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    return ioctl(cpu, thread, file, a0, a1 >>> 0, a2);
  });

  table.define(Nr.dup, (cpu, { process: { files } }, { a0 }) => {
    const file = files.lookUpRaw(cpu, a0);
    return file === null ? -Errno.EBADF : files.install(cpu, file);
  });

  table.define(Nr.dup2, (cpu, { process: { files } }, { a0, a1 }) => {
    const file = files.lookUpRaw(cpu, a0);
    if (file === null) return -Errno.EBADF;
    const target = a1 >>> 0;
    return a0 >>> 0 === target ? target : files.replace(cpu, target, file);
  });

  table.define(Nr.dup3, (cpu, { process: { files } }, { a0, a1, a2 }) => {
    const target = a1 >>> 0;
    if ((a2 & ~OpenFlag.CLOEXEC) !== 0 || a0 >>> 0 === target) return -Errno.EINVAL;
    if (target >= files.limit) return -Errno.EBADF;
    const file = files.lookUpRaw(cpu, a0);
    return file === null ? -Errno.EBADF : files.replace(cpu, target, file, a2);
  });

  table.define(
    Nr.fcntl,
    (cpu, thread, { a0, a1, a2 }) => {
      const { files } = thread.process;
      const file = files.lookUpRaw(cpu, a0);
      const command = a1 >>> 0;
      if (file === null || (file.isPath && !OF_DESCRIPTORS.has(command))) return -Errno.EBADF;
      switch (command) {
        case Fcntl.DUPFD:
        case Fcntl.DUPFD_CLOEXEC: {
          const lowest = a2 >>> 0;
          if (lowest >= files.limit) return -Errno.EINVAL;
          return files.install(cpu, file, command === Fcntl.DUPFD_CLOEXEC ? OpenFlag.CLOEXEC : 0, lowest);
        }
        case Fcntl.GETFD:
          return files.closesOnExec(a0) ? FD_CLOEXEC : 0;
        case Fcntl.SETFD:
          if ((a2 & FD_CLOEXEC) !== 0) files.setCloseOnExec(a0);
          else files.clearCloseOnExec(a0);
          return 0;
        case Fcntl.GETFL:
          cpu.charge(KernelStep.fileFlags);
          return file.flags;
        case Fcntl.SETFL:
          cpu.charge(KernelStep.fileFlags);
          return setFlags(file, a2);
        case Fcntl.ADD_SEALS:
          // Whether there could be seals comes second.
          if ((file.flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY) return -Errno.EPERM;
          return file.fcntl(cpu, thread, command, a2);
        default:
          return file.fcntl(cpu, thread, command, a2);
      }
    },
    { missing: 'owners, signals, leases, hints and seals' },
  );
}

/**
 * openat(2). Special files come first. Without a file system there are no directories: a name is what it is, wherever one starts from.
 * @param path a negative errno if it could not be read
 */
function open(
  kernel: FileCallParts,
  cpu: Cpu,
  thread: Thread,
  directory: number,
  path: string | number,
  flags: number,
  mode: number,
): number {
  const { fileSystem } = kernel.seams.slots;
  const opener = typeof path === 'number' ? undefined : kernel.specialFiles.get(path);
  // Switches of CPUs are not in the tree: they are made of what they show.
  const isSwitch = typeof path === 'string' && path.startsWith('/sys/devices/system/cpu/cpu');
  if (opener === undefined && fileSystem.filled && !isSwitch) return fileSystem.value.open(cpu, thread, directory, path, flags, mode);
  cpu.charge(KernelStep.openFile);
  if (typeof path === 'number') return path;
  const file = opener === undefined ? openShared(kernel.sharedMemory, cpu, path, flags) : opener(cpu, thread, flags);
  return typeof file === 'number' ? file : thread.process.files.install(cpu, file, flags);
}

/** Without a file system there is only memory that has a name. */
function openShared(memory: NamedMemory, cpu: Cpu, path: string, flags: number): File | number {
  return /^\/dev\/shm\/[^/]+$/.test(path) ? memory.open(cpu, path, flags) : -Errno.ENOENT;
}

/** Linux: `do_vfs_ioctl`, and what the file makes of the rest. */
function ioctl(cpu: Cpu, thread: Thread, file: File, fd: number, command: number, address: number): number {
  const { memory, process } = thread;
  switch (command) {
    case Ioctl.FIOCLEX:
      process.files.setCloseOnExec(fd);
      return 0;
    case Ioctl.FIONCLEX:
      process.files.clearCloseOnExec(fd);
      return 0;
    case Ioctl.FIONBIO: {
      const on = getUser32(cpu, memory, address);
      if (on < 0) return on;
      file.flags = on === 0 ? file.flags & ~OpenFlag.NONBLOCK : file.flags | OpenFlag.NONBLOCK;
      return 0;
    }
    case Ioctl.FIONREAD:
    case Ioctl.TIOCOUTQ: {
      const bytes = command === Ioctl.FIONREAD ? file.unread : file.unsent;
      return bytes < 0 ? bytes : putUser32(cpu, memory, address, bytes);
    }
    default:
      return file.ioctl(cpu, thread, command, address);
  }
}

/** Commands of fcntl that are about the descriptor rather than the file: what was opened with O_PATH takes them (`check_fcntl_cmd`). */
const OF_DESCRIPTORS: ReadonlySet<number> = new Set([Fcntl.DUPFD, Fcntl.DUPFD_CLOEXEC, Fcntl.GETFD, Fcntl.SETFD, Fcntl.GETFL]);
/** Flags that F_SETFL sets (SETFL_MASK); of a pipe O_DIRECT says whether it takes packets. */
const SETTABLE = OpenFlag.APPEND | OpenFlag.NONBLOCK | OpenFlag.DIRECT | OpenFlag.NOATIME;

/** F_SETFL. */
function setFlags(file: File, flags: number): number {
  if ((flags & OpenFlag.DIRECT) !== 0 && !file.takesDirect) return -Errno.EINVAL;
  file.flags = (file.flags & ~SETTABLE) | (flags & SETTABLE);
  return 0;
}

/** Gives two files descriptors, and stores these at `address`. */
export function installPair(
  cpu: Cpu,
  thread: Thread,
  { args }: UserContext,
  address: number,
  first: File,
  second: File,
  flags: number,
): number {
  const { files } = thread.process;
  // What gets no descriptor is released with this reference.
  first.get();
  second.get();
  const low = files.install(cpu, first, flags);
  const high = low < 0 ? low : files.install(cpu, second, flags);
  if (low >= 0 && high < 0) files.close(cpu, low);
  first.put(cpu);
  second.put(cpu);
  if (high < 0) return high;
  const result = args.putPair(cpu, thread, address, low, high);
  if (result < 0) {
    files.close(cpu, low);
    files.close(cpu, high);
  }
  return result;
}
