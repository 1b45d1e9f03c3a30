import type { IoVec } from '@rpal/vfs';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { requireText, requireVector } from './checks.js';
import { ProgramBase } from './program-base.js';

/** Files and descriptors: open, read and write; pipes, memfd. */
export class FileCalls extends ProgramBase {
  /** @param path a special file such as `/proc/rpal`, memory below `/dev/shm`, or, on a machine with a file system, any file @param mode of a file that is made */
  open(path: string, flags: number, mode = 0): Call {
    this.context.text = requireText(this.context, 'open', path);
    return this.syscall(SyscallNumber.open, 0, flags, mode);
  }

  close(fd: number): Call {
    return this.syscall(SyscallNumber.close, fd);
  }

  read(fd: number, buffer: number, count: number): Call {
    return this.syscall(SyscallNumber.read, fd, buffer, count);
  }

  write(fd: number, buffer: number, count: number): Call {
    return this.syscall(SyscallNumber.write, fd, buffer, count);
  }

  readv(fd: number, segments: readonly IoVec[]): Call {
    this.context.args.header = { segments: requireVector(this.context, 'readv', segments) };
    return this.syscall(SyscallNumber.readv, fd);
  }

  writev(fd: number, segments: readonly IoVec[]): Call {
    this.context.args.header = { segments: requireVector(this.context, 'writev', segments) };
    return this.syscall(SyscallNumber.writev, fd);
  }

  pread(fd: number, buffer: number, count: number, offset: number): Call {
    return this.syscall(SyscallNumber.pread64, fd, buffer, count, offset);
  }

  pwrite(fd: number, buffer: number, count: number, offset: number): Call {
    return this.syscall(SyscallNumber.pwrite64, fd, buffer, count, offset);
  }

  lseek(fd: number, offset: number, whence: number): Call {
    return this.syscall(SyscallNumber.lseek, fd, offset, whence);
  }

  ftruncate(fd: number, size: number): Call {
    return this.syscall(SyscallNumber.ftruncate, fd, size);
  }

  /** Takes the name of a socket away. */
  unlink(path: string): Call {
    this.context.text = requireText(this.context, 'unlink', path);
    return this.syscall(SyscallNumber.unlink);
  }

  ioctl(fd: number, command: number, argument: number): Call {
    return this.syscall(SyscallNumber.ioctl, fd, command, argument);
  }

  fcntl(fd: number, command: number, argument = 0): Call {
    return this.syscall(SyscallNumber.fcntl, fd, command, argument);
  }

  dup(fd: number): Call {
    return this.syscall(SyscallNumber.dup, fd);
  }

  dup2(fd: number, target: number): Call {
    return this.syscall(SyscallNumber.dup2, fd, target);
  }

  dup3(fd: number, target: number, flags: number): Call {
    return this.syscall(SyscallNumber.dup3, fd, target, flags);
  }

  /** @returns the end to read from; the other is `second` */
  pipe(flags = 0): Call {
    return this.syscall(SyscallNumber.pipe2, 0, flags);
  }

  memfd(name: string, flags = 0): Call {
    this.context.text = requireText(this.context, 'memfd', name);
    return this.syscall(SyscallNumber.memfd_create, 0, flags);
  }
}
