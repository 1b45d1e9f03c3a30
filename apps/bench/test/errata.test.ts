import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type QuirkName, quirkNames, rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { type Placement, runRfcBenchmark } from '../src/rfc-benchmark.js';

const file = fileURLToPath(new URL('../../../packages/rpal-core/docs/differences.md', import.meta.url));
const page = readFileSync(file, 'utf8');
const END = '## What is still different';

const PLACEMENTS: Readonly<Record<Placement, string>> = {
  'same-cpu': 'on one CPU',
  'same-socket': 'on a socket',
  'cross-socket': 'on two',
};
const placements = Object.keys(PLACEMENTS) as Placement[];

/** What 300 messages of the RPAL phase come to. */
function measure(placement: Placement, repair: readonly QuirkName[]) {
  const run = runRfcBenchmark({ machine: { plugins: [rpal({ repair })] }, placement, messages: 300, size: 32, phases: ['rpal'] });
  const [phase] = run.phases;
  if (phase === undefined) throw new Error('the benchmark has no RPAL phase');
  const steps = [phase.forward, phase.back].map(({ entries }) => entries.map(({ step, cycles }) => [step.name, cycles]));
  return { cycles: phase.totalCycles, steps: JSON.stringify(steps), fingerprint: run.fingerprint };
}

const written = placements.map((placement) => measure(placement, []));

/** What repairing a defect does to the benchmark: to its messages, or to what is outside of them. */
function effectOf(repair: readonly QuirkName[]): string {
  const repaired = placements.map((placement) => measure(placement, repair));
  const moved = placements.flatMap((placement, i) => {
    const [a, b] = [written[i], repaired[i]] as const;
    if (a === undefined || b === undefined || a.steps === b.steps) return [];
    return `${b.cycles >= a.cycles ? '+' : '-'}${Math.abs(b.cycles - a.cycles)} of ${a.cycles} cycles ${PLACEMENTS[placement]}`;
  });
  if (moved.length > 0) return `300 messages: ${moved.join(', ')}`;
  return repaired.every(({ fingerprint }, i) => fingerprint === written[i]?.fingerprint) ? 'none' : 'fingerprint';
}

/** The page with the effect of every defect as it is now. What stands behind a colon in a cell is somebody's words, and stays. */
function renewed(): string {
  const [first, ...rest] = page.split(END);
  const lines = (first as string).split('\n').map((line) => {
    const cells = line.split(' | ');
    const names = [...(cells[3] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name as QuirkName);
    if (!/^\| \d\d/.test(line) || names.length === 0) return line;
    expect(quirkNames).toEqual(expect.arrayContaining(names));
    const [, reason = ''] = /^(?:none|fingerprint)(:.*) \|$/.exec(cells.at(-1) as string) ?? [];
    return [...cells.slice(0, -1), `${effectOf(names)}${reason} |`].join(' | ');
  });
  return [lines.join('\n'), ...rest].join(END);
}

describe('the table of errata', () => {
  it('says of each defect what its repair does to the benchmark', async () => {
    await expect(renewed()).toMatchFileSnapshot(file, 'stale: run `vitest run --project bench errata --update` and commit');
  });
});
