import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue, TimedEvent } from '../src/index.js';

class Event extends TimedEvent {
  override fire(): void {}
}

/** arm event i for a time, or cancel event i, or take the next event. */
const operation = fc.oneof(
  fc.record({ kind: fc.constant('arm' as const), event: fc.nat(9), time: fc.nat(20) }),
  fc.record({ kind: fc.constant('cancel' as const), event: fc.nat(9) }),
  fc.record({ kind: fc.constant('pop' as const) }),
);

describe('EventQueue', () => {
  it('behaves as a list sorted by time, then by order of arming', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const queue = new EventQueue();
        const events = Array.from({ length: 10 }, () => new Event());
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
          events.forEach((event, i) => {
            expect(event.armed).toBe(model.some((entry) => entry.event === i));
          });
        });
      }),
      { numRuns: 200 },
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
