import { EpollStep, EventPoll } from '@rpal/epoll';
import { dropMask, useMask, whenOver } from '@rpal/kernel';
import { TASK_SIZE } from '@rpal/mm';
import { EPOLL_EVENT_SIZE, Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { callMask } from './call-mask.js';

const MOST_EVENTS = Math.floor(0x7fff_ffff / EPOLL_EVENT_SIZE);
/** The older forms of epoll's calls. */
export function defineEpollCalls(calls: Calls): void {
  const { epolls } = calls.kernel;

  calls.define('epoll_create', (cpu, thread, { a0 }) => {
    if ((a0 | 0) <= 0) return -Errno.EINVAL;
    cpu.charge(EpollStep.epollCreate);
    return thread.process.files.install(cpu, new EventPoll(epolls), 0);
  });

  // The mask is in force while it waits; if a signal ends that, until its handler has run.
  calls.define(
    'epoll_pwait',
    (cpu, thread, { a0, a1, a2, a3, a4, a5 }) => {
      const mask = callMask(cpu, thread, a4, a5);
      if (typeof mask === 'number') return mask;
      const epoll = thread.process.files.lookUp(cpu, a0);
      if (epoll === null) return -Errno.EBADF;
      const most = a2 | 0;
      if (most <= 0 || most > MOST_EVENTS) return -Errno.EINVAL;
      if (a1 < 0 || a1 + most * EPOLL_EVENT_SIZE > TASK_SIZE) return -Errno.EFAULT;
      if (!(epoll instanceof EventPoll)) return -Errno.EINVAL;
      useMask(thread, mask);
      const result = epoll.waitForEvents(cpu, thread, a1, most, a3 | 0);
      return whenOver(cpu, thread, result, (_on, outcome) => dropMask(thread, outcome, -Errno.EINTR));
    },
    { holds: [0] },
  );
}
