/**
 * The value that a share of the others do not exceed. The second percentile of slices of a run is what the work takes on this computer:
 * other work only ever adds, so on a busy computer means move by ten times, and this by 3 percent.
 * @param share 0 .. 1
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
