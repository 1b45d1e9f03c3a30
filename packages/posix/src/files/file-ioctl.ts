import { PAGE_SIZE } from '@rpal/hw-x86';
import { MemFd } from '@rpal/ipc';
import { Capability, KernelStep, type SyscallHandler, UserBuffer } from '@rpal/kernel';
import { Errno, FileMode } from '@rpal/uapi';
import type { Calls } from '../calls.js';

const Ioctl = { FIBMAP: 1, FIGETBSZ: 2, FIOQSIZE: 0x5460 } as const;

/** ioctl(2) about what a file takes in its file system (Linux: `do_vfs_ioctl`). */
export function defineFileIoctls(calls: Calls): void {
  const room = new UserBuffer(8);

  calls.extend(
    'ioctl',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const { a0, a1, a2: address } = registers;
        const command = a1 >>> 0;
        const file = thread.process.files.peek(a0);
        const type = (file?.mode ?? 0) & FileMode.TYPE;
        const known = command === Ioctl.FIBMAP ? type === FileMode.REGULAR : command === Ioctl.FIGETBSZ || command === Ioctl.FIOQSIZE;
        if (file === null || file.isPath || !known) return inner(cpu, thread, registers);
        cpu.charge(KernelStep.ioctl);
        thread.process.files.lookUp(cpu, a0);
        switch (command) {
          case Ioctl.FIBMAP: {
            if (!thread.process.capable(Capability.SYS_RAWIO)) return -Errno.EPERM;
            if (room.load(cpu, thread, address, 4) < 0) return -Errno.EFAULT;
            if (room.i32(0) < 0) return -Errno.EINVAL;
            // What lies in memory has no blocks.
            return room.set32(0, 0).store(cpu, thread, address, 4) || -Errno.EINVAL;
          }
          case Ioctl.FIOQSIZE: {
            if (type !== FileMode.REGULAR && type !== FileMode.DIRECTORY) return -Errno.ENOTTY;
            const bytes = file instanceof MemFd ? file.file.allocatedPages * PAGE_SIZE : 0;
            return room.set64(0, bytes).copy(cpu, thread, address, 8);
          }
          default:
            // The block size of file systems in memory, those of pipes and sockets among them.
            return room.set32(0, PAGE_SIZE).store(cpu, thread, address, 4);
        }
      },
  );
}
