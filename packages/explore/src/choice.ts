/**
 * What can happen next at a point of a run. Numbers, so that a schedule is a list of small integers:
 * 0 .. n-1 the next step of a CPU; n the next event of the machine (an interrupt arrives, a timer is due);
 * n+1 .. 2n a tick on a CPU; 2n+1 .. 3n an NMI on a CPU, where n is the number of CPUs.
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

/**
 * A schedule as text: choices in base 36, repetitions as `choice*count` - what a failure prints and a replay takes.
 */
export function encodeSchedule(schedule: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < schedule.length; ) {
    const choice = schedule[i] as number;
    let end = i;
    while (schedule[end] === choice) end++;
    parts.push(end - i === 1 ? choice.toString(36) : `${choice.toString(36)}*${end - i}`);
    i = end;
  }
  return parts.join('.');
}

/** @throws RangeError for text that is no schedule */
export function decodeSchedule(text: string): number[] {
  const schedule: number[] = [];
  if (text === '') return schedule;
  for (const part of text.split('.')) {
    const match = /^([0-9a-z]+)(?:\*([1-9][0-9]*))?$/.exec(part);
    if (match === null) throw new RangeError(`schedule: "${part}" is not a choice, or a choice and how often, such as "1*12"`);
    const choice = Number.parseInt(match[1] as string, 36);
    for (let i = Number(match[2] ?? 1); i > 0; i--) schedule.push(choice);
  }
  return schedule;
}
