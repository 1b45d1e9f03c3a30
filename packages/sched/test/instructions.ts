import type { Cpu } from '@rpal/hw-x86';

/** Instructions of each step that `cpu` has executed since `before`, by the step's short name; central values. */
export function instructionsSince(cpu: Cpu, before: ReadonlyMap<string, number>): Map<string, number> {
  const result = new Map<string, number>();
  for (const [name, count] of instructions(cpu)) {
    const since = count - (before.get(name) ?? 0);
    if (since !== 0) result.set(name, since);
  }
  return result;
}

/** Instructions of each step that `cpu` has executed so far. */
export function instructions(cpu: Cpu): Map<string, number> {
  return new Map(
    cpu.ownLedger.entries.map(({ step, count }) => {
      const each = step.instructions ?? 0;
      return [step.name.replace(/^.*:/, ''), count * (typeof each === 'number' ? each : each[1])];
    }),
  );
}
