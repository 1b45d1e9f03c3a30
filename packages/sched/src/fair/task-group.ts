import type { Cpu } from '@rpal/hw-x86';
import { SchedError } from '../errors.js';
import type { Bandwidth, BandwidthHost } from './bandwidth.js';
import { CfsQueue } from './cfs-queue.js';
import { NICE_0_LOAD, SchedEntity } from './sched-entity.js';

/** Least weight of a group on a CPU (Linux: MIN_SHARES). */
const MIN_SHARES = 2;

/** A CPU's run queue as fair scheduling knows it. */
export interface FairRunQueue {
  readonly cpu: Cpu;
  /** The CPU's own queue, which all groups are below. */
  readonly fair: CfsQueue;
  /** What counts as time of tasks, ns. */
  readonly taskClock: number;
  /** One more runnable task. */
  gain(): void;
  /** One runnable task less. */
  lose(): void;
}

/** What control groups need from the scheduler. */
export interface GroupHost extends BandwidthHost {
  readonly all: readonly FairRunQueue[];
  /** ns. */
  readonly baseSlice: number;
  readonly tickNs: number;
}

/** A group's tasks on one CPU (Linux: the group's `cfs_rq`). `entity` stands for them in the queue above. */
export class GroupQueue extends CfsQueue {
  readonly group: TaskGroup;
  readonly rq: FairRunQueue;
  readonly entity: SchedEntity;
  /** Runnable tasks in it and below, delayed ones left out (Linux: `h_nr_runnable`). */
  runnable = 0;
  /** Out of run time: off the queue above until the next period. */
  throttled = false;
  /** ns of the quota that it holds. */
  runtimeLeft = 0;
  /** The part of `load` that the group's sum contains. */
  counted = 0;

  constructor(group: TaskGroup, rq: FairRunQueue, parent: SchedEntity | null, { baseSlice, tickNs }: GroupHost) {
    super(baseSlice, tickNs);
    this.group = group;
    this.rq = rq;
    this.entity = new SchedEntity(null, this);
    this.entity.parent = parent;
  }
}

/** Tasks that share CPU time as one (Linux: `struct task_group`, a cgroup with the CPU controller). */
export class TaskGroup {
  readonly name: string;
  readonly parent: TaskGroup | null;
  /** Weight of the whole group, over all CPUs. */
  shares: number = NICE_0_LOAD;
  /** Sum of the loads of its queues. */
  load = 0;
  /** Limits its CPU time, from `Bandwidth.limit` on: a bundle that limits nobody does not carry it. Null if unlimited. */
  bandwidth: Bandwidth | null = null;
  readonly queues: readonly GroupQueue[];
  /** What the scheduler does for it. */
  readonly host: GroupHost;

  constructor(host: GroupHost, name: string, parent: TaskGroup | null) {
    this.host = host;
    this.name = name;
    this.parent = parent;
    this.queues = host.all.map((rq) => new GroupQueue(this, rq, parent === null ? null : parent.on(rq).entity, host));
  }

  on(rq: FairRunQueue): GroupQueue {
    return this.queues[rq.cpu.id] as GroupQueue;
  }

  /**
   * cpu.weight of the control group: 1 .. 10000, 100 is the weight of one nice 0 task. Takes effect as tasks come and go.
   * @throws SchedError INVALID_ARGUMENT
   */
  setWeight(weight: number): void {
    if (!Number.isInteger(weight) || weight < 1 || weight > 10_000) {
      throw new SchedError('INVALID_ARGUMENT', `weight: ${weight} must be a whole number from 1 to 10000`);
    }
    this.shares = Math.round((weight * NICE_0_LOAD) / 100);
  }

  /** The weight of the group's entity on one CPU: its shares in proportion to its load there (Linux: `calc_group_shares`). */
  weightOn(queue: GroupQueue): number {
    this.load += queue.load - queue.counted;
    queue.counted = queue.load;
    if (this.load === 0) return this.shares;
    return Math.max(MIN_SHARES, Math.min(this.shares, Math.round((this.shares * queue.load) / this.load)));
  }
}
