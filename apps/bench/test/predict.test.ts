import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profiles } from '@rpal/hw-x86';
import { afterAll, describe, expect, it } from 'vitest';
import { experiments } from '../src/predict/experiments/index.js';
import { type Channel, pingPong } from '../src/predict/experiments/ping-pong.js';
import { predict, predictionsJson } from '../src/predict/predict-command.js';
import { type Prediction, predictions } from '../src/predict/predictions.js';
import { modeText, spreadOver } from '../src/predict/seeds.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-predict-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('a ping-pong', () => {
  it.each<[Channel, readonly [number, number] | undefined]>([
    ['pipe', [0, 0]],
    ['pipe', [0, 1]],
    ['eventfd', [0, 0]],
    ['eventfd', [0, 40]],
    ['epoll on pipes', [0, 1]],
    ['epoll on pipes', undefined],
  ])('through %s on CPUs %j books every cycle of every round', (channel, cpus) => {
    const { cyclesPerRound, ledger, rounds } = pingPong({ machine: {}, channel, ...(cpus === undefined ? {} : { cpus }), rounds: 100 });
    expect(ledger.total).toBe(Math.round(cyclesPerRound * rounds));
  });
});

describe('rpal-bench predict', () => {
  it('says how far the one-CPU pipe is from what was measured: within a fifth', () => {
    const [profile] = profiles;
    const pipe = predict(predictions[0] as Prediction, profile as never, 300, 1);
    expect(Math.abs(pipe.relativeError)).toBeLessThan(0.2);
    expect(pipe.predicted.low).toBeLessThan(pipe.published);
    expect(pipe.predicted.high).toBeGreaterThan(pipe.published);
  });

  it('meets eight of ten figures within 22 % in one of the idle states that a source leaves open', () => {
    const [profile] = profiles;
    const best = new Map<string, number>();
    for (const prediction of predictions) {
      const figure = prediction.what.replace(/, idle in .*/, '');
      const error = Math.abs(predict(prediction, profile as never, 100, 1).relativeError);
      best.set(figure, Math.min(error, best.get(figure) ?? Number.POSITIVE_INFINITY));
    }
    expect(best.size).toBe(10);
    const far = [...best].filter(([, error]) => error > 0.22).map(([figure]) => figure);
    expect(far).toEqual(['eventfd, 512 pages per side, PCID', 'eventfd, 512 pages per side, no PCID']);
  });

  it('gains by synchronous wake-ups where the two begin on CPUs that share no cache', () => {
    const [profile] = profiles;
    const [ordinary, synchronous] = predictions.slice(-4).filter(({ what }) => what.endsWith('C1E')) as [Prediction, Prediction];
    const before = predict(ordinary, profile as never, 100, 1).predicted.central;
    const after = predict(synchronous, profile as never, 100, 1).predicted.central;
    expect(after / before).toBeLessThan(0.9);
  });

  it('shows every published figure with its source, the error, and what dominates', { timeout: 120_000 }, async () => {
    const file = join(directory, 'predict.json');
    const { code, stdout, stderr } = await run(['predict', '--rounds', '20', '--seeds', '2', '--json', file]);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const {
      complete,
      data: { outcomes, experiments: found },
    } = predictionsJson.parse(JSON.parse(readFileSync(file, 'utf8')));
    expect(complete).toBe(true);
    expect(outcomes).toHaveLength(predictions.length);
    const unfolded = stdout.replace(/\s*\n\s*/g, ' ');
    for (const { what, source, published, predicted, relativeError, causes } of outcomes) {
      // What does not fit into 80 columns goes on in the lines below.
      expect(stdout).toContain(`  ${what.split(' ', 1)[0]}`);
      expect(unfolded).toContain(source);
      expect(relativeError).toBeCloseTo(predicted.central / published - 1, 9);
      expect(causes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    }

    // Orders and ratios: what misses says which step is missing.
    expect(found.map(({ name }) => name)).toEqual(experiments.map(({ name }) => name));
    const rows = found.flatMap(({ name, rows }) => rows.map((row) => ({ ...row, id: `${name}: ${row.id}` })));
    expect(rows.filter(({ verdict, why }) => verdict === 'misses' && why === '').map(({ id }) => id)).toEqual([]);
    const laws = rows.filter(({ unit }) => unit === null);
    expect(laws.map(({ id, verdict }) => [id, verdict])).toEqual([
      // A stream stays awake in C1, and comes before the pipe on one CPU.
      ['ladder: order', 'misses'],
      ['attach: CMA-3', 'holds'],
      ['attach: order', 'holds'],
      ['erim: rate', 'holds'],
    ]);
    // A reason that nothing needs any more is to go.
    const needed = new Set(rows.filter(({ verdict }) => verdict === 'misses').map(({ id }) => id));
    const given = experiments.flatMap(({ name, misses }) => Object.keys(misses).map((id) => `${name}: ${id}`));
    expect(given.filter((id) => !needed.has(id))).toEqual([]);
    for (const { why } of rows) expect(unfolded).toContain(why);
  });
});

describe('rpal-bench predict on a terminal', () => {
  it('shows how far it is, and ends when the user wants it, with what there is', async () => {
    const { code, stdout, stderr } = await run(['predict', '--rounds', '10', '--seeds', '1'], /pipe, one CPU/);
    expect([code, stdout.split('\n')[0]]).toEqual([130, 'PARTIAL RESULT, interrupted.']);
    expect(stderr).toMatch(/\[-{20}\] +0 % {2}pipe, one CPU, beginning/);
  });
});

describe('the runs of several seeds', () => {
  const runs = (...trips: readonly (readonly [trip: number, asleep: number])[]) =>
    trips.map(([trip, asleep], index) => ({ seed: index + 1, trip, asleep }));

  it('are one mode if they lie within a tenth of their median', () => {
    const { median, low, high, modes } = spreadOver(runs([4.1, 1], [4, 1], [4.3, 1]));
    expect([median, low, high]).toEqual([4.1, 4, 4.3]);
    expect(modes).toEqual([{ seeds: 3, trip: 4.1, asleep: 1 }]);
  });

  it('are two modes otherwise, parted where they lie farthest apart, each with what it is', () => {
    const { modes } = spreadOver(runs([4.5, 1], [2.5, 0.25], [4.6, 1], [2.7, 0.25], [4.5, 1]));
    expect(modes.map(modeText)).toEqual([
      '2.50 us with 2 seeds, 25 % of the wake-ups find an idle CPU',
      '4.50 us with 3 seeds, 100 % of the wake-ups find an idle CPU',
    ]);
  });
});
