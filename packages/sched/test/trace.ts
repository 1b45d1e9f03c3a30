import type { Simulation } from '@rpal/sched';

/** Who ran from when to when: one entry per stretch on a CPU, times in microseconds since `since`, idle left out. */
export interface Stretch {
  readonly cpu: number;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Records what runs where. Call the result to read what has been recorded so far. */
export function record(sim: Simulation): () => readonly Stretch[] {
  const stretches: Stretch[] = [];
  const start = sim.platform.now;
  const since = new Map<number, number>();
  const micro = (time: number): number => (time - start) / sim.platform.costs.tscPerNs / 1000;
  sim.scheduler.events.contextSwitch.on('test', (cpu, time, prev) => {
    if (prev.pid !== 0) stretches.push({ cpu, name: prev.name, from: micro(since.get(cpu) ?? start), to: micro(time) });
    since.set(cpu, time);
  });
  return () => stretches;
}

/** The names in the order in which they ran, repetitions left out. */
export function order(stretches: readonly Stretch[]): string[] {
  return stretches.map(({ name }) => name).filter((name, i, all) => name !== all[i - 1]);
}
