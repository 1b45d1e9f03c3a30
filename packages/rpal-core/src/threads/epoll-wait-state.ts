import type { EventPoll } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { SleepTimer, WaitEntry } from '@rpal/sched';
import { RPAL_KERNEL_PENDING, RpalFlag } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import type { RoleData } from '../services/role.js';
import type { RpalTask } from '../services/thread.js';
import { orInto } from './states.js';

/**
 * The wait entry of a receiver, taken off the queue in any case. A wake-up that reports that no task was woken leaves a note for user
 * mode: the
 * receiver was awake already, or, with the result of a refusal repaired, may not be woken now.
 */
export function receiverWaitEntry(rpal: Rpal, thread: RpalTask): WaitEntry {
  const entry = new WaitEntry((cpu, self, _key, sync) => {
    const woken = rpal.kernel.scheduler.wakeUp(cpu, thread, undefined, sync);
    self.queue?.unlink(self);
    if (!woken) orInto(cpu, thread.rpal.role.rcc + Rcc.epPending, RPAL_KERNEL_PENDING);
    // Linux's own function reports the result, so that the next exclusive waiter is tried.
    const refused = !woken || (thread.rpal.flags & RpalFlag.WAKE) !== 0;
    return refused && !rpal.quirk('refused-wake-up-consumed') ? 0 : 1;
  }, thread);
  entry.exclusive = true;
  return entry;
}

/** An RPAL wait has looked its epoll file up (Linux: `fdget`). */
export function takeEpollFile({ process, rpal: { role } }: RpalTask, epoll: EventPoll): void {
  role.epoll = epoll;
  role.file = epoll;
  role.fileCounted = process.threads.length > 1 || process.files.users > 1;
  role.fileHeld = true;
  if (role.fileCounted) epoll.get();
}

/** An RPAL wait is done with its epoll file (Linux: `fdput`), if it was not before. */
export function putEpollFile(cpu: Cpu, data: RoleData): void {
  if (!data.fileHeld) return;
  data.fileHeld = false;
  if (data.fileCounted) data.file?.put(cpu);
}

/** The timer that ends a receiver's sleep; made when it is first needed. */
export function sleepTimer(rpal: Rpal, thread: RpalTask): SleepTimer {
  const data = thread.rpal.role;
  const { scheduler } = rpal.kernel;
  data.timer ??= new SleepTimer(scheduler, (cpu) => {
    data.timedOut = true;
    scheduler.wakeUp(cpu, thread);
  });
  return data.timer;
}
