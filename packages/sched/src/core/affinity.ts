import type { Cpu } from '@rpal/hw-x86';
import type { CpuSet } from '../cpus/cpu-set.js';
import { Dequeue, Enqueue } from '../fair/cfs-queue.js';
import { finishDelayed } from '../fair/hierarchy.js';
import { SchedStep } from '../steps.js';
import { dequeue, setTaskCpu } from './enqueue.js';
import { carryAway } from './handover.js';
import { type RunQueues, resched } from './run-queue.js';
import type { Task } from './task.js';
import { activate } from './wake-up.js';

/** The working part of sched_setaffinity. A task that runs where it no longer may is moved when it next passes the scheduler. */
export function applyAffinity(queues: RunQueues, cpu: Cpu, task: Task, affinity: CpuSet): void {
  // What a CPU has chosen to run next is not taken from it: it runs, and leaves then.
  queues.of(task.cpu).endSwitch(cpu);
  task.affinity = affinity;
  task.affinitySize = affinity.size;
  if (affinity.has(task.cpu.id) || !task.onRq) return;
  const rq = queues.of(task.cpu);
  if (rq.current === task) resched(cpu, rq);
  else migrate(queues, cpu, task);
}

/** Moves the task that `cpu` is about to leave to a CPU it may use. */
export function migrateRunning(queues: RunQueues, cpu: Cpu, task: Task): void {
  queues.of(cpu).putPrevious(task);
  migrate(queues, cpu, task);
}

/** Moves a queued task that does not run to a CPU it may use. */
export function migrate(queues: RunQueues, cpu: Cpu, task: Task): void {
  const from = queues.of(task.cpu);
  const to = queues.of(queues.leastLoaded(task.cpu, task.affinity));
  cpu.charge(SchedStep.migrate);
  from.updateClock(cpu);
  const { delayed } = task.entity;
  if (delayed) finishDelayed(from, task);
  else dequeue(from, task, Dequeue.MOVE);
  setTaskCpu(cpu, to, task);
  if (to.cpu !== cpu) carryAway(cpu, task);
  if (delayed) return;
  to.acquire(cpu);
  to.updateClock(cpu);
  activate(cpu, to, task, Enqueue.MOVE);
  to.lock.release(cpu);
}
