import type { Cpu } from '@rpal/hw-x86';
import type { RunQueue } from '../core/run-queue.js';
import { SchedPolicy, type Task } from '../core/task.js';
import type { Scheduler } from '../scheduler.js';
import { RtClass } from './rt-class.js';
import { type ClassQueue, ClassRank, type SchedClass } from './sched-class.js';
import { CpuStopper, StopClass } from './stop-class.js';

/** The scheduling classes besides the fair one, and their part of every run queue. */
export class SchedClasses {
  readonly stop: StopClass = new StopClass();
  readonly rt: RtClass = new RtClass();
  /** A task of another class than the fair one has been runnable: from then on all classes are asked. */
  inUse = false;
  readonly #scheduler: Scheduler;
  readonly #queues: Map<SchedClass, ClassQueue[]> = new Map();
  readonly #stoppers: (CpuStopper | undefined)[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** What plugins put into the slot `schedExt`; null if nothing. */
  get ext(): SchedClass | null {
    const slot = this.#scheduler.seams.slots.schedExt;
    return slot.filled ? slot.value : null;
  }

  /** The class of tasks with `policy`: null for the fair class; undefined if the machine has none for it. */
  of(policy: number): SchedClass | null | undefined {
    switch (policy) {
      case SchedPolicy.FIFO:
      case SchedPolicy.RR:
        return this.rt;
      case SchedPolicy.NORMAL:
      case SchedPolicy.BATCH:
      case SchedPolicy.IDLE: {
        const { ext } = this;
        return ext?.takesAll === true ? ext : null;
      }
      case SchedPolicy.EXT:
        return this.ext ?? undefined;
      default:
        return undefined;
    }
  }

  /** The part of `schedClass` in `rq`. */
  queue(schedClass: SchedClass, rq: RunQueue): ClassQueue {
    let queues = this.#queues.get(schedClass);
    if (queues === undefined) {
      const scheduler = this.#scheduler;
      queues = scheduler.runQueues.map((each) => schedClass.createQueue(each, scheduler));
      this.#queues.set(schedClass, queues);
    }
    return queues[rq.cpu.id] as ClassQueue;
  }

  rank(schedClass: SchedClass | null): number {
    if (schedClass === null) return ClassRank.FAIR;
    return schedClass === this.stop ? ClassRank.STOP : schedClass === this.rt ? ClassRank.RT : ClassRank.EXT;
  }

  /** The next task of a class above the fair one. */
  pickAbove(rq: RunQueue): Task | null {
    return this.queue(this.stop, rq).pick() ?? this.queue(this.rt, rq).pick();
  }

  /** The next task of the class below the fair one. */
  pickBelow(rq: RunQueue): Task | null {
    const { ext } = this;
    return ext === null ? null : this.queue(ext, rq).pick();
  }

  /** The stopper thread of `cpu`. */
  stopper(cpu: Cpu): CpuStopper {
    this.#stoppers[cpu.id] ??= new CpuStopper(this.#scheduler, cpu);
    return this.#stoppers[cpu.id] as CpuStopper;
  }
}
