import { type BusError, definePlugin, type Plugin, type PluginDefinition, Slot } from '@rpal/bus';
import { createMachine, executable, type MachineError } from '@rpal/kernel';
import { noMpk } from '@rpal/no-mpk';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/** A plugin with what a test wants of it. */
function plugin(name: string, parts: Partial<PluginDefinition<object>> = {}, options?: unknown): Plugin {
  return definePlugin<object, unknown>({ name, version: '1.0.0', setup() {}, ...parts })(options);
}

/** What building a machine with these plugins throws. */
function build(...plugins: Plugin[]): BusError {
  try {
    createMachine({ plugins });
  } catch (error) {
    return error as BusError;
  }
  throw new Error('the machine was built');
}

const idle = { choose: () => ({ name: 'poll', monitored: true, wake: 0 }) };
const provide: Partial<PluginDefinition<object>> = { setup: ({ plugin: name, slots }) => void slots.idlePolicy.provide(name, idle) };

/** A plugin that asks for a seam by name. */
function uses(group: 'hooks' | 'slots' | 'events', name: string): Plugin {
  return plugin('asker', { setup: (context) => void (context[group] as unknown as Record<string, { name: string }>)[name]?.name });
}

/** What an author gets wrong; code, and the words in which the message names plugin, seam and remedy. */
const mistakes: readonly [what: string, code: string, make: () => Error & { code: string }, words: readonly string[]][] = [
  ['a missing requirement', 'MISSING_REQUIREMENT', () => build(noMpk()), ['"@rpal/no-mpk"', '"@rpal/rpal-core"', 'add that plugin']],
  [
    'a requirement cycle',
    'REQUIREMENT_CYCLE',
    () => build(plugin('a', { requires: { b: '*' } }), plugin('b', { requires: { a: '*' } })),
    ['a -> b -> a', 'drop one of these requirements'],
  ],
  [
    'an incompatible version range',
    'INCOMPATIBLE_VERSION',
    () => build(rpal(), plugin('old', { requires: { '@rpal/rpal-core': '>=9.0.0' } })),
    ['"old"', '"@rpal/rpal-core"', '>=9.0.0', 'install a version in that range'],
  ],
  ['two providers', 'SLOT_TAKEN', () => build(plugin('a', provide), plugin('b', provide)), ['"idlePolicy"', '"a"', '"b"', 'remove one']],
  [
    'a provider that the machine cannot work with',
    'SLOT_REFUSED',
    () =>
      build(
        plugin('x', {
          setup: ({ bus }) => bus.declare({ slots: { odd: new Slot('odd', { fallback: 1, refuse: () => 'is odd; use 2' }) } }),
        }),
      ),
    ['"odd"', 'its default', 'is odd; use 2'],
  ],
  [
    'a wrong option',
    'INVALID_OPTIONS',
    () => build(rpal(), noMpk({ isolation: 'sgx' as never })),
    ['"@rpal/no-mpk"', 'isolation', '"page-table"', '"vmfunc"', '"none"'],
  ],
  [
    'an option that is not known',
    'INVALID_OPTIONS',
    () => build(plugin('strict', { options: z.object({}).strict() }, { speed: 1 })),
    ['"strict"', 'speed'],
  ],
  [
    'options for a plugin that takes none',
    'INVALID_OPTIONS',
    () => build(plugin('plain', {}, { speed: 1 })),
    ['"plain"', 'speed', 'leave them out'],
  ],
  ['a conflict', 'CONFLICT', () => build(plugin('a', { conflicts: ['b'] }), plugin('b')), ['"a"', '"b"', 'remove one']],
  ['a version that is none', 'INVALID_PLUGIN', () => build(plugin('a', { version: 'one' })), ['"a"', '"one"', 'write it as 1.2.3']],
  [
    'a tap that answers later',
    'INVALID_PLUGIN',
    () =>
      build(
        plugin('lazy', {
          setup: ({ plugin: name, hooks }) => void hooks.mmFault.tap(name, (async () => {}) as unknown as () => undefined),
        }),
      ),
    ['"lazy"', '"mmFault"', 'use a plain function'],
  ],
  [
    'a plugin factory that was not called',
    'INVALID_PLUGIN',
    () => build(rpal as never),
    ['plugins[0] is the function that makes plugin "@rpal/rpal-core", not called', 'rpal() for rpal'],
  ],
  [
    'a definition without definePlugin',
    'INVALID_PLUGIN',
    () => build({ name: 'a', version: '1.0.0', setup() {} } as never),
    ['plugins[0] is a definition', 'give it to definePlugin'],
  ],
  ['something else for a plugin', 'INVALID_PLUGIN', () => build(rpal(), undefined as never), ['plugins[1] is undefined']],
  ['an unknown hook', 'UNKNOWN_SEAM', () => build(uses('hooks', 'mmFoult')), ['no hook "mmFoult"', 'did you mean "mmFault"?']],
  ['an unknown slot', 'UNKNOWN_SEAM', () => build(uses('slots', 'idlepolicy')), ['no slot "idlepolicy"', 'did you mean "idlePolicy"?']],
  ['an unknown event', 'UNKNOWN_SEAM', () => build(uses('events', 'wakeup')), ['no event "wakeup"', 'did you mean "wakeUp"?']],
  ['a seam of a plugin that is not there', 'UNKNOWN_SEAM', () => build(uses('events', 'rpalLazySwitch')), ['require that plugin']],
  [
    'a provider without its methods',
    'INVALID_PLUGIN',
    () => build(plugin('lazy', { setup: ({ slots }) => void slots.idlePolicy.provide('lazy', { chose: () => 1 } as never) })),
    ['"lazy"', '"idlePolicy"', 'lacks choose()'],
  ],
  [
    'an asynchronous setup',
    'INVALID_PLUGIN',
    () => build(plugin('later', { setup: (async () => {}) as never })),
    ['"later"', 'asynchronous setup', 'await before the machine is built'],
  ],
  [
    'a setup that returns a promise that fails',
    'INVALID_PLUGIN',
    () => build(plugin('later', { setup: (() => Promise.reject(new Error('too late'))) as never })),
    ['"later"', 'asynchronous setup'],
  ],
  [
    'a field of a definition that does not exist',
    'INVALID_PLUGIN',
    () => build(plugin('typo', { require: {} } as never)),
    ['"typo"', '"require"', 'did you mean "requires"?'],
  ],
  ['a definition without a name', 'INVALID_PLUGIN', () => build(plugin(undefined as never)), ['plugins[0]', 'undefined as its name']],
  ['a definition without a setup', 'INVALID_PLUGIN', () => build(plugin('a', { setup: 1 as never })), ['"a"', '1 as setup']],
  ['a range that is none', 'INVALID_PLUGIN', () => build(plugin('a', { requires: { b: 7 as never } })), ['"a"', '"b"', '7', '^1.2.0']],
  ['requirements as a list', 'INVALID_PLUGIN', () => build(plugin('a', { requires: ['b'] as never })), ['an array of 1', "'^0.1.0'"]],
  ['a schema that is none', 'INVALID_PLUGIN', () => build(plugin('a', { options: {} as never })), ['"a"', 'no Standard Schema']],
  [
    'a number for the options of a plugin that takes none',
    'INVALID_OPTIONS',
    () => build(plugin('plain', {}, 7)),
    ['"plain"', '7', 'leave it out'],
  ],
  [
    'no function for onTeardown',
    'INVALID_PLUGIN',
    () => build(plugin('a', { setup: ({ onTeardown }) => onTeardown(undefined as never) })),
    ['"a"', 'undefined', 'onTeardown'],
  ],
  ['the same plugin twice', 'DUPLICATE_PLUGIN', () => build(rpal(), rpal()), ['"@rpal/rpal-core"', 'give it once']],
];

describe('what a plugin author gets wrong', () => {
  it.each(mistakes)('%s (%s) is told with plugin, seam and remedy', (_what, code, make, words) => {
    const error = make();
    expect(error.code).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });

  it('a tap after the machine was built', () => {
    const machine = createMachine();
    expect(() => machine.bus.hooks.schedSwitch.tap('late', () => {})).toThrow(
      'plugin "late" tapped "schedSwitch" after the machine was sealed; tap hooks in the plugin\'s setup()',
    );
  });

  it('a tap whose answer is out of range: with plugin, seam and range, and where', () => {
    const wild = plugin('wild', { setup: ({ hooks }) => void hooks.mmNewKey.tap('wild', () => 16) });
    const machine = createMachine({ plugins: [wild] });
    machine.spawn(
      executable('mapper', function* (p) {
        yield* p.allocate(4096);
      }),
    );
    expect(() => machine.run()).toThrow(
      /plugin "wild" answered "mmNewKey" with 16, which is no whole number from 0 to 15; the machine stopped on CPU 0 at \d+ TSC cycles/,
    );
  });

  it('a tap that throws in mid-run: with time, CPU and task', () => {
    const brittle = plugin('brittle', {
      setup({ plugin: name, hooks }) {
        hooks.mmFault.tap(name, () => {
          throw new Error('no idea');
        });
      },
    });
    const machine = createMachine({ plugins: [brittle] });
    machine.spawn(
      executable('toucher', function* (p) {
        yield* p.store8(yield* p.allocate(4096), 1);
      }),
    );
    let error: MachineError | null = null;
    try {
      machine.run();
    } catch (thrown) {
      error = thrown as MachineError;
    }
    expect(error?.code).toBe('PLUGIN_FAILED');
    expect(error?.message).toMatch(
      /plugin "brittle" threw in its tap of "mmFault": no idea; the machine stopped on CPU 0 at \d+ TSC cycles \(.* us\), where toucher \(thread 1, state \w+\) ran\. Repair the tap/,
    );
    expect(machine.describe()).toContainEqual({ kind: 'hook', name: 'mmFault', plugins: ['brittle'] });
    // What is half done is no result: nothing can be had from the machine any more.
    expect(() => machine.run()).toThrow(/this machine was stopped by an error; build another one\. It was: .*"brittle"/);
    expect(() => machine.fingerprint()).toThrow(/"brittle" threw in its tap of "mmFault"/);
  });
});
