import type { Cpu } from '@rpal/hw-x86';
import type { RunQueue, RunQueues } from './run-queue.js';
import type { Task } from './task.js';

/**
 * A scheduling class (Linux: `struct sched_class`, or the ops of a sched_ext scheduler). The fair class is built in; every
 * other is one of these. In the order in which they are asked for a task: stop, real-time, fair, the extension class.
 */
export interface SchedClass {
  readonly name: string;
  /** Makes the class's part of one CPU's run queue. Called once per CPU, when the class is first used. */
  createQueue(rq: RunQueue): ClassQueue;
  /** The CPU on which a task of this class, woken by `cpu`, should run: one of its affinity. */
  selectCpu(queues: RunQueues, cpu: Cpu, task: Task, sync: boolean): Cpu;
  /** Of an extension class: it takes the tasks of the fair class too, as sched_ext does by default. */
  readonly takesAll?: boolean;
}

/** The tasks of one class on one CPU. The run queue is locked and its clock up to date in every call. */
export interface ClassQueue {
  /** `task` has become runnable on this CPU. @param wakeUp after a sleep, rather than after a change of CPU or class */
  enqueue(task: Task, wakeUp: boolean): void;
  /** `task` sleeps, moves or changes class. It may be the one that runs. */
  dequeue(task: Task, sleep: boolean): void;
  /**
   * The task to run next, or null. It may be the one that runs now, which stays queued while it runs if the class wants it
   * so. A task whose `cpu` is another one is moved here: the class may keep queues across CPUs.
   */
  pick(): Task | null;
  /** `task` begins to run. */
  setNext(task: Task): void;
  /** `task` stops running. It is still runnable if `task.onRq`. */
  putPrevious(task: Task): void;
  /** A tick while `task` of this class runs. @returns true to reschedule */
  tick(task: Task): boolean;
  /** `task` has been made runnable while `current`, of the same class, runs. @returns true if it takes the CPU */
  preempts(task: Task, current: Task): boolean;
  /** sched_yield of the running `task`. */
  yield(task: Task): void;
}

/** What a change of priority needs from the real-time class. */
export interface RealTimeClass extends SchedClass {
  /** A queued task goes ahead of the others of its priority. */
  toFront(rq: RunQueue, task: Task): void;
  /** A task that could run on this CPU is more urgent than one that does. */
  outranked(rq: RunQueue, task: Task): boolean;
}

/** Highest real-time priority; the lowest is 1. */
export const MAX_RT_PRIORITY = 99;
/** Slice of SCHED_RR, ns (Linux: RR_TIMESLICE). */
export const RR_SLICE = 100_000_000;

/** Rank among classes: the larger one is asked first. The extension class ranks below the fair one, which has 1. @public for scheduling classes of plugins */
export const ClassRank = { IDLE: -1, EXT: 0, FAIR: 1, RT: 2, STOP: 3 } as const;
