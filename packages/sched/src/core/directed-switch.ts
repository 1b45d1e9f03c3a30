import type { Cpu } from '@rpal/hw-x86';
import { unthrottleAbove } from '../fair/hierarchy.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import { announceSwitch, blockTask, putPrevious, setNext, staysAwake, switchAddressSpace } from './schedule.js';
import { type Task, TaskState } from './task.js';

/**
 * Switches `cpu` from its current task to `next`, which must be runnable on this CPU, whatever the order of deadlines
 * says and whatever quotas `next`'s groups have used up; a current task that is not in the running state leaves the queue. User registers stay as they are: they belong to
 * `next` already. Interrupts are off throughout, so it is one step.
 */
export function directedSwitch(scheduler: Scheduler, cpu: Cpu, next: Task): void {
  const rq = scheduler.runQueue(cpu);
  const prev = rq.current;
  cpu.charge(SchedStep.scheduleBody);
  rq.lock.acquire(cpu);
  scheduler.updateClock(rq, cpu);
  prev.needResched = false;
  if (prev.state !== TaskState.RUNNING && !staysAwake(scheduler, cpu, prev)) {
    cpu.charge(SchedStep.dequeue);
    blockTask(scheduler, rq, prev);
  }
  cpu.charge(SchedStep.directedPick);
  rq.account();
  if (!next.onRq || next.cpu !== cpu) throw new Error(`task ${next.pid} is not runnable on CPU ${cpu.id}`);
  if (next.group !== null) unthrottleAbove(rq, next);
  putPrevious(rq, prev);
  setNext(rq, next);
  cpu.charge(SchedStep.switchPressure);
  switchAddressSpace(cpu, prev, next);
  // The live registers become next's; prev's are whatever was saved last, and must be loaded from there.
  prev.fpuInMemory = true;
  next.fpuInMemory = false;
  cpu.charge(SchedStep.switchTo);
  announceSwitch(scheduler, rq, prev, next);
  cpu.charge(SchedStep.finishSwitch);
  prev.onCpu = false;
  rq.lock.release(cpu);
}
