import { afterAll, describe, expect, it } from 'vitest';
import { difference, RealFiles } from './real/compare.js';
import { randomProgram } from './real/file-program.js';

/** Programs of so many calls each; more with the environment variable RPAL_DIFFERENTIAL_PROGRAMS. */
const PROGRAMS = Number(process.env.RPAL_DIFFERENTIAL_PROGRAMS ?? 60);
const FIRST_SEED = Number(process.env.RPAL_DIFFERENTIAL_SEED ?? 1);
const CALLS = 120;

const real = new RealFiles();
afterAll(() => real.dispose());

describe('random programs over a tree of files', () => {
  it('get the same answers from the model as from tmpfs of the Linux at hand, call by call', { timeout: 7_200_000 }, ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const programs = Array.from({ length: PROGRAMS }, (_, i) => randomProgram(FIRST_SEED + i, CALLS));
    const observed = real.answers(programs);
    const differences = programs.flatMap((lines, i) => {
      const found = difference(real, lines, observed[i] as string[]);
      return found === null ? [] : [`seed ${FIRST_SEED + i}:\n${found}`];
    });
    expect(differences.join('\n\n')).toBe('');
  });
});
