/** `; did you mean "mmFault"?`, for the end of a message about an unknown name; empty if none of `names` is close. */
export function didYouMean(name: string, names: Iterable<string>): string {
  let nearest: string | null = null;
  // A name that differs in more than a third of its letters is another name.
  let least = Math.floor((name.length + 1) / 3) + 1;
  for (const candidate of names) {
    const away = distance(name.toLowerCase(), candidate.toLowerCase());
    if (away >= least) continue;
    least = away;
    nearest = candidate;
  }
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}

/** Letters to put in, leave out, exchange, or swap with their neighbour to get from `a` to `b` (Damerau-Levenshtein, restricted). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const exchange = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(exchange, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] as number;
}
