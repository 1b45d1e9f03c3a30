/** Where runs with several seeds begin. */
export const FIRST_SEED = 1;

/** What came of each of so many seeds, in their order. */
export function overSeeds<Run>(seeds: number, run: (seed: number) => Run): readonly Run[] {
  return Array.from({ length: seeds }, (_, index) => run(FIRST_SEED + index));
}

/** Of runs in the order of their times: the one that as many are above as below, or just below that. @param sorted one at least */
export function middleOf<Run>(sorted: readonly Run[]): Run {
  return sorted[Math.floor((sorted.length - 1) / 2)] as Run;
}
