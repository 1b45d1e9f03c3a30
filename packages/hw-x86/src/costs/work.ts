import { hasPart, type KernelPart } from './kernel.js';
import type { CpuProfile } from './profile.js';
import { type AddedWork, type Step, spread, type Work } from './step.js';

/** What mitigations add to a way from user mode into the kernel. */
export const ENTERING: AddedWork = {
  pti: { instructions: 4, events: { cr3Write: 1 } },
  ibrs: { events: { wrmsr: 1 } },
};

/** What they add to a way back. */
export const LEAVING: AddedWork = { ...ENTERING, clearBuffers: { events: { verw: 1 } } };

/** Whether the kernel of a profile executes a step at all. */
export function isExecuted({ only }: Step, profile: CpuProfile): boolean {
  return only === undefined || hasPart(profile, only);
}

/** What a step executes on the kernel of a profile: its own work, and what parts of the kernel add. Nothing, if it belongs to one that is absent. */
export function workOf(step: Step, profile: CpuProfile): readonly Work[] {
  if (!isExecuted(step, profile)) return [];
  const { also = {} } = step;
  const instructions = profile.kernel.instructions?.[step.name];
  const added = Object.keys(also).filter((part) => hasPart(profile, part as KernelPart));
  return [instructions === undefined ? step : { ...step, instructions }, ...added.map((part) => also[part as KernelPart] as Work)];
}

/** Instructions that a step executes on the kernel of a profile: low, central and high. */
export function instructionsOf(step: Step, profile: CpuProfile): readonly [low: number, central: number, high: number] {
  const ranges = workOf(step, profile).map(({ instructions = 0 }) => spread(instructions));
  const sum = (at: 0 | 1 | 2): number => ranges.reduce((total, range) => total + range[at], 0);
  return [sum(0), sum(1), sum(2)];
}
