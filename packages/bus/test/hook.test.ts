import { describe, expect, it } from 'vitest';
import {
  BusError,
  FirstAnswerHook,
  ModelledCrash,
  NotifyHook,
  TapError,
  trueOrFalse,
  ValueHook,
  wholeNumber,
  withMethods,
  zeroOrErrno,
} from '../src/index.js';

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

  it('lets through as it is what the modelled machine comes to, which is no mistake of a tap', () => {
    class Panic extends ModelledCrash {}
    const panic = new Panic('no init');
    const hook = new NotifyHook<[]>('moment');
    hook.tap('kernel', () => {
      throw panic;
    });
    expect(() => hook.call()).toThrow(panic);
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
        'plugin "a" tapped "moment" with an async function or a generator, whose answer nobody waits for; use a plain function',
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

  it('keeps a tap that is taken back after sealing, until teardown', () => {
    const hook = new NotifyHook<[]>('moment');
    const undo = hook.tap('a', () => {});
    hook.seal();
    expect(undo).toThrow('plugin "a" took its tap of "moment" back after the machine was sealed');
    expect(hook.tapped).toBe(true);
    hook.unseal();
    undo();
    expect(hook.tapped).toBe(false);
    // Nothing is left to take back, sealed or not.
    hook.seal();
    undo();
  });

  it('knows which of its taps threw, however many there are', () => {
    for (const count of [1, 2, 3, 5]) {
      for (let bad = 0; bad < count; bad++) {
        const hook = new NotifyHook<[]>('moment');
        for (let i = 0; i < count; i++) {
          hook.tap(`plugin ${i}`, () => {
            if (i === bad) throw new Error('oops');
          });
        }
        expect(() => hook.call()).toThrow(`plugin "plugin ${bad}" threw in its tap of "moment": oops`);
      }
    }
  });

  it.each([
    ['no name', () => new NotifyHook<[]>('moment').tap('', () => {}), '"moment" was tapped without a name: "" is none'],
    ['a function as name', () => new NotifyHook<[]>('moment').tap((() => {}) as never, () => {}), "is none; give the plugin's name first"],
    ['no function', () => new NotifyHook<[]>('moment').tap('a', 7 as never), 'plugin "a" tapped "moment" with 7; give a function'],
    ['an order that is none', () => new NotifyHook<[]>('moment').tap('a', () => {}, 'first' as never), 'with order "first"; give a number'],
  ])('refuses a tap with %s', (_what, tap, message) => {
    expect(tap).toThrow(message);
  });

  it('shows each tap to a tracer, and is as before without one', () => {
    const hook = new ValueHook<number, [number]>('value');
    hook.tap('double', (value, factor) => value * factor);
    hook.tap('add', (value) => value + 1);
    const before = hook.call;
    const seen: unknown[] = [];
    hook.trace((...call) => seen.push(call));
    expect(hook.call(5, 2)).toBe(11);
    expect(seen).toEqual([
      ['value', 'double', [5, 2, undefined, undefined, undefined, undefined], 10],
      ['value', 'add', [10, 2, undefined, undefined, undefined, undefined], 11],
    ]);
    hook.trace(null);
    expect([hook.call(5, 2), seen.length, hook.call.toString()]).toEqual([11, 2, before.toString()]);
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

describe('an answer that will not do', () => {
  it('ends the run with plugin, seam, answer and reason', () => {
    const hook = new FirstAnswerHook<[], number>('key', { refuse: wholeNumber(0, 15) });
    hook.tap('silent', () => undefined);
    hook.tap('wild', () => 17);
    let error: unknown;
    try {
      hook.call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TapError);
    expect(error).toMatchObject({
      code: 'INVALID_ANSWER',
      seam: 'key',
      plugin: 'wild',
      message: 'plugin "wild" answered "key" with 17, which is not a whole number from 0 to 15',
    });
  });

  it('is found at the tap that gave it, not at those it would be passed on to; nothing is an answer of a value hook too', () => {
    const hook = new ValueHook<number, [limit: number]>('value', {
      refuse: (value, limit) => (value <= limit ? null : `is above ${limit}`),
    });
    hook.tap('forgetful', () => undefined as never);
    hook.tap('next', () => 1);
    expect(() => hook.call(1, 9)).toThrow('plugin "forgetful" answered "value" with undefined, which is above 9');
  });

  it('is looked at no more than good ones need', () => {
    const hook = new ValueHook<number, [limit: number]>('value', {
      refuse: (value, limit) => (value <= limit ? null : `is above ${limit}`),
    });
    hook.tap('double', (value) => value * 2);
    expect(hook.call(4, 9)).toBe(8);
    expect(() => hook.call(5, 9)).toThrow('answered "value" with 10, which is above 9');
  });

  it.each<[string, (value: never) => string | null, unknown[], unknown[]]>([
    ['whole numbers', wholeNumber(-1, 1), [-1, 0, 1], [-2, 0.5, Number.NaN, '1']],
    ['results of calls', zeroOrErrno, [0, -22, -4095], [1, -4096, Number.NaN, -1.5]],
    ['truth', trueOrFalse, [true, false], [0, undefined, 'true']],
    ['methods', withMethods<{ choose: unknown }>('choose'), [{ choose() {} }], [{}, null, undefined, { choose: 1 }]],
  ])('is told from a good one: %s', (_what, refuse, good, bad) => {
    for (const value of good) expect(refuse(value as never)).toBeNull();
    for (const value of bad) expect(refuse(value as never)).toMatch(/^(is|lacks) /);
  });
});
