import type { Cpu } from '@rpal/hw-x86';
import { PipeEnd, UnixSocket } from '@rpal/ipc';
import { type SyscallHandler, type Thread, UserBuffer } from '@rpal/kernel';
import { Errno, Signal } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { extendIoctl, type IoctlCommand } from './ioctl-commands.js';

/** Commands of fcntl about who is told by a signal that there is something to read, and by which. */
const Command = { SETOWN: 8, GETOWN: 9, SETSIG: 10, GETSIG: 11, SETOWN_EX: 15, GETOWN_EX: 16 } as const;
/** What an owner is (`struct f_owner_ex`). */
const OwnerType = { TID: 0, PID: 1, PGRP: 2 } as const;
const INT_MIN = -0x8000_0000;
/** Commands of ioctl likewise (include/uapi/asm-generic/ioctls.h, sockios.h). */
const Ioctl = { FIOASYNC: 0x5452, FIOSETOWN: 0x8901, SIOCSPGRP: 0x8902, FIOGETOWN: 0x8903, SIOCGPGRP: 0x8904 } as const;
const O_ASYNC = 0o20000;

interface Owner {
  readonly type: number;
  readonly id: number;
}
const NOBODY: Owner = { type: OwnerType.PID, id: 0 };

/** fcntl: owners of files. They are kept and told of; nobody is sent SIGIO or SIGURG. */
export function defineOwners(calls: Calls): void {
  const { processes } = calls.kernel;
  const buffer = new UserBuffer(8);
  const owners = new WeakMap<File, Owner>();
  const signals = new WeakMap<File, number>();

  /** f_setown. @returns 0 or -ESRCH */
  const own = (file: File, type: number, id: number): number => {
    const group = type === OwnerType.PGRP;
    const exists = group ? [...processes].some((process) => process.group === id) : processes.thread(id) !== undefined;
    if (id !== 0 && !exists) return -Errno.ESRCH;
    owners.set(file, { type, id });
    return 0;
  };
  const ownerOf = (file: File): Owner => {
    const owner = owners.get(file) ?? NOBODY;
    const gone = owner.type !== OwnerType.PGRP && processes.thread(owner.id) === undefined;
    return gone ? { type: owner.type, id: 0 } : owner;
  };

  /** A process by its id, a group by the negative of its own. */
  const ownBy = (file: File, id: number): number =>
    id === INT_MIN ? -Errno.EINVAL : own(file, id < 0 ? OwnerType.PGRP : OwnerType.PID, Math.abs(id));
  const shown = (file: File): number => {
    const { type, id } = ownerOf(file);
    return type === OwnerType.PGRP ? -id : id;
  };

  const owning = (cpu: Cpu, thread: Thread, file: File, command: number, argument: number): number | undefined => {
    switch (command) {
      case Command.SETOWN:
        return ownBy(file, argument | 0);
      case Command.GETOWN:
        return shown(file);
      case Command.SETOWN_EX: {
        if (buffer.load(cpu, thread, argument, 8) < 0) return -Errno.EFAULT;
        const [type, id] = [buffer.i32(0), buffer.i32(4)];
        if (type < OwnerType.TID || type > OwnerType.PGRP) return -Errno.EINVAL;
        return own(file, type, id);
      }
      case Command.GETOWN_EX: {
        const { type, id } = ownerOf(file);
        return buffer.set32(0, type).set32(4, id).copy(cpu, thread, argument, 8) < 0 ? -Errno.EFAULT : 0;
      }
      case Command.SETSIG:
        if ((argument | 0) < 0 || (argument | 0) > Signal.RTMAX) return -Errno.EINVAL;
        signals.set(file, argument | 0);
        return 0;
      case Command.GETSIG:
        return signals.get(file) ?? 0;
      default:
        return undefined;
    }
  };

  // What ioctl says of owners: of sockets, as fcntl does of all files; and whether they are told at all (O_ASYNC).
  const isSocket = (file: File): boolean => file instanceof UnixSocket;
  const tells: IoctlCommand = {
    takes: () => true,
    run(cpu, thread, file, address) {
      if (buffer.load(cpu, thread, address, 4) < 0) return -Errno.EFAULT;
      const wanted = buffer.i32(0) === 0 ? 0 : O_ASYNC;
      if ((file.flags & O_ASYNC) === wanted) return 0;
      if (!isSocket(file) && !(file instanceof PipeEnd)) return -Errno.ENOTTY;
      file.flags = (file.flags & ~O_ASYNC) | wanted;
      return 0;
    },
  };
  const setsOwner: IoctlCommand = {
    takes: isSocket,
    run(cpu, thread, file, address) {
      if (buffer.load(cpu, thread, address, 4) < 0) return -Errno.EFAULT;
      return ownBy(file, buffer.i32(0));
    },
  };
  const getsOwner: IoctlCommand = {
    takes: isSocket,
    run: (cpu, thread, file, address) => buffer.set32(0, shown(file)).store(cpu, thread, address, 4),
  };
  extendIoctl(
    calls,
    new Map([
      [Ioctl.FIOASYNC, tells],
      [Ioctl.FIOSETOWN, setsOwner],
      [Ioctl.SIOCSPGRP, setsOwner],
      [Ioctl.FIOGETOWN, getsOwner],
      [Ioctl.SIOCGPGRP, getsOwner],
    ]),
  );

  calls.extend(
    'fcntl',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const file = thread.process.files.peek(registers.a0);
        const answer = file === null || file.isPath ? undefined : owning(cpu, thread, file, registers.a1 >>> 0, registers.a2);
        return answer ?? inner(cpu, thread, registers);
      },
    { missing: 'SIGIO and SIGURG, leases, and hints' },
  );
}
