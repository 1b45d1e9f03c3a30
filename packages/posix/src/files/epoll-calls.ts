import { EpollStep, EventPoll } from '@rpal/epoll';
import { recalculatePending, type SignalBits, UserBuffer, whenOver } from '@rpal/kernel';
import { TASK_SIZE } from '@rpal/mm';
import { EPOLL_EVENT_SIZE, Errno, Signal } from '@rpal/uapi';
import type { Calls } from '../calls.js';

/** Bytes of `sigset_t`. */
const SIGSET = 8;
const MOST_EVENTS = Math.floor(0x7fff_ffff / EPOLL_EVENT_SIZE);
/** SIGKILL and SIGSTOP: never blocked. */
const UNBLOCKABLE = (1 << (Signal.KILL - 1)) | (1 << (Signal.STOP - 1));

/** The older forms of epoll's calls. */
export function defineEpollCalls(calls: Calls): void {
  const { epolls } = calls.kernel;
  const buffer = new UserBuffer(SIGSET);

  calls.define('epoll_create', (cpu, thread, { a0 }) => {
    if ((a0 | 0) <= 0) return -Errno.EINVAL;
    cpu.charge(EpollStep.epollCreate);
    return thread.process.files.install(cpu, new EventPoll(epolls), 0);
  });

  // The mask is in force while it waits; if a signal ends that, until its handler has run.
  calls.define(
    'epoll_pwait',
    (cpu, thread, { a0, a1, a2, a3, a4, a5 }) => {
      let mask: SignalBits | null = null;
      if (a4 !== 0) {
        if (a5 !== SIGSET) return -Errno.EINVAL;
        if (buffer.load(cpu, thread, a4, SIGSET) < 0) return -Errno.EFAULT;
        mask = { low: buffer.i32(0) & ~UNBLOCKABLE, high: buffer.i32(4) };
      }
      const epoll = thread.process.files.lookUp(cpu, a0);
      if (epoll === null) return -Errno.EBADF;
      const most = a2 | 0;
      if (most <= 0 || most > MOST_EVENTS) return -Errno.EINVAL;
      if (a1 < 0 || a1 + most * EPOLL_EVENT_SIZE > TASK_SIZE) return -Errno.EFAULT;
      if (!(epoll instanceof EventPoll)) return -Errno.EINVAL;
      const before = thread.blocked;
      if (mask !== null) {
        thread.savedMask = before;
        thread.blocked = mask;
        recalculatePending(thread);
      }
      return whenOver(cpu, thread, epoll.waitForEvents(cpu, thread, a1, most, a3 | 0), (_on, result) => {
        if (mask === null || result === -Errno.EINTR) return result;
        thread.savedMask = null;
        thread.blocked = before;
        recalculatePending(thread);
        return result;
      });
    },
    { holds: [0] },
  );
}
