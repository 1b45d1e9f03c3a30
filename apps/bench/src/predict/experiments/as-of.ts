import { type CpuProfile, parseProfile } from '@rpal/hw-x86';

/** Features that the kernel whose instructions were counted has, and a kernel of another time or configuration lacks. */
const ABSENT = {
  /** Pressure-stall accounting: Linux 4.20, or psi=0. */
  pressure: ['@rpal/sched:wakePressure', '@rpal/sched:preemptPressure', '@rpal/sched:switchPressure'],
  /** Restartable sequences that the C library registers: glibc 2.35 (2022). */
  rseq: ['@rpal/sched:rseqFixup'],
} as const;

/** The profile on a kernel without them, and without the branch-history clearing of 2022 and later. */
export function asOf(profile: CpuProfile, absent: readonly (keyof typeof ABSENT)[]): CpuProfile {
  const nothing = { low: 0, central: 0, high: 0, status: 'derived', source: 'not yet there at the time of the measurement' } as const;
  const steps = Object.fromEntries(absent.flatMap((what) => ABSENT[what].map((step) => [step, nothing])));
  return parseProfile({ ...profile, steps: { ...profile.steps, ...steps }, costs: { ...profile.costs, bhbClear: nothing } });
}
