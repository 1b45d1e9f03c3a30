import { type Cpu, defaultProfile, instructionsOf } from '@rpal/hw-x86';

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
    cpu.ownLedger.entries.map(({ step, count }) => [step.name.replace(/^.*:/, ''), count * instructionsOf(step, defaultProfile)[1]]),
  );
}
