/**
 * The value that a share of the others are not above. Of slices of a run the second percentile is what the work takes on this
 * computer: what else it does only ever adds, so means move by ten times on a busy one, and this by 3 percent.
 * @param share 0 .. 1
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
