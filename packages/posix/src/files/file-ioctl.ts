import { PAGE_SIZE } from '@rpal/hw-x86';
import { MemFd } from '@rpal/ipc';
import { Capability, type Kernel, UserBuffer } from '@rpal/kernel';
import { Errno, FileMode } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { extendIoctl, type IoctlCommand } from './ioctl-commands.js';

const Ioctl = { FIBMAP: 1, FIGETBSZ: 2, FIOQSIZE: 0x5460 } as const;

/** The type of a file for commands: what stands for something of the kernel has one in `st_mode` alone, since 6.16. */
function typeOf({ later }: Kernel, file: File): number {
  return later.anonymousInodesAreFixed && file.isAnonymous ? 0 : file.mode & FileMode.TYPE;
}

/** ioctl(2) about what a file takes in its file system (Linux: `do_vfs_ioctl`). */
export function defineFileIoctls(calls: Calls): void {
  const room = new UserBuffer(8);
  const { kernel } = calls;

  const blockNumber: IoctlCommand = {
    takes: (file) => typeOf(kernel, file) === FileMode.REGULAR,
    run(cpu, thread, _file, address) {
      if (!thread.process.capable(Capability.SYS_RAWIO)) return -Errno.EPERM;
      if (room.load(cpu, thread, address, 4) < 0) return -Errno.EFAULT;
      if (room.i32(0) < 0) return -Errno.EINVAL;
      // What lies in memory has no blocks.
      return room.set32(0, 0).store(cpu, thread, address, 4) || -Errno.EINVAL;
    },
  };
  const blockSize: IoctlCommand = {
    takes: () => true,
    // That of file systems in memory, those of pipes and sockets among them.
    run: (cpu, thread, _file, address) => room.set32(0, PAGE_SIZE).store(cpu, thread, address, 4),
  };
  const bytesTaken: IoctlCommand = {
    takes: () => true,
    run(cpu, thread, file, address) {
      const type = typeOf(kernel, file);
      if (type !== FileMode.REGULAR && type !== FileMode.DIRECTORY) return -Errno.ENOTTY;
      const bytes = file instanceof MemFd ? file.file.allocatedPages * PAGE_SIZE : 0;
      return room.set64(0, bytes).copy(cpu, thread, address, 8);
    },
  };

  extendIoctl(
    calls,
    new Map([
      [Ioctl.FIBMAP, blockNumber],
      [Ioctl.FIGETBSZ, blockSize],
      [Ioctl.FIOQSIZE, bytesTaken],
    ]),
  );
}
