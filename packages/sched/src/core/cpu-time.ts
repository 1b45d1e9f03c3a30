import type { RunQueue } from './run-queue.js';
import type { Task } from './task.js';

/** CPU time of a task, ns. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/** The tick found `task` in user or in kernel mode (Linux: `account_process_tick`, tick-based accounting). */
export function accountTick(task: Task, inKernel: boolean): void {
  if (inKernel) task.systemTicks++;
  else task.userTicks++;
}

/**
 * utime and stime of a task (Linux: `cputime_adjust`): their sum is its precise run time as of the last switch or tick; how
 * it divides is what ticks have sampled. A task that no tick has met counts as all user time.
 */
export function cpuTime(task: Task): CpuTime {
  const total = task.entity.sumExec;
  const ticks = task.userTicks + task.systemTicks;
  const system = task.systemTicks === 0 ? 0 : Math.floor((total * task.systemTicks) / ticks);
  return { user: total - system, system };
}

/** Time of a CPU that its tasks were not charged for, because a plugin took it out of the task clock, ns. @public for meters */
export function stealTime(rq: RunQueue): number {
  return rq.clock - rq.startedAt - rq.taskClock;
}
