/**
 * What can happen next at a point of a run. Numbers, so that a schedule is a list of small integers:
 * 0 .. n-1 the next step of a CPU; n the next event of the machine (an interrupt arrives, a timer is due);
 * n+1 .. 2n a tick on a CPU; 2n+1 .. 3n an NMI on a CPU, where n is the number of CPUs.
 * @public for searches of your own
 */
export const Choice = {
  event: (cpus: number): number => cpus,
  tick: (cpus: number, cpu: number): number => cpus + 1 + cpu,
  nmi: (cpus: number, cpu: number): number => 2 * cpus + 1 + cpu,
} as const;

/** What a choice means, in words. */
export function describeChoice(choice: number, cpus: number): string {
  if (choice < cpus) return `CPU ${choice} steps`;
  if (choice === cpus) return 'the next event';
  if (choice <= 2 * cpus) return `a tick on CPU ${choice - cpus - 1}`;
  return `an NMI on CPU ${choice - 2 * cpus - 1}`;
}

/** A CPU that goes on for so many steps while others could is held up: something is being waited for. */
export const PATIENCE = 3000;
