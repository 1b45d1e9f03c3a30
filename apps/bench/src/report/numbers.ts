/** 12,938 */
export function whole(value: number): string {
  return Math.trunc(value).toLocaleString('en-US');
}

/** 12,938.8 */
export function tenths(value: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** 37.5 % */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/**
 * Rounds values to tenths so that they add up to their sum, rounded: each goes down, and those that lost most get a tenth
 * back.
 */
export function tenthsThatAddUp(values: readonly number[]): number[] {
  const sum = values.reduce((total, value) => total + value, 0);
  const units = values.map((value) => Math.floor(10 * value));
  let missing = Math.round(10 * sum) - units.reduce((total, value) => total + value, 0);
  const losers = values.map((value, index) => ({ index, lost: 10 * value - (units[index] as number) }));
  losers.sort((a, b) => b.lost - a.lost || a.index - b.index);
  for (const { index } of losers) {
    if (missing-- <= 0) break;
    units[index] = (units[index] as number) + 1;
  }
  return units.map((value) => value / 10);
}
