import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type QuirkName, quirkNames } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { Deviations, decodeRecording, Run, scenarios, survey } from '../src/index.js';

/** Rows of docs/findings.md: scenario, what is wrong, repair, schedule. */
const rows = readFileSync(fileURLToPath(new URL('../docs/findings.md', import.meta.url)), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .filter(
    ([, name, , quirk]) =>
      scenarios.some((scenario) => scenario.name === name) && (quirkNames as readonly string[]).includes(quirk?.split(', ')[0] ?? ''),
  )
  .map(([, name, what, quirk, schedule]) => ({ name, what, quirk: quirk ?? '', schedule: schedule ?? '' }));

describe('what the explorer has found in the series as written', () => {
  it('is listed', () => expect(rows.length).toBeGreaterThan(0));

  it.each(rows)('$name: $what, unless $quirk is repaired', ({ name, what, quirk, schedule }) => {
    const { scenario, repair, without, deviations } = decodeRecording(schedule);
    expect([scenario.name, without]).toEqual([name, []]);
    // A defect may show only once another one is repaired.
    const others = repair === 'all' ? [] : repair;
    const order = (): Deviations => new Deviations(deviations);
    expect(new Run(scenario, { repair: others }).execute(order()).failure).toBe(what);
    const repaired = [...others, ...(quirk.split(', ') as QuirkName[])];
    expect(new Run(scenario, { repair: repaired }).execute(order()).failure).toBeNull();
    expect(new Run(scenario, { repair: 'all' }).execute(order()).failure).toBeNull();
  });
});

describe('a survey', () => {
  it('searches scenario by scenario and says what it has covered', () => {
    const chosen = scenarios.filter(({ name }) => name === 'one-call' || name === 'two-senders');
    const [one, two] = [...survey({ repair: 'all', without: [15] }, { exhaustive: 20, random: 5, shrink: 10 }, chosen)];
    expect([one?.scenario.name, two?.scenario.name]).toEqual(['one-call', 'two-senders']);
    expect(two?.what).toMatch(/in WAIT, but its task is WAKING/);
    expect(two?.recording).toMatch(/^two-senders:repair=all:without=15/);
  });

  it('goes on at random where the exhaustive search does not end', () => {
    const chosen = scenarios.filter(({ name }) => name === 'two-senders');
    const [two] = [...survey({ repair: 'all', without: [] }, { exhaustive: 3, random: 3, shrink: 0 }, chosen)];
    expect([two?.exhaustive.runs, two?.exhaustive.covered, two?.random?.runs, two?.what]).toEqual([3, 0, 4, null]);
  });
});
