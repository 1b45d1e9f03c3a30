import { afterAll, describe, expect, it } from 'vitest';
import { stream } from '../../../scripts/testing/draw.ts';
import { lineOf, randomCase } from './real/edge-cases.js';
import { isListed } from './real/edge-listed.js';
import { compareEdges, RealEdges } from './real/edge-real.js';

/** Calls that are compared; more, or fewer, with the environment variable RPAL_EDGE_CALLS, others with RPAL_EDGE_SEED. */
const CALLS = Number(process.env.RPAL_EDGE_CALLS ?? 20_000);
const SEED = Number(process.env.RPAL_EDGE_SEED ?? 1);

const real = new RealEdges();
afterAll(() => real.dispose());

describe('system calls with odd registers', () => {
  it('get the same answers from the model as from the Linux at hand, but for what is listed', { timeout: 7_200_000 }, async ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const draw = stream(SEED);
    const cases = Array.from({ length: CALLS }, () => randomCase(draw, 1));
    const differences = (await compareEdges(real, cases)).filter(({ case: made, at }) => !isListed(made, at));
    console.log(`${CALLS} calls with odd registers compared with the real kernel`);
    expect(differences.map(({ case: made, model, real: observed }) => `${lineOf(made)}: model ${model}, Linux ${observed}`)).toEqual([]);
  });
});
