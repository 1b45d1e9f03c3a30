import { describe, expect, it } from 'vitest';
import { BusError, FirstAnswerHook, NotifyHook, TapError, ValueHook } from '../src/index.js';

describe('NotifyHook', () => {
  it('runs its taps by order, then in the order of tapping, however many there are', () => {
    for (const count of [0, 1, 2, 3, 5]) {
      const hook = new NotifyHook<[number]>('moment');
      const ran: number[] = [];
      for (let i = count; i > 0; i--) hook.tap(`plugin ${i}`, () => ran.push(i), i);
      hook.call(7);
      expect(ran).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    }
  });

  it('names plugin and hook when a tap throws', () => {
    const hook = new NotifyHook<[]>('moment');
    hook.tap('bad', () => {
      throw new Error('oops');
    });
    expect(() => hook.call()).toThrow(TapError);
    expect(() => hook.call()).toThrow('plugin "bad" threw in its tap of "moment": oops');
  });

  it('names the tap that threw, not the hook it threw through', () => {
    const inner = new NotifyHook<[]>('inner');
    const outer = new NotifyHook<[]>('outer');
    outer.tap('caller', () => inner.call());
    inner.tap('culprit', () => {
      throw 'no error object';
    });
    let error: unknown;
    try {
      outer.call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'TAP_FAILED', seam: 'inner', plugin: 'culprit', cause: 'no error object' });
  });

  it('says how to do it right when a tap comes after sealing', () => {
    const hook = new NotifyHook<[]>('moment');
    hook.seal();
    expect(() => hook.tap('late', () => {})).toThrow(
      `plugin "late" tapped "moment" after the machine was sealed; tap hooks in the plugin's setup()`,
    );
  });

  it('refuses taps that would answer later, when nobody listens', () => {
    const hook = new NotifyHook<[]>('moment');
    const taps = [async () => {}, function* () {}, async function* () {}] as unknown as (() => void)[];
    for (const late of taps) {
      expect(() => hook.tap('a', late)).toThrow(
        'plugin "a" taps "moment" with an async function or a generator, whose answer nobody waits for; use a plain function',
      );
    }
    expect(hook.tapped).toBe(false);
  });

  it('passes six arguments, whatever the number of taps', () => {
    for (const count of [1, 2, 3]) {
      const hook = new NotifyHook<[number, number, number, number, number, number]>('moment');
      const seen: number[][] = [];
      for (let i = 0; i < count; i++) hook.tap(`plugin ${i}`, (...all) => seen.push(all));
      hook.call(1, 2, 3, 4, 5, 6);
      expect(seen).toEqual(Array(count).fill([1, 2, 3, 4, 5, 6]));
    }
  });

  it('takes a tap back, and refuses new ones once sealed', () => {
    const hook = new NotifyHook<[]>('moment');
    let calls = 0;
    const undo = hook.tap('a', () => calls++);
    hook.call();
    undo();
    hook.call();
    expect(calls).toBe(1);
    expect(hook.tapped).toBe(false);
    hook.seal();
    expect(() => hook.tap('late', () => {})).toThrow(BusError);
  });
});

describe('FirstAnswerHook', () => {
  it('stops at the first answer; zero and false are answers', () => {
    const hook = new FirstAnswerHook<[string], number | boolean>('question');
    expect(hook.call('x')).toBeUndefined();
    hook.tap('silent', () => undefined);
    hook.tap('zero', () => 0);
    hook.tap('never', () => 1);
    expect(hook.call('x')).toBe(0);
  });

  it('asks all when nobody answers, and only up to the answer otherwise', () => {
    for (const count of [1, 2, 4]) {
      for (let answering = 0; answering <= count; answering++) {
        const hook = new FirstAnswerHook<[], boolean>('question');
        const asked: number[] = [];
        for (let i = 0; i < count; i++) {
          hook.tap(`plugin ${i}`, () => {
            asked.push(i);
            return i === answering ? false : undefined;
          });
        }
        expect(hook.call()).toBe(answering < count ? false : undefined);
        expect(asked).toHaveLength(Math.min(answering + 1, count));
      }
    }
  });
});

describe('ValueHook', () => {
  it('passes the value from tap to tap', () => {
    const hook = new ValueHook<number, [factor: number]>('value');
    expect(hook.call(5, 2)).toBe(5);
    hook.tap('double', (value, factor) => value * factor);
    hook.tap('add', (value) => value + 1);
    hook.tap('add again', (value) => value + 1);
    expect(hook.call(5, 2)).toBe(12);
  });
});
