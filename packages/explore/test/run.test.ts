import type { RpalService } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { Run, type Strategy, scenarioNamed } from '../src/index.js';

/**
 * Lets another CPU go on at the first point within a kernel entry at which one can, and spoils what must hold meanwhile. Counts the choices
 * after that.
 */
class Spoiler implements Strategy {
  after = -1;

  choose(enabled: readonly number[], usual: number, run: Run): number {
    if (this.after >= 0) {
      this.after++;
      return usual;
    }
    const held = run.heldAt.findIndex((point) => point !== null);
    const other = enabled.find((choice) => choice !== held && choice < run.heldAt.length);
    if (held < 0 || other === undefined) return usual;
    const [service] = [...run.stage.rpal.byKey.values()] as [RpalService];
    (service as { requestsLeft: number }).requestsLeft++;
    this.after = 0;
    return other;
  }
}

describe('a run', () => {
  const execute = (beyond: number) => {
    const strategy = new Spoiler();
    const { failure } = new Run(scenarioNamed('two-senders'), { repair: 'all' }, { beyond }).execute(strategy);
    return { failure, after: strategy.after };
  };

  it('ends with the first thing that is wrong, also in the middle of a kernel entry', () => {
    const { failure, after } = execute(0);
    expect(failure).toMatch(/requests/);
    expect(after).toBe(0);
  });

  it('goes on for as many turns as it is told to', () => {
    expect(execute(20).after).toBeGreaterThan(0);
  });
});
