import type { Plugin } from '@rpal/bus';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { type Phase, type Placement, runRfcBenchmark } from '../src/rfc-benchmark.js';

/**
 * What the benchmark gives, to the cycle. A commit that changes these figures says why, and renews them with `vitest -u`;
 * a commit about the speed of the host does not change them.
 */
describe('300 messages of the RFC benchmark', () => {
  const run = (placement: Placement, ...phases: Phase[]) => {
    const result = runRfcBenchmark({ machine: {}, placement, messages: 300, size: 32, phases });
    return { fingerprint: result.fingerprint, cycles: result.phases.map(({ phase, totalCycles }) => `${phase} ${totalCycles}`) };
  };

  it('on one CPU', () =>
    expect(run('same-cpu', 'epoll', 'rpal')).toMatchInlineSnapshot(`
      {
        "cycles": [
          "epoll 1586599",
          "rpal 457273",
        ],
        "fingerprint": "815eb8855e78ca1e",
      }
    `));

  it('on two CPUs of a socket', () =>
    expect(run('same-socket', 'epoll', 'rpal')).toMatchInlineSnapshot(`
      {
        "cycles": [
          "epoll 3913058",
          "rpal 461913",
        ],
        "fingerprint": "a2a4821348beefd9",
      }
    `));

  it('on two sockets', () =>
    expect(run('cross-socket', 'epoll', 'rpal')).toMatchInlineSnapshot(`
      {
        "cycles": [
          "epoll 4636764",
          "rpal 466929",
        ],
        "fingerprint": "cec18eea8e740e0f",
      }
    `));

  it('costs no cycle more with every defect of the series repaired', () => {
    const ledger = (plugins: Plugin[]) =>
      runRfcBenchmark({ machine: { plugins }, placement: 'same-socket', messages: 300, size: 32, phases: ['rpal'] }).phases.map(
        ({ totalCycles, forward, back }) => [
          totalCycles,
          ...[forward, back].map(({ entries }) => entries.map((e) => [e.step.name, e.cycles])),
        ],
      );
    expect(ledger([rpal({ repair: 'all' })])).toEqual(ledger([]));
  });

  it('on plain Linux, without RPAL', () =>
    expect(run('same-socket', 'epoll')).toMatchInlineSnapshot(`
      {
        "cycles": [
          "epoll 3910389",
        ],
        "fingerprint": "e0c0089cd33eedaf",
      }
    `));
});
