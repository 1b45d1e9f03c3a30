import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { ProgramBase } from './program-base.js';

/** Events and waiting for them: eventfd, timerfd, epoll, poll, select. */
export class EventCalls extends ProgramBase {
  eventfd(initial = 0, flags = 0): Call {
    return this.syscall(SyscallNumber.eventfd2, initial, flags);
  }

  /** A timer on the monotonic clock. */
  timerfd(flags = 0): Call {
    return this.syscall(SyscallNumber.timerfd_create, 1, flags);
  }

  /** @param value nanoseconds to the first expiration (0 disarms) @param interval nanoseconds between others (0: none) */
  timerfdSettime(fd: number, value: number, interval = 0, flags = 0): Call {
    return this.syscall(SyscallNumber.timerfd_settime, fd, flags, value, interval);
  }

  /** @returns nanoseconds until it is due, 0 if it is not armed */
  timerfdGettime(fd: number): Call {
    return this.syscall(SyscallNumber.timerfd_gettime, fd);
  }

  epollCreate(flags = 0): Call {
    return this.syscall(SyscallNumber.epoll_create1, flags);
  }

  /** epoll_ctl; the event is passed in registers instead of memory. */
  epollCtl(epfd: number, operation: number, fd: number, events = 0, data = fd): Call {
    return this.syscall(SyscallNumber.epoll_ctl, epfd, operation, fd, events, data);
  }

  /** @param timeout milliseconds; negative: for ever */
  epollWait(epfd: number, events: number, maximum: number, timeout: number): Call {
    return this.syscall(SyscallNumber.epoll_wait, epfd, events, maximum, timeout);
  }

  /** epoll_pwait2. @param timeout nanoseconds; negative: for ever @param mask signals blocked meanwhile; negative: as they are */
  epollPwait2(epfd: number, events: number, maximum: number, timeout: number, mask = -1): Call {
    return this.syscall(SyscallNumber.epoll_pwait2, epfd, events, maximum, timeout, mask);
  }

  /** @param fds address of an array of `struct pollfd` @param timeout milliseconds; negative: for ever */
  poll(fds: number, count: number, timeout: number): Call {
    return this.syscall(SyscallNumber.poll, fds, count, timeout);
  }

  /** @param timeout nanoseconds; negative: for ever @param mask signals blocked meanwhile; negative: as they are */
  ppoll(fds: number, count: number, timeout: number, mask = -1): Call {
    return this.syscall(SyscallNumber.ppoll, fds, count, timeout, mask);
  }

  /** Sets are addresses of `fd_set`, 0 for none. @param timeout nanoseconds; negative: for ever */
  select(limit: number, readable: number, writable: number, exceptional: number, timeout: number): Call {
    return this.syscall(SyscallNumber.select, limit, readable, writable, exceptional, timeout);
  }
}
