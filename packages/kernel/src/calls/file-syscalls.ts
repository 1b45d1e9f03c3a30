import type { Cpu } from '@rpal/hw-x86';
import { EventFd, EventfdFlag, IpcStep, Pipe } from '@rpal/ipc';
import { type MemoryManager, putUser32 } from '@rpal/mm';
import { At, Errno, Fcntl, FD_CLOEXEC, OpenFlag } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { PathTable } from '../dispatch/path-table.js';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { KernelSeams } from '../seams.js';
import { KernelStep } from '../steps.js';
import { type NamedFileParts, openPath } from './transfer-syscalls.js';

/** ioctl that asks how many bytes can be read. */
const FIONREAD = 0x541b;

/** Opens a special file such as `/proc/...`: a file, or a negative errno. */
export type Opener = (cpu: Cpu, thread: Thread, flags: number) => File | number;

/** What the calls need of a kernel. */
export interface FileCallParts extends NamedFileParts {
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
      return file === null ? -Errno.EBADF : file.read(cpu, thread, a1, a2);
    },
    { holds: [0] },
  );

  table.define(
    Nr.write,
    (cpu, thread, { a0, a1, a2 }) => {
      const file = thread.process.files.lookUp(cpu, a0);
      return file === null ? -Errno.EBADF : file.write(cpu, thread, a1, a2);
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
    if (a1 !== FIONREAD) return file.ioctl(cpu, thread, a1 >>> 0, a2);
    const { unread } = file;
    if (unread < 0) return unread;
    return putUser32(cpu, thread.memory, a2, unread) < 0 ? -Errno.EFAULT : 0;
  });

  table.define(Nr.dup, (cpu, { process: { files } }, { a0 }) => {
    const file = files.lookUp(cpu, a0);
    return file === null ? -Errno.EBADF : files.install(cpu, file);
  });

  table.define(Nr.dup2, (cpu, { process: { files } }, { a0, a1 }) => {
    const file = files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    return a0 === a1 ? a1 : files.replace(cpu, a1, file);
  });

  table.define(Nr.dup3, (cpu, { process: { files } }, { a0, a1, a2 }) => {
    if ((a2 & ~OpenFlag.CLOEXEC) !== 0 || a0 === a1) return -Errno.EINVAL;
    if (a1 < 0 || a1 >= files.limit) return -Errno.EBADF;
    const file = files.lookUp(cpu, a0);
    return file === null ? -Errno.EBADF : files.replace(cpu, a1, file, a2);
  });

  table.define(Nr.fcntl, (cpu, thread, { a0, a1, a2 }) => {
    const { files } = thread.process;
    const file = files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    switch (a1) {
      case Fcntl.DUPFD:
      case Fcntl.DUPFD_CLOEXEC:
        if (a2 < 0 || a2 >= files.limit) return -Errno.EINVAL;
        return files.install(cpu, file, a1 === Fcntl.DUPFD_CLOEXEC ? OpenFlag.CLOEXEC : 0, a2);
      case Fcntl.GETFD:
        return files.closesOnExec(a0) ? FD_CLOEXEC : 0;
      case Fcntl.SETFD:
        files.setCloseOnExec(a0, (a2 & FD_CLOEXEC) !== 0);
        return 0;
      case Fcntl.GETFL:
        return file.flags;
      case Fcntl.SETFL:
        return setFlags(file, a2);
      default:
        return file.fcntl(cpu, thread, a1, a2);
    }
  });
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
  cpu.charge(KernelStep.openFile);
  const { fileSystem } = kernel.seams.slots;
  const opener = typeof path === 'number' ? undefined : kernel.specialFiles.get(path);
  // Switches of CPUs are not in the tree: they are made of what they show.
  const isSwitch = typeof path === 'string' && path.startsWith('/sys/devices/system/cpu/cpu');
  if (opener === undefined && fileSystem.filled && !isSwitch) return fileSystem.value.open(cpu, thread, directory, path, flags, mode);
  if (typeof path === 'number') return path;
  const file = opener === undefined ? openPath(kernel, thread, path, flags) : opener(cpu, thread, flags);
  return typeof file === 'number' ? file : thread.process.files.install(cpu, file, flags);
}

/** F_SETFL: O_NONBLOCK, and of a pipe whether it takes packets. */
function setFlags(file: File, flags: number): number {
  const settable = file.takesDirect ? OpenFlag.NONBLOCK | OpenFlag.DIRECT : OpenFlag.NONBLOCK;
  if ((flags & OpenFlag.DIRECT) !== 0 && !file.takesDirect) return -Errno.EINVAL;
  file.flags = (file.flags & ~settable) | (flags & settable);
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
