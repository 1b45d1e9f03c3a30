import type { Cpu } from '@rpal/hw-x86';
import { Dequeue, Enqueue } from '../fair/cfs-queue.js';
import { dequeueFair, enqueueFair, updateFair } from '../fair/hierarchy.js';
import { type RunQueue, resched } from './run-queue.js';
import type { Task } from './task.js';

/** `task` belongs to the CPU of `rq` from now on (Linux: `set_task_cpu`). @param cpu the CPU that moves it */
export function setTaskCpu(cpu: Cpu, rq: RunQueue, task: Task): void {
  if (task.cpu === rq.cpu) return;
  const { taskMigrate } = rq.queues.events;
  if (taskMigrate.observed) taskMigrate.emit(cpu.id, cpu.clock, task, task.cpu.id, rq.cpu.id);
  task.cpu = rq.cpu;
}

/** Puts a task onto a run queue, which is locked (Linux: `enqueue_task`). */
export function enqueue(cpu: Cpu, rq: RunQueue, task: Task, why: Enqueue): void {
  setTaskCpu(cpu, rq, task);
  task.onRq = true;
  const { schedClass } = task;
  if (schedClass === null) {
    if (updateFair(rq)) resched(cpu, rq);
    enqueueFair(rq, task, why);
  } else {
    const { classes } = rq.queues;
    classes.inUse = true;
    classes.queue(schedClass, rq).enqueue(task, why !== Enqueue.MOVE);
    rq.gain();
  }
}

/** Takes a task off its run queue, which is locked. One that sleeps may stay there, delayed: `task.onRq` says so. */
export function dequeue(rq: RunQueue, task: Task, why: Dequeue): void {
  const { schedClass } = task;
  rq.account();
  if (schedClass === null) {
    if (!dequeueFair(rq, task, why)) return;
  } else {
    rq.lose();
    rq.queues.classes.queue(schedClass, rq).dequeue(task, why !== Dequeue.MOVE);
  }
  task.onRq = false;
}
