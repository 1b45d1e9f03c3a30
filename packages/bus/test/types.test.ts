import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { definePlugin, EventSeam, FirstAnswerHook, NotifyHook, type Plugin, Slot, ValueHook } from '../src/index.js';

describe('types', () => {
  it('check taps and calls against each other', () => {
    const hook = new FirstAnswerHook<[cpu: number], string>('question');
    expectTypeOf(hook.call).parameters.toEqualTypeOf<[cpu: number]>();
    expectTypeOf(hook.call).returns.toEqualTypeOf<string | undefined>();
    // @ts-expect-error: the tap answers with the wrong type
    hook.tap('a', () => 1);
    // @ts-expect-error: taps have a name
    expect(() => hook.tap(() => 'x')).toThrow('without a name');
  });

  it('thread a value through', () => {
    expectTypeOf(new ValueHook<number, [string]>('value').call).toEqualTypeOf<(value: number, ...args: [string]) => number>();
  });

  it('hold seams to the six arguments that are passed on', () => {
    type Six = [a: number, b: number, c: number, d: number, e: number, f: number];
    type Seven = [...Six, number];
    expectTypeOf(new NotifyHook<Six>('x').call).parameters.toEqualTypeOf<Six>();
    expectTypeOf(new EventSeam<Six>('x').emit).parameters.toEqualTypeOf<Six>();
    // @ts-expect-error: a seventh argument would be lost
    new NotifyHook<Seven>('x');
    // @ts-expect-error: likewise
    new FirstAnswerHook<Seven, number>('x');
    // @ts-expect-error: the value is the first of six
    new ValueHook<number, Six>('x');
    // @ts-expect-error: likewise
    new EventSeam<Seven>('x');
  });

  it('know what fills a slot', () => {
    expectTypeOf(new Slot<number>('slot', { fallback: 1 }).value).toEqualTypeOf<number>();
  });

  it('infer the options of a plugin from its schema', () => {
    const plugin = definePlugin({
      name: 'a',
      version: '1.0.0',
      options: z.object({ cpus: z.number() }),
      setup(_, options) {
        expectTypeOf(options).toEqualTypeOf<{ cpus: number }>();
      },
    });
    expectTypeOf(plugin).parameters.toEqualTypeOf<[options?: Partial<{ cpus: number }>]>();
    expectTypeOf(plugin).returns.toEqualTypeOf<Plugin>();
  });
});
