import { type Call, ProgramBase } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** Data that goes between files without being copied. @public for who registers the family without the plugin */
export class SpliceCalls extends ProgramBase {
  /** splice from pipe to pipe, or between a pipe and a Unix stream socket. */
  splice(from: number, to: number, length: number, flags = 0): Call {
    return this.syscall(LinuxCall.splice, from, 0, to, 0, length, flags);
  }

  tee(from: number, to: number, length: number, flags = 0): Call {
    return this.syscall(LinuxCall.tee, from, to, length, flags);
  }

  /** One piece of memory into a pipe, by reference; or out of it. */
  vmsplice(fd: number, address: number, length: number, flags = 0): Call {
    this.context.args.header = { segments: [{ address, length }] };
    return this.syscall(LinuxCall.vmsplice, fd, 0, 1, flags);
  }
}
