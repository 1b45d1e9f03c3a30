import { afterAll, describe, expect, it } from 'vitest';
import { compare, compareProgram } from './real/differential.js';
import { pinned } from './real/pinned-programs.js';
import { RealKernel } from './real/real-kernel.js';

/** Programs of so many calls each; more with the environment variable RPAL_DIFFERENTIAL_PROGRAMS. */
const PROGRAMS = Number(process.env.RPAL_DIFFERENTIAL_PROGRAMS ?? 450);
const FIRST_SEED = Number(process.env.RPAL_DIFFERENTIAL_SEED ?? 1);
const CALLS = 100;
const BATCH = 50;

const real = new RealKernel();
afterAll(() => real.dispose());

describe('random programs of up to four processes', () => {
  it('get the same answers from the model as from the Linux at hand, call by call', { timeout: 7_200_000 }, async ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    let calls = 0;
    let races = 0;
    let collections = 0;
    const differences: string[] = [];
    for (let program = 0; program < PROGRAMS; program += BATCH) {
      const seeds = Array.from({ length: Math.min(BATCH, PROGRAMS - program) }, (_, i) => FIRST_SEED + program + i);
      const result = await compare(real, seeds, CALLS);
      calls += result.calls;
      races += result.races;
      collections += result.collections;
      differences.push(...result.differences.map(({ seed, report }) => `seed ${seed}:\n${report}`));
    }
    console.log(
      `${calls} calls compared with the real kernel; ${races} races followed, ${collections} collections of sockets that nobody could receive`,
    );
    expect(differences.join('\n\n')).toBe('');
  });
});

describe('programs on which the two once disagreed', () => {
  it.for(Object.entries(pinned))('%s', { timeout: 60_000 }, async ([, calls], { skip }) => {
    if (real.missing !== null) skip(real.missing);
    expect(await compareProgram(real, calls)).toBe('');
  });
});
