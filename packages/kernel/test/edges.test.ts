import { describe, expect, it } from 'vitest';
import { compareSeed } from './real/edge-run.js';

/** Calls that are drawn; more, or fewer, with the environment variable RPAL_EDGE_CALLS, others with RPAL_EDGE_SEED. */
const CALLS = Number(process.env.RPAL_EDGE_CALLS ?? 20_000);
const SEED = Number(process.env.RPAL_EDGE_SEED ?? 1);

describe('system calls with odd registers', () => {
  it('get the same answers from the model as from the Linux at hand, but for what is listed', { timeout: 7_200_000 }, async ({ skip }) => {
    const comparison = await compareSeed(SEED, CALLS);
    if (typeof comparison === 'string') return skip(comparison);
    const { calls, listed, differences } = comparison;
    console.log(`${calls} calls with odd registers compared with the real kernel, and ${listed} that are known to differ made`);
    expect(differences).toEqual([]);
  });
});
