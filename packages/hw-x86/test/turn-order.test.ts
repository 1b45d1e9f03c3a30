import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CoreClock } from '../src/time/core-clock.js';
import { TurnOrder } from '../src/time/turn-order.js';
import { platform } from './support.js';

const { costs } = platform();
const COUNT = 24;

const clocks = (): CoreClock[] => Array.from({ length: COUNT }, (_, id) => new CoreClock({ id, core: id, thread: 0, socket: 0 }, costs));

/** What the order has to be: the one furthest behind, and the clock of the next. */
function byLooking(active: readonly CoreClock[]): { first: CoreClock | null; second: number } {
  const [first = null, second] = [...active].sort((a, b) => a.clock - b.clock || a.id - b.id);
  return { first, second: second?.clock ?? Number.POSITIVE_INFINITY };
}

describe('the order of turns', () => {
  it('is by clock, then by id, whoever comes, goes, or moves on, told or not', () => {
    const id = fc.nat(COUNT - 1);
    // Few different amounts, so that clocks are often equal.
    const amount = fc.integer({ min: 0, max: 3 });
    const what = fc.constantFrom('add', 'remove', 'remove', 'advance', 'run the first', 'run the first, far');
    const step = fc.record({ what, id, amount });
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: COUNT, maxLength: COUNT }), fc.array(step, { maxLength: 100 }), (begins, steps) => {
        const all = clocks();
        const order = new TurnOrder(all, COUNT);
        const active = new Set(all);
        for (const one of all) {
          one.advanceTo(begins[one.id] as number);
          order.add(one.id);
        }
        const look = (): void => {
          const { first, second } = byLooking([...active]);
          expect(order.first()).toBe(first);
          expect(order.secondClock()).toBe(second);
          expect(order.size).toBe(active.size);
        };
        for (const { what, id, amount } of steps) {
          const one = all[id] as CoreClock;
          if (what === 'add') {
            order.add(one.id);
            active.add(one);
          } else if (what === 'remove') {
            order.remove(one.id);
            active.delete(one);
          } else if (what === 'advance') {
            one.advanceTo(one.clock + amount);
          } else {
            const first = order.first();
            first?.advanceTo(first.clock + amount * (what === 'run the first' ? 1 : 100));
          }
          look();
        }
        // Each in its turn, to the last.
        for (let last = order.first(); last !== null; last = order.first()) {
          look();
          order.remove(last.id);
          active.delete(last);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has no first and no second while nobody takes turns', () => {
    const all = clocks();
    const order = new TurnOrder(all, COUNT);
    expect(order.first()).toBeNull();
    expect(order.secondClock()).toBe(Number.POSITIVE_INFINITY);
    order.add(3);
    expect(order.first()).toBe(all[3]);
    expect(order.secondClock()).toBe(Number.POSITIVE_INFINITY);
  });
});
