import type { Cpu } from '@rpal/hw-x86';
import { DelayedWork } from '@rpal/sched';
import { ReceiverState, RPAL_USER_PENDING, RpalFlag } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalService } from '../services/service.js';
import { isFreed, type RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { load, moveReceiver } from './states.js';

/** Starts a service's waker (patch 31): every tick it tries again what was refused, and looks for uncollected events. */
export function startWaker(rpal: Rpal, cpu: Cpu, service: RpalService): void {
  const { scheduler, workqueue } = rpal.kernel;
  const work: DelayedWork = new DelayedWork(workqueue, scheduler, (on) => {
    wakeReceivers(rpal, on, service);
    workqueue.queueDelayed(on, work, scheduler.tickNs);
  });
  service.waker = work;
  workqueue.queueDelayed(cpu, work, scheduler.tickNs);
}

/** Stops it after a last run, which finds nobody: the receivers have unregistered by then. */
export function stopWaker(rpal: Rpal, cpu: Cpu, service: RpalService): void {
  if (service.waker !== null) rpal.kernel.workqueue.cancel(service.waker);
  service.waker = null;
  wakeReceivers(rpal, cpu, service);
}

function wakeReceivers(rpal: Rpal, cpu: Cpu, service: RpalService): void {
  cpu.charge(RpalStep.waker);
  const due: RpalTask[] = [];
  for (const thread of service.receivers) if (needsWaking(rpal, cpu, thread)) due.push(thread);
  for (const thread of due) {
    // The list is unlocked again, and nothing holds the threads that were noted from it.
    rpal.between(cpu, 'waker: receiver chosen');
    if (!isFreed(thread)) rpal.kernel.scheduler.wakeUp(cpu, thread);
    else if (rpal.quirk('waker-holds-nobody')) {
      throw new RpalBug('use after free', 31, `the waker of service ${service.id} wakes thread ${thread.pid}, which has ended meanwhile`);
    }
  }
}

function needsWaking(rpal: Rpal, cpu: Cpu, thread: RpalTask): boolean {
  if ((thread.rpal.flags & RpalFlag.WAKE) !== 0) return true;
  const { rcc } = thread.rpal.role;
  if ((load(cpu, rcc + Rcc.epPending) & RPAL_USER_PENDING) === 0) return false;
  if (load(cpu, rcc + Rcc.receiverState) !== ReceiverState.WAIT) return false;
  return moveReceiver(rpal, cpu, rcc, 8, ReceiverState.WAIT, ReceiverState.RUNNING);
}
