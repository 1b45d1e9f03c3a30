import { type BusError, definePlugin, type Plugin, type PluginDefinition, Slot } from '@rpal/bus';
import { profiles } from '@rpal/hw-x86';
import {
  type Call,
  createMachine,
  DeadlockError,
  executable,
  type Machine,
  type MachineError,
  type MachineOptions,
  type Main,
  type Program,
} from '@rpal/kernel';
import { noMpk } from '@rpal/no-mpk';
import { rpal } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
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
    ['plugins[0] is the function that makes plugin "@rpal/rpal-core", not called', 'myPlugin() for myPlugin'],
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
  ['a schema that is none', 'INVALID_PLUGIN', () => build(plugin('a', { options: {} as never })), ['"a"', 'not a Standard Schema']],
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
      /plugin "wild" answered "mmNewKey" with 16, which is not a whole number from 0 to 15; the machine stopped on CPU 0 at \d+ TSC cycles/,
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
    // What is half done is not a result: nothing can be had from the machine any more.
    expect(() => machine.run()).toThrow(/this machine was stopped by an error; build another one\. It was: .*"brittle"/);
    expect(() => machine.fingerprint()).toThrow(/"brittle" threw in its tap of "mmFault"/);
  });
});

const idler: Main = function* (p) {
  yield* p.compute(1);
};

/** What `use` throws, given a machine. */
function misuse(use: (machine: Machine) => unknown): MachineError {
  const machine = createMachine();
  try {
    use(machine);
  } catch (error) {
    return error as MachineError;
  }
  throw new Error('nothing was thrown');
}

/** What building a machine with these options throws. */
function option(options: unknown): MachineError {
  return misuse(() => createMachine(options as MachineOptions));
}

/** What running a program throws. */
function running(main: unknown): MachineError {
  return misuse((machine) => {
    machine.spawn(executable('main', main as Main));
    machine.run();
  });
}

const wrongUses: readonly [what: string, code: string, make: () => Error & { code: string }, words: readonly string[]][] = [
  ['an option that does not exist', 'INVALID_OPTION', () => option({ profil: 'x' }), ['no option "profil"', 'did you mean "profile"?']],
  ['an option that is like none', 'INVALID_OPTION', () => option({ cpus: 4 }), ['no option "cpus"', 'it has profile, plugins, costs']],
  ['no options at all', 'INVALID_OPTION', () => option(null), ['null', "{ profile: 'xeon-platinum-8336c' }"]],
  [
    'an unknown profile',
    'INVALID_OPTION',
    () => option({ profile: 'xeon-platinum-8336' }),
    ['did you mean "xeon-platinum-8336c"?', 'epyc-7713'],
  ],
  ['a number for a profile', 'INVALID_OPTION', () => option({ profile: 8336 }), ['8336', 'neither a CPU profile nor the name of one']],
  ['half a profile', 'INVALID_PROFILE', () => option({ profile: { name: 'half' } }), ['topology']],
  ['a cost level that is none', 'INVALID_OPTION', () => option({ costs: 'median' }), ['costs: "median"', '"low", "central", "high"']],
  ['a clock of 0 GHz', 'INVALID_OPTION', () => option({ coreGHz: 0 }), ['coreGHz: 0', 'give one such as 3.2']],
  ['a seed that is none', 'INVALID_OPTION', () => option({ seed: 0.5 }), ['seed: 0.5', 'integer below 2^53']],
  ['a tick that Linux does not have', 'INVALID_OPTION', () => option({ hz: 60 }), ['hz: 60', '100, 250, 300, 1000']],
  ['an idle state that the CPU lacks', 'INVALID_OPTION', () => option({ idle: 'C7' }), ['idle on xeon-platinum-8336c: "C7"', '"C1E"']],
  ['a text for a model', 'INVALID_OPTION', () => option({ caches: 'yes' }), ['caches: "yes"', 'dataCaches']],
  ['a text for a switch', 'INVALID_OPTION', () => option({ unixCloseSkipsEmptyMessage: 'yes' }), ['"yes"', 'true, false']],
  ['a mode of huge pages that is none', 'INVALID_OPTION', () => option({ hugePages: 'alway' }), ['did you mean "always"?']],
  ['a slack below 0', 'INVALID_OPTION', () => option({ timerSlack: -1 }), ['timerSlack: -1', 'give 0 or more']],
  ['a plugin outside a list', 'INVALID_PLUGIN', () => option({ plugins: rpal() }), ['plugins is an object', 'give an array']],
  [
    'a CPU that is not there',
    'NO_SUCH_CPU',
    () => misuse((machine) => machine.spawn(executable('a', idler), 128)),
    ['cpu: 128', '0 to 127'],
  ],
  ['half a CPU', 'NO_SUCH_CPU', () => misuse((machine) => machine.spawn(executable('a', idler), 0.5)), ['cpu: 0.5']],
  [
    'a program in place of an executable',
    'NOT_EXECUTABLE',
    () => misuse((machine) => machine.spawn(idler as never)),
    ['the function idler', 'executable('],
  ],
  ['nothing in place of an executable', 'NOT_EXECUTABLE', () => misuse((machine) => machine.spawn(undefined as never)), ['undefined']],
  ['an executable without a name', 'NOT_EXECUTABLE', () => misuse(() => executable('', idler)), ['whose name is ""']],
  [
    'an executable with half an ELF header',
    'NOT_EXECUTABLE',
    () => misuse(() => executable('a', idler, { ident: new Uint8Array(4) })),
    ['"a"', '16 bytes'],
  ],
  [
    'segments that are none',
    'NOT_EXECUTABLE',
    () => misuse(() => executable('a', idler, { segments: [{}] as never })),
    ['"a"', 'segments'],
  ],
  ['an async program', 'NOT_A_PROGRAM', () => misuse(() => executable('a', (async () => {}) as never)), ['"a"', 'async', 'function* (p)']],
  ['no program', 'NOT_A_PROGRAM', () => misuse(() => executable('a', 7 as never)), ['"a"', '7']],
  [
    'a program that is not a generator function',
    'NOT_A_PROGRAM',
    () => running(() => 5),
    ['the program of main', 'returned 5', 'function* (p)'],
  ],
  ['a program that returns nothing', 'NOT_A_PROGRAM', () => running(() => {}), ['returned undefined']],
  ['a run that is to end at no time', 'INVALID_ARGUMENT', () => misuse((machine) => machine.run(Number.NaN)), ['until is NaN']],
  [
    'an option of run that does not exist',
    'INVALID_ARGUMENT',
    () => misuse((machine) => machine.run({ death: 'report' } as never)),
    ['did you mean "deaths"?'],
  ],
  [
    'deaths that are to be something else',
    'INVALID_ARGUMENT',
    () => misuse((machine) => machine.run({ deaths: false } as never)),
    ['deaths is false', "'report'"],
  ],
  [
    'a run within a run',
    'RUNNING',
    () =>
      misuse((machine) => {
        machine.spawn(
          executable('a', function* (p) {
            yield* p.getpid();
            machine.run();
          }),
        );
        machine.run();
      }),
    ['within a run'],
  ],
  [
    'a machine that was torn down',
    'TORN_DOWN',
    () =>
      misuse((machine) => {
        machine.teardown();
        machine.spawn(executable('a', idler));
      }),
    ['torn down', 'build another one'],
  ],
  [
    'a package in a version that is not here',
    'INCOMPATIBLE_VERSION',
    () => build(plugin('old', { requires: { '@rpal/kernel': '^0.0.1' } })),
    ['"old"', '"@rpal/kernel" ^0.0.1', 'version 0.', 'is here'],
  ],
  [
    'a package that does not exist',
    'MISSING_REQUIREMENT',
    () => build(plugin('a', { requires: { '@rpal/kernl': '*' } })),
    ['did you mean "@rpal/kernel"?'],
  ],
];

/** What a program gets wrong in one call. */
const wrongCalls: readonly [what: string, code: string, call: (p: Program) => Generator<void, unknown>, words: readonly string[]][] = [
  [
    'a text for a descriptor',
    'INVALID_ARGUMENT',
    (p) => one(p.read('3' as never, 0, 8)),
    ['main (process 1)', 'argument 1 of read is "3"'],
  ],
  ['null for an address', 'INVALID_ARGUMENT', (p) => one(p.munmap(null as never, 4096)), ['argument 1 of munmap is null']],
  ['NaN for a time', 'INVALID_ARGUMENT', (p) => one(p.sleep(Number.NaN)), ['argument 1 of nanosleep is NaN']],
  ['a bigint for an address', 'INVALID_ARGUMENT', (p) => one(p.mprotect(0n as never, 4096, 1)), ['argument 1 of mprotect is 0']],
  ['an object for a signal', 'INVALID_ARGUMENT', (p) => one(p.kill(1, {} as never)), ['argument 2 of kill is an object']],
  ['a call that is named', 'INVALID_ARGUMENT', (p) => one(p.syscall('read' as never)), ['"read" is not a system-call number']],
  ['a number for a path', 'INVALID_ARGUMENT', (p) => one(p.open(7 as never, 0)), ['open', '7', 'give a string']],
  ['no name for a socket', 'INVALID_ARGUMENT', (p) => one(p.connect(0, undefined as never)), ['connect', 'undefined']],
  ['no segments', 'INVALID_ARGUMENT', (p) => one(p.readv(0, [{ address: 1 } as never])), ['segments of readv', '{ address, length }']],
  ['no header', 'INVALID_ARGUMENT', (p) => one(p.sendmsg(0, null as never)), ['header of sendmsg is null']],
  ['an affinity that is none', 'INVALID_ARGUMENT', (p) => one(p.setAffinity(2 as never)), ['affinity is 2', 'CpuSet']],
  ['a fork without a program', 'NOT_A_PROGRAM', (p) => one(p.fork(undefined as never)), ['the child of main', 'undefined']],
  ['a thread that is async', 'NOT_A_PROGRAM', (p) => one(p.clone((async () => {}) as never)), ['the thread of main', 'async']],
  ['exec of a program', 'NOT_EXECUTABLE', (p) => one(p.exec(idler as never)), ['exec was given the function idler']],
  ['a handler that is none', 'INVALID_ARGUMENT', (p) => one(p.sigaction(10, 'stop' as never)), ['"stop"', "'default', 'ignore'"]],
  ['a handler that is no generator', 'NOT_A_PROGRAM', handleBadly, ['main, handler of SIGUSR1', 'returned undefined']],
  ['a load from nowhere', 'INVALID_ARGUMENT', (p) => one(p.load64(undefined as never)), ['an address is undefined']],
  ['a store of nothing', 'INVALID_ARGUMENT', (p) => one(p.store8(0, 'x' as never)), ['a value to store is "x"']],
  ['a text for bytes', 'INVALID_ARGUMENT', (p) => one(p.storeBytes(0, 'hello' as never)), ['bytes of storeBytes', 'Uint8Array']],
  ['a length that is none', 'INVALID_ARGUMENT', (p) => one(p.memset(0, 0, Number.NaN)), ['a length is NaN']],
  ['work that takes less than no time', 'INVALID_ARGUMENT', (p) => one(p.compute(-1)), ['compute', '-1', '0 or more']],
];

function* one(call: Call): Generator<void, unknown> {
  return yield* call;
}

function* handleBadly(p: Program): Generator<void, void> {
  yield* p.sigaction(Signal.USR1, (() => {}) as never);
  yield* p.kill(yield* p.getpid(), Signal.USR1);
}

describe('what a program gets wrong', () => {
  it.each(wrongCalls)('%s (%s) is told with the process, the call and what would be right', (_what, code, call, words) => {
    const error = running(function* (p: Program) {
      yield* call(p);
    });
    expect(error.code, error.message).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });
});

describe('what a user gets wrong', () => {
  it.each(wrongUses)('%s (%s) is told with what would be right', (_what, code, make, words) => {
    const error = make();
    expect(error.code, error.message).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });

  it('gets a profile by its name', () => {
    expect(createMachine({ profile: 'epyc-7713' }).platform.profile).toBe(profiles.find(({ name }) => name === 'epyc-7713'));
  });

  it('may leave options undefined', () => {
    expect(createMachine({ coreGHz: undefined, seed: undefined } as never).platform.profile.name).toBe('xeon-platinum-8336c');
  });

  it('is told of a deadlock: for each thread the call, its arguments, what it waits for, and since when', () => {
    const machine = createMachine();
    machine.spawn(
      executable('reader', function* (p) {
        const fd = yield* p.pipe();
        yield* p.clone(function* (thread) {
          yield* thread.futexWait(yield* thread.allocate(4096), 0);
        });
        yield* p.read(fd, yield* p.allocate(4096), 32);
      }),
    );
    let error: unknown;
    try {
      machine.run();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(DeadlockError);
    const { message, threads } = error as DeadlockError;
    expect(message).toMatch(
      /these wait: reader \(process 1\) in read\(fd 0, buf 0x[0-9a-f]+, count 32\), for .*pipe.*, since \d+ TSC cycles \([\d.]+ us\); reader \(process 1, thread 2\) in futex\(uaddr 0x[0-9a-f]+, op FUTEX_WAIT/,
    );
    expect(threads).toMatchObject([
      { pid: 1, tid: 1 },
      { pid: 1, tid: 2, target: expect.stringContaining('futex') },
    ]);
  });

  it('is told in a deadlock who had died before', () => {
    const machine = createMachine();
    machine.spawn(
      executable('server', function* (p) {
        yield* p.load8(0);
      }),
    );
    machine.spawn(
      executable('client', function* (p) {
        yield* p.pause();
      }),
      1,
    );
    expect(() => machine.run({ deaths: 'report' })).toThrow(
      /client \(process 2\) in pause\(\).*\. Before, server \(process 1\) died of SIGSEGV/,
    );
  });
});
