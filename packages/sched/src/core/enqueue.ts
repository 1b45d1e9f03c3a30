import type { Cpu } from '@rpal/hw-x86';
import { dequeueFair, enqueueFair, updateFair } from '../fair/hierarchy.js';
import type { Scheduler } from '../scheduler.js';
import type { RunQueue } from './run-queue.js';
import type { Task } from './task.js';
import { resched } from './wake-up.js';

/**
 * Puts a task onto a run queue, which is locked (Linux: `enqueue_task`).
 * @param initial it has just been forked
 * @param wakeUp it has slept, rather than moved or changed class
 */
export function enqueue(scheduler: Scheduler, cpu: Cpu, rq: RunQueue, task: Task, initial: boolean, wakeUp = true): void {
  task.cpu = rq.cpu;
  task.onRq = true;
  const { schedClass } = task;
  if (schedClass === null) {
    if (updateFair(rq)) resched(scheduler, cpu, rq);
    enqueueFair(rq, task, initial);
  } else {
    scheduler.classes.inUse = true;
    scheduler.classes.queue(schedClass, rq).enqueue(task, wakeUp);
    rq.gain();
  }
}

/**
 * Takes a task off its run queue, which is locked; in the fair class one that sleeps may stay, delayed.
 * `task.onRq` says which.
 */
export function dequeue(scheduler: Scheduler, rq: RunQueue, task: Task, sleep: boolean, mayDelay = false): void {
  const { schedClass } = task;
  rq.account();
  if (schedClass === null) {
    if (!dequeueFair(rq, task, sleep, mayDelay)) return;
  } else {
    rq.lose();
    scheduler.classes.queue(schedClass, rq).dequeue(task, sleep);
  }
  task.onRq = false;
}
