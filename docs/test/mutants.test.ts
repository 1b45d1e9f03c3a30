import { describe, expect, it } from 'vitest';
import { groups } from '../../scripts/mutants/list.ts';
import { isThere, locate, testFiles } from '../../scripts/mutants/mutant.ts';

const mutants = groups.flatMap((group) => group.mutants.map((mutant) => ({ group, mutant })));

describe('the mutants', () => {
  it('are of lines that are there, each in one place', () => {
    const problems: string[] = [];
    for (const { group, mutant } of mutants) {
      try {
        locate(group, mutant);
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    expect(problems).toEqual([]);
  });

  it('name tests that are there', () => {
    const missing = mutants.flatMap(({ group, mutant }) => testFiles(group, mutant)).filter((file) => !isThere(file));
    expect(missing).toEqual([]);
  });

  it('are many: of every package that decides something, and no line twice', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(150);
    expect(groups.every(({ mutants: own }) => own.length >= 5)).toBe(true);
    expect(new Set(mutants.map(({ group, mutant }) => `${group.package} ${mutant.in} ${mutant.text}`)).size).toBe(mutants.length);
  });
});
