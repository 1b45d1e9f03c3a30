import type { RunQueues } from './run-queue.js';
import { type Task, TaskState } from './task.js';

const BUCKETS = 48;

/** Counts of durations by powers of two of nanoseconds: bucket i holds 2^(i-1) .. 2^i - 1, bucket 0 holds 0. @public for meters */
export class LatencyHistogram {
  readonly counts: Float64Array = new Float64Array(BUCKETS);
  count = 0;
  /** Sum and maximum, ns. */
  total = 0;
  max = 0;

  add(ns: number): void {
    const bucket = ns < 1 ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(ns)) + 1);
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.count++;
    this.total += ns;
    if (ns > this.max) this.max = ns;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.total / this.count;
  }

  /** Upper bound of the bucket in which the given fraction (0 .. 1) of all durations is reached, ns; 0 without any. */
  quantile(fraction: number): number {
    let left = Math.max(1, Math.ceil(fraction * this.count));
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.counts[i] as number;
      if (left <= 0) return i === 0 ? 0 : Math.min(2 ** i - 1, this.max);
    }
    return this.max;
  }
}

/** The scheduling history of one task (Linux: `sched_info`, schedstat). @public for meters */
export class TaskStatistics {
  /** How often it was put on a CPU. */
  timeslices = 0;
  /** Time spent runnable without running, ns. */
  runDelay = 0;
  /** From being woken to running. */
  readonly latency: LatencyHistogram = new LatencyHistogram();
  /** TSC cycles; -1 when it does not wait for a CPU. */
  waitingSince = -1;
  woken = false;
}

/** Statistics of all tasks from now on. It listens to events only: a scheduler without it pays nothing. @public for meters */
export class SchedStatistics {
  /** Wake-up latency of all tasks together. */
  readonly latency: LatencyHistogram = new LatencyHistogram();
  readonly #tasks: Map<Task, TaskStatistics> = new Map();
  readonly #undo: readonly (() => void)[];
  readonly #nsPerCycle: number;

  constructor({ events, platform }: Pick<RunQueues, 'events' | 'platform'>) {
    this.#nsPerCycle = 1 / platform.costs.tscPerNs;
    this.#undo = [
      events.wakeUp.on('statistics', (_cpu, time, task) => this.#woken(time, task)),
      events.contextSwitch.on('statistics', (_cpu, time, prev, next) => this.#switched(time, prev, next)),
    ];
  }

  of(task: Task): TaskStatistics {
    let statistics = this.#tasks.get(task);
    if (statistics === undefined) {
      statistics = new TaskStatistics();
      this.#tasks.set(task, statistics);
    }
    return statistics;
  }

  /** Stops listening. What was collected stays. */
  stop(): void {
    for (const undo of this.#undo) undo();
  }

  #woken(time: number, task: Task): void {
    const statistics = this.of(task);
    if (statistics.waitingSince >= 0 || task.onCpu) return;
    statistics.waitingSince = time;
    statistics.woken = true;
  }

  #switched(time: number, prev: Task, next: Task): void {
    if (prev.pid !== 0 && prev.onRq && prev.state === TaskState.RUNNING) {
      const preempted = this.of(prev);
      preempted.waitingSince = time;
      preempted.woken = false;
    }
    if (next.pid === 0) return;
    const statistics = this.of(next);
    statistics.timeslices++;
    if (statistics.waitingSince < 0) return;
    // Two CPUs' clocks may be apart by less than a step.
    const waited = Math.max(0, time - statistics.waitingSince) * this.#nsPerCycle;
    statistics.waitingSince = -1;
    statistics.runDelay += waited;
    if (!statistics.woken) return;
    statistics.latency.add(waited);
    this.latency.add(waited);
  }
}
