import { amdNmi } from '@rpal/amd-nmi';
import type { Plugin } from '@rpal/bus';
import { createMachine, executable, type Program } from '@rpal/kernel';
import { type LibRpal, librpal, rpalExecutable } from '@rpal/librpal';
import { mshare } from '@rpal/mshare';
import { noMpk } from '@rpal/no-mpk';
import { rpal, rpalOf, rpalThread } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import {
  byChance,
  decodeRecording,
  exhaustive,
  Run,
  repairNamed,
  type Scenario,
  scenarioNamed,
  searchAll,
  searchAtRandom,
  shrink,
} from '../../packages/explore/src/index.js';

/** What `work` throws. */
function thrown(work: () => unknown): Error & { code: string } {
  try {
    work();
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

const build = (...plugins: Plugin[]) => thrown(() => createMachine({ plugins }));

/** What a service gets wrong. */
function service(body: (lib: LibRpal, p: Program) => Generator<void, unknown>) {
  const machine = createMachine({ plugins: [rpal()] });
  machine.spawn(
    rpalExecutable('service', function* (p) {
      yield* body(librpal(p), p);
    }),
  );
  return thrown(() => machine.run());
}

const scenario = scenarioNamed('pure-call');
const far = { receiver: 0, fd: 3, timestamp: 1 };
const none = undefined as never;

const mistakes: readonly [what: string, code: string, error: () => Error & { code: string }, words: readonly string[]][] = [
  // rpal-core
  ['a quirk that there is not', 'INVALID_OPTIONS', () => build(rpal({ repair: ['tlb-range' as never] })), ['repair', '"tlb-range"']],
  ['a word for what is to be repaired', 'INVALID_OPTIONS', () => build(rpal({ repair: 'some' as never })), ['repair', "or 'all'"]],
  ['a patch that closes no race', 'INVALID_OPTIONS', () => build(rpal({ without: [16 as never] })), ['without', '16']],
  ['a machine without RPAL', 'MISSING_REQUIREMENT', () => thrown(() => rpalOf(createMachine())), ['@rpal/rpal-core', 'add rpal()']],
  [
    'a thread of a machine without RPAL',
    'MISSING_REQUIREMENT',
    () => {
      const machine = createMachine();
      const main = function* (p: Program) {
        rpalThread(p.context.thread);
        yield* p.getpid();
      };
      machine.spawn(executable('plain', main));
      return thrown(() => machine.run());
    },
    ['"plain"', '@rpal/rpal-core', 'add rpal()'],
  ],
  // librpal
  ['no program for the library', 'INVALID_ARGUMENT', () => thrown(() => librpal(none)), ['the program is undefined', 'function* (p)']],
  ['an executable without a program', 'NOT_A_PROGRAM', () => thrown(() => rpalExecutable('x', none)), ['"x"', 'function* (p)']],
  ['a number of receivers that is none', 'INVALID_ARGUMENT', () => service((lib) => lib.init(Number.NaN)), ['service (process 1)', 'NaN']],
  [
    'no receiver to call',
    'INVALID_ARGUMENT',
    () => service((lib) => one(lib.writePtrs(1, none, 4096, 1))),
    ['rpalfd is undefined', 'findReceiver'],
  ],
  [
    'a text for words',
    'INVALID_ARGUMENT',
    () => service((lib) => one(lib.writePtrs(1, far, 'words' as never, 1))),
    ['rpal_write_ptrs', 'numbers'],
  ],
  [
    'no number of words',
    'INVALID_ARGUMENT',
    () => service((lib) => one(lib.writePtrs(1, far, 4096, Number.NaN))),
    ['rpal_write_ptrs', 'NaN'],
  ],
  ['no descriptor to read', 'INVALID_ARGUMENT', () => service((lib) => one(lib.readPtrs(none, 4096, 1))), ['rpal_read_ptrs', 'numbers']],
  ['nowhere for events', 'INVALID_ARGUMENT', () => service((lib) => one(lib.epollWait(3, none, 1, -1))), ['rpal_epoll_wait', 'numbers']],
  [
    'a text for a key',
    'INVALID_ARGUMENT',
    () => service((lib) => afterInit(lib, () => lib.requestService('key' as never))),
    ['service (process 1)', '"key"'],
  ],
  [
    'a function that is no generator for memory of a peer',
    'INVALID_ARGUMENT',
    () => service((lib) => lib.readAccessSafety((() => 1) as never)),
    ['rpal_read_access_safety', '1', 'generator function'],
  ],
  // explore
  ['a scenario that there is not', 'UNKNOWN_NAME', () => thrown(() => scenarioNamed('two-sender')), ['"two-sender"', 'two-senders']],
  ['a name for a scenario', 'INVALID_ARGUMENT', () => thrown(() => new Run('two-senders' as never, {})), ['two-senders', 'scenarioNamed']],
  ['no scenario', 'INVALID_ARGUMENT', () => thrown(() => searchAtRandom(none, {}, 1)), ['undefined', 'scenarioNamed']],
  ['half a scenario', 'INVALID_ARGUMENT', () => thrown(() => new Run({ name: 'half' } as Scenario, {})), ['no setUp']],
  [
    'a search without an end by mistake',
    'INVALID_ARGUMENT',
    () => thrown(() => searchAll(scenario, {}, { runs: Number.NaN })),
    ['runs: NaN'],
  ],
  [
    'deviations below none',
    'INVALID_ARGUMENT',
    () => thrown(() => [...exhaustive(scenario, {}, { runs: 1, deviations: -1 })]),
    ['deviations: -1'],
  ],
  ['half a run', 'INVALID_ARGUMENT', () => thrown(() => [...byChance(scenario, {}, { runs: 0.5 })]), ['runs: 0.5', 'whole number']],
  [
    'nothing to make shorter',
    'INVALID_ARGUMENT',
    () => thrown(() => shrink(scenario, {}, null as never)),
    ['failure: null', 'a search has found'],
  ],
  [
    'an option of RPAL in a search',
    'INVALID_OPTIONS',
    () => thrown(() => new Run(scenario, { repair: ['x' as never] })),
    ['repair', '"x"'],
  ],
  ['a recording that is none', 'UNKNOWN_NAME', () => thrown(() => decodeRecording('here:1=2')), ['"here"']],
  ['a quirk in a recording that there is not', 'UNKNOWN_NAME', () => thrown(() => repairNamed('tlb')), ['"tlb"']],
  // plugins
  ['an isolation that there is not', 'INVALID_OPTIONS', () => build(rpal(), noMpk({ isolation: 'sgx' as never })), ['isolation', '"none"']],
  ['options for mshare that it does not have', 'INVALID_OPTIONS', () => build(rpal(), mshare({ speed: 1 } as never)), ['mshare', 'speed']],
  ['a fix that is no yes or no', 'INVALID_OPTIONS', () => build(rpal(), amdNmi({ fix: 'yes' } as never)), ['amd-nmi', 'fix']],
  [
    'NMIs of AMD without RPAL',
    'MISSING_REQUIREMENT',
    () => build(amdNmi({ programs: ['server'] })),
    ['@rpal/amd-nmi', '@rpal/rpal-core', 'add that plugin'],
  ],
  ['no keys without RPAL', 'MISSING_REQUIREMENT', () => build(noMpk()), ['@rpal/no-mpk', '@rpal/rpal-core', 'add that plugin']],
];

function* one<T>(call: Iterable<void, T>): Generator<void, T> {
  return yield* call;
}

/** As `routine`, of a library that is initialised. */
function* afterInit(lib: LibRpal, routine: () => Iterable<void, unknown>): Generator<void, unknown> {
  yield* lib.init(1);
  return yield* routine();
}

describe('what an author of experiments with RPAL gets wrong', () => {
  it.each(mistakes)('%s (%s) is told with what would be right', (_what, code, make, words) => {
    const error = make();
    expect(error.code, `${error.name}: ${error.message}`).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
  });
});
