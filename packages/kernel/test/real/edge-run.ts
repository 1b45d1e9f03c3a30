import { type Draw, stream } from '../../../../scripts/testing/draw.ts';
import { caseOf, type EdgeCall, type EdgeCase, lineOf, randomCall } from './edge-cases.js';
import { isListed } from './edge-listed.js';
import { compareEdges, RealEdges } from './edge-real.js';

/** Calls of a case, at most. */
const LENGTH = 8;

/** What a comparison has come to. */
export interface EdgeComparison {
  /** Calls whose outcome is the same on both sides, or must be: a case may end before its last one. */
  calls: number;
  /** Calls that are known to differ: they are made, and may come to anything. */
  listed: number;
  /** Others whose outcome differs: the case, and what each side says. */
  readonly differences: string[];
}

/**
 * The calls of one seed, on both sides.
 * @param drawn so many are drawn
 * @param sources the directory with `edges.c`, if this module is not in it
 * @returns what it has come to, or why the comparison cannot be made here
 */
export async function compareSeed(seed: number, drawn: number, sources?: string): Promise<EdgeComparison | string> {
  const real = new RealEdges(sources);
  try {
    if (real.missing !== null) return real.missing;
    const comparison: EdgeComparison = { calls: 0, listed: 0, differences: [] };
    for await (const { case: made, answered, difference } of compareEdges(real, randomCases(stream(seed), drawn))) {
      const { length } = made.calls;
      const isKnown = isListed(made.calls[length - 1] as EdgeCall, made.calls);
      if (difference !== null && !(isKnown && difference.at >= length - 1))
        comparison.differences.push(`${lineOf(made)}: call ${difference.at}, model ${difference.model}, Linux ${difference.real}`);
      const listed = isKnown && answered === length ? 1 : 0;
      comparison.listed += listed;
      comparison.calls += answered - listed;
    }
    return comparison;
  } finally {
    real.dispose();
  }
}

/** Cases of so many calls in all. One that is known to differ is the last of its case: it hides nothing of what comes behind it. */
function randomCases(draw: Draw, total: number): EdgeCase[] {
  const cases: EdgeCase[] = [];
  for (let drawn = 0; drawn < total; ) {
    const calls: EdgeCall[] = [];
    do calls.push(randomCall(draw));
    while (calls.length < Math.min(LENGTH, total - drawn) && !isListed(calls.at(-1) as EdgeCall, calls));
    cases.push(caseOf(calls));
    drawn += calls.length;
  }
  return cases;
}
