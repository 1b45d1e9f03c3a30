import { describe, expect, it } from 'vitest';
import { Bus, BusError, EventSeam, NotifyHook, Slot, ValueHook } from '../src/index.js';

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
    const undo = events.tick.on('watcher', () => {});
    expect(bus.describe()[2]).toEqual({ kind: 'event', name: 'tick', plugins: ['watcher'] });
    undo();
    expect(bus.describe()[2]?.plugins).toEqual([]);
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
    events.tick.on('test', () => {});
    expect(events.tick.observed).toBe(true);
  });

  it('takes a plugin out of everything, also after sealing', () => {
    const bus = new Bus();
    const { hooks, slots, events } = seams();
    bus.declare({ hooks, slots, events });
    hooks.boot.tap('goes', () => {});
    hooks.boot.tap('stays', () => {});
    slots.timer.provide('goes', 'x');
    events.tick.on('goes', () => {});
    bus.seal();
    bus.release('goes');
    expect(bus.describe().flatMap(({ plugins }) => plugins)).toEqual(['stays']);
    expect(slots.timer.filled).toBe(false);
  });

  it('says which seam was meant when there is none of a name', () => {
    const bus = new Bus();
    bus.declare(seams());
    const { hooks, slots, events } = bus as unknown as Record<string, Record<string, unknown>>;
    expect(() => hooks?.bot).toThrow(new BusError('UNKNOWN_SEAM', 'there is no hook "bot" on this machine; did you mean "boot"?'));
    expect(() => slots?.Timers).toThrow('there is no slot "Timers" on this machine; did you mean "timer"?');
    expect(() => events?.explosion).toThrow('there is no event "explosion" on this machine; if a plugin declares it, require that plugin');
    expect('bot' in (hooks ?? {})).toBe(false);
    expect(String(hooks)).toBe('[object Object]');
    expect(JSON.stringify(events)).toContain('tick');
  });

  it('shows every answer of every tap to who traces', () => {
    const bus = new Bus();
    const { hooks } = seams();
    const price = new ValueHook<number>('price');
    bus.declare({ hooks: { ...hooks, price } });
    hooks.boot.tap('a', () => {});
    price.tap('half', (value) => value / 2);
    bus.seal();
    const lines: string[] = [];
    const undo = bus.trace((seam, plugin, [first], answer) => lines.push(`${seam} ${plugin} ${first} ${answer}`));
    hooks.boot.call();
    price.call(8);
    undo();
    price.call(8);
    expect(lines).toEqual(['boot a undefined undefined', 'price half 8 4']);
  });
});
