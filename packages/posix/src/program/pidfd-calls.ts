import { type Call, ProgramBase } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** Processes as files. @public for who registers the family without the plugin */
export class PidfdCalls extends ProgramBase {
  pidfdOpen(pid: number, flags = 0): Call {
    return this.syscall(LinuxCall.pidfd_open, pid, flags);
  }

  pidfdSendSignal(fd: number, signal: number): Call {
    return this.syscall(LinuxCall.pidfd_send_signal, fd, signal);
  }
}
