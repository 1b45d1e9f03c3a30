import type { Slot } from '@rpal/bus';
import type { RunQueue } from './run-queue.js';
import { type ClassQueue, ClassRank, type RealTimeClass, type SchedClass } from './sched-class.js';
import { SchedPolicy, type Task } from './task.js';

/** The scheduling classes besides the fair one, and their part of every run queue. */
export class SchedClasses {
  readonly stop: SchedClass;
  readonly rt: RealTimeClass;
  /** A task of another class than the fair one has been runnable: from then on all classes are asked. */
  inUse = false;
  readonly #ext: Slot<SchedClass>;
  readonly #queues: Map<SchedClass, readonly ClassQueue[]> = new Map();

  constructor(stop: SchedClass, rt: RealTimeClass, ext: Slot<SchedClass>) {
    this.stop = stop;
    this.rt = rt;
    this.#ext = ext;
  }

  /** What plugins put into the slot `schedExt`; null if nothing. */
  get ext(): SchedClass | null {
    return this.#ext.filled ? this.#ext.value : null;
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
      queues = rq.queues.all.map((each) => schedClass.createQueue(each));
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
}
