import type { Cpu } from '@rpal/hw-x86';
import { SchedError } from '../errors.js';
import type { GroupQueue, TaskGroup } from './task-group.js';

/** What a CPU takes from the group's pool at a time, ns (Linux: `sched_cfs_bandwidth_slice_us`). */
const SLICE = 5_000_000;

/** What a limit needs from the scheduler. */
export interface BandwidthHost {
  /** A timer that calls `expired` when it is due. */
  periodTimer(expired: (cpu: Cpu) => void): { start(cpu: Cpu, ns: number): void; stop(): void };
  /** `queue`, which was stopped, has run time again. */
  resume(cpu: Cpu, queue: GroupQueue): void;
}

/**
 * A limit on a group's CPU time: a quota in every period, over all CPUs (Linux: CFS bandwidth control). CPUs take slices from
 * a common pool; one that finds it empty stops running the group until the period timer has filled it again.
 */
export class Bandwidth {
  /** ns. */
  readonly quota: number;
  readonly period: number;
  /** Periods that have passed while the group had something to run; those in which it was stopped somewhere. */
  periods = 0;
  throttledPeriods = 0;
  #pool = 0;
  #active = false;
  #used = false;
  #wasThrottled = false;
  readonly #waiting: GroupQueue[] = [];
  readonly #host: BandwidthHost;
  readonly #cpu: Cpu;
  readonly #timer: ReturnType<BandwidthHost['periodTimer']>;

  /**
   * cpu.max of the control group: `quota` nanoseconds of CPU time in every `period` nanoseconds, over all CPUs together. Queues that an
   * earlier limit has stopped go on, and nobody owes anything (Linux: `tg_set_cfs_bandwidth`).
   * @param cpu the CPU that sets it: it will serve the period timer
   * @param quota Infinity: no limit
   * @throws SchedError INVALID_ARGUMENT below 1 ms, or for a period above 1 s (as Linux)
   */
  static limit(group: TaskGroup, cpu: Cpu, quota: number, period = 100_000_000): void {
    if (!(quota >= 1e6 && period >= 1e6 && period <= 1e9)) {
      throw new SchedError('INVALID_ARGUMENT', `quota ${quota} ns in ${period} ns: both must be at least 1 ms, and the period at most 1 s`);
    }
    const { host, queues, bandwidth } = group;
    const stopped = bandwidth === null ? [] : bandwidth.#end();
    group.bandwidth = quota === Number.POSITIVE_INFINITY ? null : new Bandwidth(host, cpu, quota, period);
    for (const queue of queues) queue.runtimeLeft = 0;
    for (const queue of stopped) host.resume(cpu, queue);
  }

  private constructor(host: BandwidthHost, cpu: Cpu, quota: number, period: number) {
    this.#host = host;
    this.#cpu = cpu;
    this.quota = quota;
    this.period = period;
    this.#timer = host.periodTimer((on) => this.#refill(on));
  }

  /** `queue` has run for `ns`. @returns true if it must stop */
  charge(queue: GroupQueue, ns: number): boolean {
    queue.runtimeLeft -= ns;
    return this.exhausted(queue);
  }

  /** True if `queue` has no run time left and the pool has none for it. */
  exhausted(queue: GroupQueue): boolean {
    if (queue.runtimeLeft > 0) return false;
    this.#begin();
    this.#used = true;
    const part = Math.min(SLICE - queue.runtimeLeft, this.#pool);
    this.#pool -= part;
    queue.runtimeLeft += part;
    return queue.runtimeLeft <= 0;
  }

  /** `queue` has been stopped. */
  throttled(queue: GroupQueue): void {
    this.#wasThrottled = true;
    this.#waiting.push(queue);
  }

  /** `queue` goes on before the period is over. */
  released(queue: GroupQueue): void {
    const at = this.#waiting.indexOf(queue);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** It limits nobody any more. @returns the queues that it has stopped */
  #end(): readonly GroupQueue[] {
    this.#timer.stop();
    this.#active = false;
    return this.#waiting.splice(0);
  }

  #begin(): void {
    if (this.#active) return;
    this.#active = true;
    this.#pool = this.quota;
    this.#timer.start(this.#cpu, this.period);
  }

  /** The period is over. */
  #refill(cpu: Cpu): void {
    if (!this.#used && this.#waiting.length === 0) {
      this.#active = false;
      return;
    }
    this.periods++;
    if (this.#wasThrottled) this.throttledPeriods++;
    this.#wasThrottled = false;
    this.#used = false;
    this.#pool = this.quota;
    this.#timer.start(cpu, this.period);
    const waiting = this.#waiting.splice(0);
    for (const queue of waiting) {
      // It first pays what it owes, and gets one nanosecond to go on with.
      const part = Math.min(1 - queue.runtimeLeft, this.#pool);
      this.#pool -= part;
      queue.runtimeLeft += part;
      if (queue.runtimeLeft <= 0) this.throttled(queue);
      else this.#host.resume(cpu, queue);
    }
  }
}
