import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { groups } from '../../scripts/mutants/list.ts';
import { type Group, isThere, locate, type Mutant, root, testFiles } from '../../scripts/mutants/mutant.ts';
import { heading, markdown, type Result, summary, wrong } from '../../scripts/mutants/report.ts';
import { membersIn } from './outside-project.ts';

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

  it('are many: of every package, plugin and application, and no line twice', () => {
    expect(groups.map((group) => group.package).sort()).toEqual(membersIn('packages', 'plugins', 'apps'));
    expect(mutants.length).toBeGreaterThanOrEqual(150);
    expect(groups.every(({ mutants: own }) => own.length >= 5)).toBe(true);
    expect(new Set(mutants.map(({ group, mutant }) => `${group.package} ${mutant.in} ${mutant.text}`)).size).toBe(mutants.length);
  });
});

describe('the page of the last complete run', () => {
  const page = readFileSync(new URL('../mutants.md', import.meta.url), 'utf8');
  const lines = page.split('\n');
  const named = (group: Group, mutant: Mutant): string => {
    const { file } = locate(group, mutant);
    return heading({ ...mutant, file: file.slice(root.length) });
  };

  it('says that 90 % are killed', () => {
    expect(Number(/that is ([\d.]+) %/.exec(page)?.[1])).toBeGreaterThanOrEqual(90);
  });

  it('has as survivors those that state why, and no others', () => {
    const stated = mutants.flatMap(({ group, mutant }) =>
      mutant.survives === undefined ? [] : [`${named(group, mutant)} ${mutant.survives}.`],
    );
    const survived = lines.slice(
      lines.indexOf('## Survivors'),
      lines.findIndex((line) => line.startsWith('## Killed')),
    );
    expect(survived.filter((line) => line.startsWith('* '))).toEqual(stated);
  });

  it('is not long ago: all but one in twenty of the mutants are in it; else run `pnpm mutants --markdown docs/mutants.md` once more', () => {
    const missing = mutants.map(({ group, mutant }) => named(group, mutant)).filter((name) => !lines.some((line) => line.startsWith(name)));
    expect(missing.slice(mutants.length / 20)).toEqual([]);
  });
});

describe('the report of a run', () => {
  const result = (parts: Partial<Result>): Result => ({
    package: 'packages/a',
    kind: 'bound',
    file: 'packages/a/src/a.ts',
    line: 1,
    text: 'x < 1',
    mutated: 'x <= 1',
    outcome: 'killed',
    by: 'a test',
    survives: undefined,
    seconds: 1,
    ...parts,
  });
  const excused = result({ outcome: 'survived', survives: 'only a short cut' });
  const results = [result({}), result({ package: 'packages/b', outcome: 'out of time' }), excused];

  it('counts what is killed, and gives the reason of what is not', () => {
    const page = markdown(results, '0123456789ab');
    expect(page).toContain('of commit 0123456789ab: of 3 mutants 2 were killed (1 by the time limit),\nthat is 66.7 %, and 1 survived.');
    expect(page).toContain('| packages/a | 2 | 1 | 50.0 % |\n| packages/b | 1 | 1 | 100.0 % |\n| all | 3 | 2 | 66.7 % |');
    expect(page).toContain('* `packages/a/src/a.ts`: `x < 1` as `x <= 1`. only a short cut.');
    expect(page).toContain('### packages/b\n\n* `packages/a/src/a.ts`: `x < 1` as `x <= 1`. The time limit.');
    expect(summary(results)).toContain('3 mutants: 2 killed (1 by the time limit), 1 survived; 66.7 % killed');
  });

  it('calls wrong what survives without a reason, is killed in spite of one, or is not run as it should', () => {
    expect(results.filter(wrong)).toEqual([]);
    const mistaken = [result({ outcome: 'survived' }), result({ survives: 'a reason' }), result({ outcome: 'broken' })];
    expect(mistaken.every(wrong)).toBe(true);
    expect(summary(mistaken)).toContain('NO REASON STATED');
  });
});
