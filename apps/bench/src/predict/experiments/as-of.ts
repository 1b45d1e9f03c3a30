import { type CpuProfile, parseProfile } from '@rpal/hw-x86';

/** What the kernel that was counted has, and a kernel or C library of another time lacks: pressure accounting before 4.20, rseq before glibc 2.35. */
type Absent = 'pressure' | 'rseq';

/** The profile on a kernel without them, and without the branch-history clearing of 2022 and later. */
export function asOf(profile: CpuProfile, absent: readonly Absent[]): CpuProfile {
  const nothing = { low: 0, central: 0, high: 0, status: 'derived', source: 'not yet there at the time of the measurement' } as const;
  const kernel = { ...profile.kernel, ...Object.fromEntries(absent.map((what) => [what, false])) };
  return parseProfile({ ...profile, kernel, costs: { ...profile.costs, bhbClear: nothing } });
}
