import { definePlugin, type Events } from '@rpal/bus';
import type { RpalOptions } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { Choice, Deviations, deviationsIn, Replay, Run, type Scenario, scenarioNamed, searchAll } from '../src/index.js';
import { complete } from '../src/search/complete.js';
import { races } from '../src/search/races.js';
import type { Segment } from '../src/search/run.js';

/** Which rows of RPAL's state tables were taken, in order. */
function trace(): { listen(events: Events): void; take(): string } {
  let rows: string[] = [];
  return {
    listen({ rpalReceiverState, rpalSenderState }) {
      rpalReceiverState.on('test', (_cpu, _time, _rcc, row) => rows.push(`${row}`));
      rpalSenderState.on('test', (_cpu, _time, _rcc, row) => rows.push(`s${row}`));
    },
    take() {
      const taken = rows.join(' ');
      rows = [];
      return taken;
    },
  };
}

/** What the complete search has seen; a run that is given up is left out, as others have gone on from there. */
function seenByAll(scenario: Scenario, options: RpalOptions) {
  const { listen, take } = trace();
  const seen = new Set<string>();
  for (const { over, runs, failure } of complete(scenario, options, { listen })) {
    seen.add(take());
    if (over || failure !== null) return { seen, runs, failure };
  }
  throw new Error('has no end');
}

describe('steps in conflict', () => {
  const step = (choice: number, writes: number[], others: number[] = []): Segment => {
    const settled = others.length === 0;
    return { choice, enabled: settled ? [choice] : [choice, ...others], settled, reads: [], writes };
  };

  it('are tried in the other order, the last of them first', () => {
    expect(races([step(0, [7], [1]), step(0, [7], [1]), step(1, [7], [0])])).toEqual(new Map([[1, new Set([1])]]));
  });

  it('are so even if one of them comes only when the order is settled, and others like it before it', () => {
    expect(races([step(0, [7], [1]), step(0, [7]), step(1, [7])])).toEqual(new Map([[0, new Set([1])]]));
    // What has been ordered by a step that could be chosen stays so.
    expect(races([step(0, [7, 8], [1]), step(1, [8], [0]), step(1, [7])])).toEqual(new Map([[0, new Set([1])]]));
  });

  it('are not if nothing was to be chosen when the first came', () => {
    expect(races([step(0, [7]), step(1, [7])])).toEqual(new Map());
  });
});

/** A fork's flush as that of a range is, which passes over CPUs with other memory loaded. */
const rangedForkFlush = definePlugin({
  name: 'ranged-fork-flush',
  version: '1.0.0',
  setup({ plugin, hooks }) {
    hooks.mmFlush.tap(plugin, (targets) => {
      if (targets.end === Number.POSITIVE_INFINITY) targets.freedTables = false;
    });
  },
});

describe('a word that is sent while the receiver forks', () => {
  const scenario = scenarioNamed('call-against-fork');
  const without = { ...scenario, plugins: [rangedForkFlush()] };
  const lost = '2 words were sent and 1 received';

  it('arrives, and would not if the flush passed over the caller', () => {
    const order = (): Deviations => new Deviations(deviationsIn('42=1,65=0'));
    expect(new Run(scenario, {}).execute(order()).failure).toBeNull();
    expect(new Run(without, {}).execute(order()).failure).toBe(lost);
    expect(new Run(without, { repair: ['tlb-range-filter'] }).execute(order()).failure).toBeNull();
  });

  // The receiver goes on when the caller is through; that it could have done so before is what the search has to see.
  it('is found to be lost then by all orders with two deviations', () => {
    expect(searchAll(without, {}, { runs: 200, deviations: 2 }).failure?.failure).toBe(lost);
  });

  it('does not let the complete search end before it is found', () => {
    for (const { runs, failure, over } of complete(without, {})) {
      expect(over && failure === null).toBe(false);
      if (failure !== null || runs === 40) break;
    }
  });
});

describe('the complete search', () => {
  const repaired: RpalOptions = { repair: 'all' };

  it('sees what an NMI at every step on every CPU leads to, in fewer runs', () => {
    const scenario = { ...scenarioNamed('nmis-in-call'), nmis: 1 };
    const { listen, take } = trace();
    const usual = new Run(scenario, repaired, { listen }).execute(new Replay([]));
    const brute = new Set([take()]);
    let runs = 1;
    for (let at = 0; at < usual.steps; at++) {
      for (let cpu = 0; cpu < scenario.cpus; cpu++) {
        const deviations: [number, number][] = [[at, Choice.nmi(scenario.cpus, cpu)]];
        const one = new Run(scenario, repaired, { listen }).execute(new Deviations(deviations));
        expect(one.failure).toBeNull();
        brute.add(take());
        runs++;
      }
    }
    const all = seenByAll(scenario, repaired);
    expect(all.failure).toBeNull();
    expect(brute.size).toBeGreaterThan(1);
    expect([...all.seen].sort()).toEqual([...brute].sort());
    expect(all.runs).toBeLessThan(runs / 2);
  });

  it('sees what a kill at every step of a call leads to, also of one that has made room for others before', () => {
    const scenario = scenarioNamed('sender-dies-in-call');
    const { listen, take } = trace();
    const usual = new Run(scenario, repaired, { listen }).execute(new Replay([]));
    const brute = new Set([take()]);
    // In the second half everybody is through.
    for (let at = 0; at < usual.steps / 2; at++) {
      // The killer goes on alone as far as it can, or the caller comes between once more.
      for (const back of [[], [[at + 1, 0]]] as [number, number][][]) {
        expect(new Run(scenario, repaired, { listen }).execute(new Deviations([[at, 2], ...back])).failure).toBeNull();
        brute.add(take());
      }
    }
    const all = seenByAll(scenario, repaired);
    expect([all.failure, all.runs]).toEqual([null, 44]);
    expect(brute.size).toBeGreaterThan(5);
    expect([...brute].filter((rows) => !all.seen.has(rows))).toEqual([]);
  });

  it('finds what is wrong without patch 24', () => {
    expect(seenByAll(scenarioNamed('return-interrupted'), { ...repaired, without: [24] }).failure?.failure).toMatch(
      /in WAIT, and CPU 0 executes its code/,
    );
  });

  it.each([
    ['pure-call', 1],
    ['one-call', 1],
    ['tick-in-call', 37],
    ['return-interrupted', 38],
    ['receiver-dies-in-pure-call', 20],
  ])('%s: ends after %i runs', (name, runs) => {
    expect(seenByAll(scenarioNamed(name), repaired).runs).toBe(runs);
  });

  it('is what an exhaustive search without a bound goes on with', () => {
    const { covered, runs } = searchAll(scenarioNamed('enable-against-mmap'), repaired, { runs: 60 });
    expect([covered, runs]).toEqual([1, 60]);
    expect(searchAll(scenarioNamed('one-call'), repaired, { runs: 60 }).covered).toBe(Number.POSITIVE_INFINITY);
  });
});
