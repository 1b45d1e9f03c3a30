import { stream } from '../../../../scripts/testing/draw.ts';
import { lineOf, randomCase } from './edge-cases.js';
import { isListed } from './edge-listed.js';
import { compareEdges, RealEdges } from './edge-real.js';

/**
 * The calls of one seed, on both sides.
 * @param sources the directory with `edges.c`, if this module is not in it
 * @returns what differs and is not listed, or why the comparison cannot be made here
 */
export async function compareSeed(seed: number, calls: number, sources?: string): Promise<string[] | string> {
  const real = new RealEdges(sources);
  try {
    if (real.missing !== null) return real.missing;
    const draw = stream(seed);
    const cases = Array.from({ length: calls }, () => randomCase(draw, 1));
    const differences = (await compareEdges(real, cases)).filter(({ case: made, at }) => !isListed(made, at));
    return differences.map(({ case: made, model, real: observed }) => `${lineOf(made)}: model ${model}, Linux ${observed}`);
  } finally {
    real.dispose();
  }
}
