import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type QuirkName, quirkNames } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { type Defect, decodeRecording, defects, encodeRecording, Run, scenarioNamed, scenarios } from '../src/index.js';
import { complete } from '../src/search/complete.js';

const page = readFileSync(fileURLToPath(new URL('../docs/findings.md', import.meta.url)), 'utf8');

/** The table of single defects: what is seen, and in which orders. */
const rows = new Map(
  page
    .split('\n')
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').replaceAll('`', '')))
    .filter(([name = '', , orders]) => orders !== undefined && defects.some((defect) => defect.name === name))
    .map(([name, what, orders]) => [name, { what, orders }]),
);

/** Runs of a situation at most, where it has more orders. */
const LIMIT = 20;

/** What comes out of a situation, order by order: `null` where all is well. */
function outcomes(
  defect: Defect,
  repair: readonly QuirkName[],
): { readonly seen: ReadonlyMap<string | null, number>; readonly all: boolean; readonly runs: number } {
  const seen = new Map<string | null, number>();
  for (const { failure, over, runs } of complete(defect, { repair })) {
    const what = failure?.failure ?? null;
    seen.set(what, (seen.get(what) ?? 0) + 1);
    if (over || runs === (defect.inSomeOrders ? 5 * LIMIT : LIMIT)) return { seen, all: over, runs };
  }
  throw new Error('a search without an end has ended');
}

/** What must be repaired for it to show. */
const behind = (defect: Defect): readonly QuirkName[] => (defect.behind === undefined ? [] : [defect.behind]);

/** In which orders the defect shows. */
function ordersText({ seen, all, runs }: ReturnType<typeof outcomes>): string {
  if (seen.has(null)) return 'some';
  return all ? 'every one' : `each of ${runs}`;
}

describe.each(defects.map((defect) => [defect.name, defect] as const))('%s', (name, defect) => {
  it(`shows as written in ${defect.inSomeOrders ? 'some orders' : 'every order that is run'}, as the page says`, () => {
    const written = outcomes(defect, behind(defect));
    const [what, ...others] = [...written.seen.keys()].filter((outcome) => outcome !== null);
    expect(what, ordersText(written)).toBe(rows.get(name)?.what);
    expect(ordersText(written)).toBe(rows.get(name)?.orders);
    if (!defect.inSomeOrders) expect([others, written.seen.has(null)]).toEqual([[], false]);
  });

  it('does not show once it alone is repaired', () => {
    const { seen } = outcomes(defect, [name, ...behind(defect)]);
    if (defect.endsInBug) expect([...seen.keys()].join()).not.toContain(rows.get(name)?.what);
    else expect([...seen.keys()]).toEqual([null]);
  });
});

/** Defects that other scenarios have, or none has: why. */
const elsewhere: Partial<Record<QuirkName, string>> = {
  'lock-order-inverted': 'enable-against-shared-pages',
  'fs-base-before-record': 'entry-against-registration',
  'lazy-switch-unchecked': 'entry-against-registration',
  'receiver-ends-before-return': 'exit-in-call',
  'unregister-in-call': 'registering-in-call',
  'sender-id-unchecked': 'renamed-in-call',
  'cpu-lock-fails': 'offline-against-call',
  'offline-unblocked': 'offline-against-call',
  'wake-up-not-rechecked': 'signal-against-wake-up',
  'wait-in-call-hides-switch': 'two-callees',
};

describe('the page', () => {
  it('has a row for each situation of a single defect', () => {
    expect([...rows.keys()]).toEqual(defects.map(({ name }) => name));
  });

  it.each(Object.entries(elsewhere))('shows %s in %s', (quirk, scenario) => {
    expect(scenarios.map(({ name }) => name)).toContain(scenario);
    expect(page).toMatch(new RegExp(`^\\| \`${scenario}\` \\|.*\`${quirk}\``, 'm'));
  });

  it('says of each other defect of the series why it has no situation', () => {
    const shown = new Set<string>([...defects.map(({ name }) => name), ...Object.keys(elsewhere)]);
    const [, told = ''] = page.split('### Without a situation');
    for (const name of quirkNames) if (!shown.has(name)) expect(told.split('\n## ')[0]).toContain(`\`${name}\``);
  });
});

it('a situation of a defect can be recorded, and is found by its name', () => {
  const scenario = scenarioNamed('foreign-bits-hang');
  const recording = decodeRecording(encodeRecording({ scenario, repair: [], without: [], deviations: [] }));
  expect(new Run(recording.scenario, {}).execute({ choose: (_enabled, usual) => usual }).failure).toMatch(/hard lockup, patch 15/);
});
