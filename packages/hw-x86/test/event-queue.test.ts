import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue, TimedEvent } from '../src/index.js';

class Event extends TimedEvent {
  override fire(): void {}
}

/** More than the queue has room for at first. */
const COUNT = 40;

/** arm event i for a time, or cancel event i, or take the next event. */
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('arm' as const), event: fc.nat(COUNT - 1), time: fc.nat(20) }) },
  fc.record({ kind: fc.constant('cancel' as const), event: fc.nat(COUNT - 1) }),
  fc.record({ kind: fc.constant('pop' as const) }),
);

describe('EventQueue', () => {
  it('behaves as a list sorted by time, then by order of arming', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80, size: 'max' }), (operations) => {
        const queue = new EventQueue();
        const events = Array.from({ length: COUNT }, () => new Event());
        let model: { event: number; time: number; order: number }[] = [];
        operations.forEach((step, order) => {
          if (step.kind === 'pop') {
            if (model.length === 0) return;
            const next = model.shift()!;
            expect(queue.pop() === events[next.event]).toBe(true);
          } else {
            model = model.filter(({ event }) => event !== step.event);
            if (step.kind === 'cancel') queue.cancel(events[step.event]!);
            else {
              queue.arm(events[step.event]!, step.time);
              model.push({ event: step.event, time: step.time, order });
              model.sort((a, b) => a.time - b.time || a.order - b.order);
            }
          }
          expect(queue.size).toBe(model.length);
          expect(queue.nextTime).toBe(model[0]?.time ?? Number.POSITIVE_INFINITY);
          const armed = events.flatMap((event, i) => (event.armed ? [i] : []));
          expect(armed).toEqual(model.map(({ event }) => event).sort((a, b) => a - b));
        });
      }),
      { numRuns: 100 },
    );
  });

  it('lets an event arm itself again from where it fires', () => {
    const queue = new EventQueue();
    const fired: number[] = [];
    class Periodic extends TimedEvent {
      override fire(): void {
        fired.push(this.time);
        if (fired.length < 3) queue.arm(this, this.time + 10);
      }
    }
    queue.arm(new Periodic(), 5);
    while (queue.size > 0) queue.pop().fire();
    expect(fired).toEqual([5, 15, 25]);
  });
});
