import { LinuxCall as Nr, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { edgeCase } from './real/edge-cases.js';
import { B, PAGE, S, T } from './real/edge-memory.js';
import { EdgeModel } from './real/edge-model.js';
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

  it('leave nothing behind in the frame of memory after the one that they store at the end of', () => {
    const model = new EdgeModel();
    const rusage = edgeCase([Nr.getrusage, 0, B + PAGE - 6], [Nr.shmctl, 'v5', 2, B + PAGE - 6]);
    for (let i = 0; i < 20; i++) expect(model.execute(rusage)).toMatch(/^0 0 0 0 $/);
    // What comes afterwards finds its page tables as they were.
    expect(model.execute(edgeCase([Nr.kill, 'v1', Signal.KILL], [Nr.getppid]))).toMatch(/^0 [0-9a-f]+ \d+ [0-9a-f]+ $/);
  });

  it('do not take a task away from a CPU that is about to run it', () => {
    const two = T + 2744;
    const made = edgeCase(
      [Nr.futex_wake, B + 4090, 65, -(2 ** 31), 3],
      [Nr.sched_setaffinity, 'v1', -1, two],
      [Nr.clock_getres, 9, S],
      [Nr.exit, -1],
    );
    expect(new EdgeModel().execute(made)).toMatch(/exit 255$/);
  });
});
