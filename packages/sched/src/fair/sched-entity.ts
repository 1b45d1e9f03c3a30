import type { CfsQueue } from './cfs-queue.js';
import type { GroupQueue, TaskGroup } from './task-group.js';

/** Weight of nice 0. @public for who checks shares of the CPU */
export const NICE_0_LOAD = 1024;

/** sched_prio_to_weight: each nice level is about 1.25 times the next (kernel/sched/core.c). */
const WEIGHTS: readonly number[] = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024,
  820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];

/** Weight of SCHED_IDLE (Linux: WEIGHT_IDLEPRIO). */
export const IDLE_WEIGHT = 3;

/** @param nice -20 .. 19 @public for who checks shares of the CPU */
export function niceWeight(nice: number): number {
  return WEIGHTS[nice + 20] as number;
}

/** A task as fair scheduling knows it. */
export interface FairTask {
  readonly entity: SchedEntity;
  /** The control group it is scheduled in; null is the root. */
  readonly group: TaskGroup | null;
  onRq: boolean;
}

/** What competes in a fair queue (Linux: `struct sched_entity`). Times are nanoseconds of the task clock. */
export class SchedEntity {
  /** The task it stands for, or the queue of the group: one of the two is null. */
  readonly task: FairTask | null;
  readonly group: GroupQueue | null;
  /** The entity of the group it belongs to; null on the CPU's own queue. */
  parent: SchedEntity | null = null;
  weight: number = NICE_0_LOAD;
  vruntime = 0;
  deadline = 0;
  /** Requested service; the base slice unless set by the task. */
  slice = 0;
  customSlice = false;
  /** Virtual lag kept while off the queue; while running, the deadline it was picked with (RUN_TO_PARITY). */
  vlag = 0;
  /** The deadline is relative to the vruntime while off the queue. */
  relativeDeadline = false;
  execStart = 0;
  sumExec = 0;
  /** When load balancing moved it last. */
  movedAt = 0;
  onRq = false;
  /** Asleep, but still competing until its lag is worked off (DELAY_DEQUEUE). */
  delayed = false;
  queue: CfsQueue | null = null;

  /** Tree links, see `EligibleTree`. */
  left: SchedEntity | null = null;
  right: SchedEntity | null = null;
  priority = 0;
  order = 0;
  minVruntime = 0;

  constructor(task: FairTask | null, group: GroupQueue | null = null) {
    this.task = task;
    this.group = group;
  }

  /** Virtual time that `delta` ns of run time amount to. */
  virtual(delta: number): number {
    return this.weight === NICE_0_LOAD ? delta : Math.floor((delta * NICE_0_LOAD) / this.weight);
  }
}
