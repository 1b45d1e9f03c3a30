import { describe, expect, it } from 'vitest';
import { Bus, BusError, EventSeam, NotifyHook, Slot } from '../src/index.js';

function seams() {
  return {
    hooks: { boot: new NotifyHook<[]>('boot') },
    slots: { timer: new Slot<string>('timer') },
    events: { tick: new EventSeam<[]>('tick') },
  };
}

describe('Bus', () => {
  it('collects the seams of packages and says who is at each', () => {
    const bus = new Bus();
    const { hooks, slots, events } = seams();
    bus.declare({ hooks, slots });
    bus.declare({ events });
    hooks.boot.tap('second', () => {}, 1);
    hooks.boot.tap('first', () => {});
    slots.timer.provide('hpet', 'hpet');
    expect(bus.describe()).toEqual([
      { kind: 'hook', name: 'boot', plugins: ['first', 'second'] },
      { kind: 'slot', name: 'timer', plugins: ['hpet'] },
      { kind: 'event', name: 'tick', plugins: [] },
    ]);
  });

  it('refuses two seams of one name', () => {
    const bus = new Bus();
    bus.declare(seams());
    expect(() => bus.declare(seams())).toThrow(
      new BusError('DUPLICATE_SEAM', 'seam "boot" is declared twice; give one of the two another name'),
    );
  });

  it('seals hooks and slots, not events', () => {
    const bus = new Bus();
    const { hooks, slots, events } = seams();
    bus.declare({ hooks, slots, events });
    bus.seal();
    expect(bus.sealed).toBe(true);
    expect(() => hooks.boot.tap('late', () => {})).toThrow(BusError);
    expect(() => slots.timer.provide('late', 'x')).toThrow(BusError);
    events.tick.on(() => {});
    expect(events.tick.observed).toBe(true);
  });

  it('takes a plugin out of everything, also after sealing', () => {
    const bus = new Bus();
    const { hooks, slots, events } = seams();
    bus.declare({ hooks, slots, events });
    hooks.boot.tap('goes', () => {});
    hooks.boot.tap('stays', () => {});
    slots.timer.provide('goes', 'x');
    bus.seal();
    bus.release('goes');
    expect(bus.describe().flatMap(({ plugins }) => plugins)).toEqual(['stays']);
    expect(slots.timer.filled).toBe(false);
  });
});
