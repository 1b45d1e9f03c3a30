import { expect, it, vi } from 'vitest';
import type { TestModule, Vitest } from 'vitest/node';
import SkippedTests from '../../scripts/testing/skipped.ts';

/** A file of tests of which these were skipped. */
const file = (...tests: readonly { fullName: string; note?: string }[]): TestModule =>
  ({
    project: { name: 'mm' },
    relativeModuleId: 'test/a.test.ts',
    children: { allTests: () => tests.map(({ fullName, note }) => ({ fullName, result: () => ({ state: 'skipped', note }) })) },
  }) as unknown as TestModule;

it.each([
  ['every test that was skipped is named at the end, with the reason', undefined, 2],
  ['nothing is said where somebody asked for certain tests', /one/, 0],
] as const)('%s', (_what, testNamePattern, lines) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const reporter = new SkippedTests();
  reporter.onInit({ config: { testNamePattern } } as unknown as Vitest);
  reporter.onTestRunEnd(
    [file({ fullName: 'a > b', note: 'there is no cc' }, { fullName: 'c', note: 'there is no cc' }), file({ fullName: 'd' })],
    [],
    'passed',
  );
  const said = log.mock.calls.map(([text]) => text);
  log.mockRestore();
  expect(said).toEqual(
    [
      '2 skipped, as there is no cc:\n  mm: test/a.test.ts: a > b\n  mm: test/a.test.ts: c',
      '1 skipped, as what its file asks for is not there:\n  mm: test/a.test.ts: d',
    ].slice(0, lines),
  );
});
