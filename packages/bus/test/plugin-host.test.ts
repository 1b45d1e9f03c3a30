import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  Bus,
  BusError,
  definePlugin,
  NotifyHook,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  PluginHost,
  Slot,
} from '../src/index.js';

/** A plugin that does nothing unless told otherwise. */
function plugin(name: string, rest: Partial<PluginDefinition<unknown>> = {}): Plugin {
  return definePlugin({ name, version: '1.0.0', setup() {}, ...rest })();
}

function host(): { bus: Bus; host: PluginHost; boot: NotifyHook<[]>; slot: Slot<string> } {
  const bus = new Bus();
  const boot = new NotifyHook<[]>('boot');
  const slot = new Slot<string>('isolation');
  bus.declare({ hooks: { boot }, slots: { isolation: slot } });
  return { bus, host: new PluginHost(bus), boot, slot };
}

/** The error that setting these up ends in, as [code, message]. */
function failure(...plugins: Plugin[]): readonly [string, string] {
  try {
    host().host.setup(plugins);
  } catch (error) {
    if (error instanceof BusError) return [error.code, error.message];
    throw error;
  }
  return ['none', ''];
}

describe('order of setup', () => {
  it('is the order given, except that requirements come first', () => {
    const { host: it } = host();
    it.setup([plugin('a', { requires: { c: '^1.0.0' } }), plugin('b'), plugin('c', { requires: { d: '*' } }), plugin('d')]);
    expect(it.plugins.map(({ definition }) => definition.name)).toEqual(['d', 'c', 'a', 'b']);
  });

  it('puts every plugin after all it requires, whatever the graph and the order given', () => {
    const graph = fc.integer({ min: 1, max: 12 }).chain((count) =>
      fc.record({
        // Plugin i requires only plugins below i: no cycles.
        requires: fc.tuple(...Array.from({ length: count }, (_, i) => fc.subarray(Array.from({ length: i }, (_, j) => j)))),
        order: fc.shuffledSubarray(
          Array.from({ length: count }, (_, i) => i),
          { minLength: count },
        ),
      }),
    );
    fc.assert(
      fc.property(graph, ({ requires, order }) => {
        const { host: it } = host();
        const all = requires.map((wanted, i) => plugin(`p${i}`, { requires: Object.fromEntries(wanted.map((j) => [`p${j}`, '^1.0.0'])) }));
        it.setup(order.map((i) => all[i] as Plugin));
        const position = new Map(it.plugins.map((one, at) => [one, at]));
        expect(position.size).toBe(all.length);
        requires.forEach((wanted, i) => {
          for (const j of wanted) expect(position.get(all[j] as Plugin)).toBeLessThan(position.get(all[i] as Plugin) as number);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('lets a capability stand for the plugin that provides it', () => {
    const { host: it } = host();
    it.setup([plugin('user', { requires: { isolation: '>=1.0.0' } }), plugin('mpk', { provides: ['isolation'] })]);
    expect(it.plugins.map(({ definition }) => definition.name)).toEqual(['mpk', 'user']);
  });
});

describe('plugins that do not fit together', () => {
  it.each<[string, Plugin[], string, string]>([
    [
      'a missing requirement',
      [plugin('a', { requires: { b: '^1.0.0' } })],
      'MISSING_REQUIREMENT',
      'plugin "a" requires "b" ^1.0.0; add that plugin',
    ],
    [
      'a version outside the range',
      [plugin('a', { requires: { b: '^2.0.0' } }), plugin('b', { version: '1.9.3' })],
      'INCOMPATIBLE_VERSION',
      'plugin "a" requires "b" ^2.0.0, but version 1.9.3 is here; install a version in that range',
    ],
    [
      'a circle of requirements',
      [plugin('a', { requires: { b: '*' } }), plugin('b', { requires: { c: '*' } }), plugin('c', { requires: { b: '*' } })],
      'REQUIREMENT_CYCLE',
      'plugins require each other in a circle: b -> c -> b; drop one of these requirements',
    ],
    ['the same plugin twice', [plugin('a'), plugin('a')], 'DUPLICATE_PLUGIN', 'plugin "a" was given twice; give it once'],
    [
      'a conflict by name',
      [plugin('a', { conflicts: ['b'] }), plugin('b')],
      'CONFLICT',
      'plugin "a" cannot share a machine with "b"; remove one',
    ],
    [
      'a conflict by capability, although the plugin provides the capability itself',
      [plugin('a', { provides: ['isolation'], conflicts: ['isolation'] }), plugin('b', { provides: ['isolation'] })],
      'CONFLICT',
      'plugin "a" cannot share a machine with "b"; remove one',
    ],
    [
      'a version that is none',
      [plugin('a', { version: 'new' })],
      'INVALID_PLUGIN',
      'plugin "a" has version "new", which is not a semantic version; write it as 1.2.3',
    ],
    [
      'a range that is none',
      [plugin('a', { requires: { b: 'newest' } }), plugin('b')],
      'INVALID_PLUGIN',
      'plugin "a" requires "b" in version "newest", which is not a range; write it as ^1.2.0',
    ],
    [
      'two providers of a slot',
      [
        plugin('mpk', { setup: ({ slots }) => void (slots as unknown as { isolation: Slot<string> }).isolation.provide('mpk', 'x') }),
        plugin('vmfunc', { setup: ({ slots }) => void (slots as unknown as { isolation: Slot<string> }).isolation.provide('vmfunc', 'y') }),
      ],
      'SLOT_TAKEN',
      'slot "isolation" has two providers, "mpk" and "vmfunc"; remove one of the two plugins',
    ],
  ])('%s', (_, plugins, code, message) => {
    expect(failure(...plugins)).toEqual([code, message]);
  });

  it('accepts pre-releases of a version in range', () => {
    expect(failure(plugin('a', { requires: { b: '>=0.1.0 <1.0.0' } }), plugin('b', { version: '0.2.0-rc.1' }))[0]).toBe('none');
  });
});

describe('options', () => {
  const tuned = definePlugin({
    name: 'tuned',
    version: '1.0.0',
    options: z.object({ cpus: z.number().int().positive().default(4), mode: z.enum(['fast', 'safe']).default('safe') }).strict(),
    setup(context, options) {
      context.onTeardown(() => seen.push(options));
    },
  });
  const seen: unknown[] = [];

  it('reach setup validated, with their defaults', () => {
    const { host: it } = host();
    it.setup([tuned({ mode: 'fast' })]);
    it.teardown();
    expect(seen).toEqual([{ cpus: 4, mode: 'fast' }]);
  });

  it('are refused when wrong, with plugin and path', () => {
    const [code, message] = failure(tuned({ cpus: -1, mode: 'slow' as 'fast' }));
    expect(code).toBe('INVALID_OPTIONS');
    expect(message).toMatch(/^plugin "tuned" was given wrong options: cpus: .+; mode: .+"fast"\|"safe"/);
    expect(failure(definePlugin({ name: 'plain', version: '1.0.0', setup() {} })({ cpus: 1 } as object))).toEqual([
      'INVALID_OPTIONS',
      'plugin "plain" takes no options, but was given cpus; leave them out',
    ]);
  });

  it('must be validated synchronously', () => {
    const slow = definePlugin({ name: 'slow', version: '1.0.0', options: z.object({}).refine(async () => true), setup() {} });
    expect(failure(slow())).toEqual(['INVALID_PLUGIN', 'plugin "slow" validates its options asynchronously; use a synchronous schema']);
  });

  it('are all checked before the first plugin is set up', () => {
    let ran = false;
    failure(
      plugin('eager', {
        setup: () => {
          ran = true;
        },
      }),
      tuned({ cpus: 0 }),
    );
    expect(ran).toBe(false);
  });
});

describe('a setup that throws', () => {
  it('is named, and leaves nothing plugged in', () => {
    const { host: it, bus, boot } = host();
    const undone: string[] = [];
    const good = plugin('good', {
      setup(context: PluginContext) {
        boot.tap(context.plugin, () => {});
        context.onTeardown(() => undone.push('good'));
      },
    });
    const bad = plugin('bad', {
      setup(context: PluginContext) {
        boot.tap(context.plugin, () => {});
        context.onTeardown(() => undone.push('bad'));
        throw new RangeError('no such CPU');
      },
    });
    expect(() => it.setup([good, bad])).toThrow(new BusError('SETUP_FAILED', 'plugin "bad" could not be set up: no such CPU'));
    expect(undone).toEqual(['bad', 'good']);
    expect(bus.describe().flatMap(({ plugins }) => plugins)).toEqual([]);
  });
});

describe('teardown', () => {
  it('runs in reverse, once', () => {
    const { host: it, boot } = host();
    const undone: string[] = [];
    const one = (name: string): Plugin =>
      plugin(name, {
        setup(context: PluginContext) {
          boot.tap(name, () => {});
          context.onTeardown(() => undone.push(`${name} 1, ${boot.taps.length} taps`));
          context.onTeardown(() => undone.push(`${name} 2, ${boot.taps.length} taps`));
        },
      });
    it.setup([one('a'), one('b')]);
    it.teardown();
    it.teardown();
    expect(undone).toEqual(['b 2, 2 taps', 'b 1, 2 taps', 'a 2, 1 taps', 'a 1, 1 taps']);
    expect(boot.tapped).toBe(false);
  });

  it('gives setup what the machine adds to the context', () => {
    const { host: it } = host();
    let seen: unknown;
    it.setup(
      [
        plugin('a', {
          setup: (context) => {
            seen = (context as unknown as { machine: string }).machine;
          },
        }),
      ],
      { machine: 'm' },
    );
    expect(seen).toBe('m');
  });
});
