import { availableParallelism, cpus, loadavg, release, type } from 'node:os';

/** The computer that was measured on. */
export interface Computer {
  readonly cpu: string;
  /** CPUs that this process may use. */
  readonly count: number;
  readonly kernel: string;
  readonly node: string;
  /** Processes that wanted to run, on the average of the last minute. */
  readonly load: number;
}

export function thisComputer(): Computer {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'an unknown CPU',
    count: availableParallelism(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    load: loadavg()[0] as number,
  };
}

/** In one sentence. @param after the same computer, when the measurement was over */
export function computerText({ cpu, count, kernel, node, load }: Computer, after: Computer): string {
  return `Measured on ${cpu}, ${count} of its CPUs, ${kernel}, Node ${node}, at a load of ${load.toFixed(1)} before and ${after.load.toFixed(1)} after.`;
}
