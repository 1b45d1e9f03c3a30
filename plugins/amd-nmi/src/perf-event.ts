/** A sampling event of one task (Linux: `struct perf_event` with a task context). */
export class PerfEvent {
  /** Reference cycles between two samples. */
  readonly period: number;
  /** Reference cycles until the next overflow. */
  left: number;

  constructor(period: number) {
    this.period = period;
    this.left = period;
  }
}

/** What happened to the overflows of a run. Every overflow ends up in exactly one of `samples` and `lost`. */
export class SampleTally {
  /** Samples recorded, by the name of the task that ran. */
  readonly samples: Map<string, number> = new Map();
  /** Overflows that no sample was recorded for: the event was taken off the counter before its NMI was handled. */
  lost = 0;
  /** NMIs for which the handler found no counter, and that it claimed because it had handled one shortly before. */
  late = 0;
  /** NMIs that nobody claimed and that patch 32 drops silently. */
  dropped = 0;
  /** NMIs that nobody claimed: reported as unknown. */
  unknown = 0;
  /** Lazy switches within the entry of an NMI. */
  switches = 0;
  /** Microseconds spent waiting for an overflow to be handled that could not be. */
  waitedUs = 0;

  get recorded(): number {
    let sum = 0;
    for (const count of this.samples.values()) sum += count;
    return sum;
  }

  /** NMIs that came while the profiler ran. */
  nmis = 0;
}
