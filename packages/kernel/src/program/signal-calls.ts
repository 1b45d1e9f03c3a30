import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { requireHandler } from './checks.js';
import { ProgramBase } from './program-base.js';
import type { SignalHandler } from './program-context.js';

/**
 * Signals. A set of signals is a word with bit 1 << (number - 1) for signals 1 to 32 and, where there is one, a second word with
 * bit 1 << (number - 33) for signals 33 to 64.
 */
export class SignalCalls extends ProgramBase {
  /** @param mask signals blocked while the handler runs @param realTimeMask its second word */
  sigaction(signal: number, handler: SignalHandler | 'default' | 'ignore', flags = 0, mask = 0, realTimeMask = 0): Call {
    requireHandler(this.context, handler);
    this.context.args.signalAction = { handler, flags, mask: { low: mask, high: realTimeMask } };
    return this.syscall(SyscallNumber.rt_sigaction, signal);
  }

  /** @param how `SignalMask` @returns the mask until now; its second word is `second` */
  sigprocmask(how: number, mask: number, realTime = 0): Call {
    return this.syscall(SyscallNumber.rt_sigprocmask, how, mask, realTime);
  }

  /** @returns signals that are blocked and have come; the second word is `second` */
  sigpending(): Call {
    return this.syscall(SyscallNumber.rt_sigpending);
  }

  /** Waits with this mask until a handler has run. */
  sigsuspend(mask: number, realTime = 0): Call {
    return this.syscall(SyscallNumber.rt_sigsuspend, mask, realTime);
  }

  /** sigtimedwait. @param timeout nanoseconds; negative: for ever @returns the signal; what sigqueue sent along is `second` */
  sigwait(mask: number, realTime = 0, timeout = -1): Call {
    return this.syscall(SyscallNumber.rt_sigtimedwait, mask, realTime, timeout);
  }

  /** Sends a signal with a value. */
  sigqueue(pid: number, signal: number, value: number): Call {
    return this.syscall(SyscallNumber.rt_sigqueueinfo, pid, signal, value);
  }

  pause(): Call {
    return this.syscall(SyscallNumber.pause);
  }

  signalfd(mask: number, flags = 0, fd = -1, realTime = 0): Call {
    return this.syscall(SyscallNumber.signalfd4, fd, mask, realTime, flags);
  }

  kill(pid: number, signal: number): Call {
    return this.syscall(SyscallNumber.kill, pid, signal);
  }

  /** Sends a signal to one thread of a process. */
  tgkill(pid: number, tid: number, signal: number): Call {
    return this.syscall(SyscallNumber.tgkill, pid, tid, signal);
  }
}
