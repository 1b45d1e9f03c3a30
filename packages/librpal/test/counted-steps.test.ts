import { allSteps, type CpuProfile, profiles } from '@rpal/hw-x86';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { mustEnd, smallMachine } from '../../../scripts/testing/run.ts';
import { type LibraryBuild, type LibSteps, librpal, optimised, rpalExecutable, unoptimised } from '../src/index.js';
import { type Caller, pair, serve } from './pair.js';

/** The 8336C with the figures of the computer on which the library was timed: clock, and cycles per instruction from its two builds. */
const TIMED: CpuProfile = {
  ...(profiles[0] as CpuProfile),
  cpi: {
    kernel: (profiles[0] as CpuProfile).cpi.kernel,
    user: { low: 0.22, central: 0.22, high: 0.22, source: 'both builds, timed on Emerald Rapids', status: 'measured' },
  },
};

/** The steps between `rpal_write_ptrs` and the end of `rpal_read_ptrs`: what was timed. */
const FORWARD = [
  ...['callReload', 'callRefetch', 'writeEnter', 'openPeer', 'findReceiver', 'fdGet', 'queueLock', 'dataPut', 'readyAppend', 'queueUnlock'],
  ...['callBegin', 'callStamp', 'callJump', 'arrive', 'collectBegin', 'collectOne', 'collectEnd', 'readPtrs'],
];

/** TSC cycles of the library from `rpal_write_ptrs` to the end of `rpal_read_ptrs`, four words, after `between`. */
function forward(build: LibraryBuild, between: (end: Caller) => Generator<void, unknown>): number {
  const machine = smallMachine({ plugins: [rpal()], profile: TIMED, coreGHz: 2.9 });
  let cycles = 0;
  pair(
    { machine },
    (end) => serve(end, function* () {}),
    function* (end) {
      const { p, lib, server, far, words } = end;
      const { steps } = build;
      const ids = FORWARD.map((name) => steps[name as keyof typeof steps]);
      const { ownLedger, costs } = p.context.cpu;
      const booked = (): number => ids.reduce((sum, id) => sum + ownLedger.booked(id), 0);
      for (let i = 0; i < 3; i++) {
        yield* between(end);
        const before = booked();
        expect(yield* lib.writePtrs(server, far, words, 4)).toBe(4);
        cycles = booked() - before;
      }
      // The callee asks once more, and is told that there is nothing; two changes of rights are booked elsewhere.
      cycles += 2 * costs.primitive('wrpkru') - (costs.step[steps.readPtrs] as number);
    },
    build,
  );
  return cycles;
}

function* nothing(): Generator<void, void> {}

function* twoCalls({ p }: Caller): Generator<void, void> {
  yield* p.getppid();
  yield* p.getppid();
}

function* otherTask(end: Caller): Generator<void, void> {
  yield* twoCalls(end);
  yield* end.p.sleep(1000);
}

/** Timed on Emerald Rapids at 2.9 GHz, with the price of the key instructions, which that CPU has not: hot; after two system calls; after switches. */
describe.each([
  [unoptimised, 688, 853, 912],
  [optimised, 520, 546, 582],
] as const)('the library at -$name takes as long as it was timed', (build, hot, called, switched) => {
  it.each([
    ['nothing in between', nothing, hot],
    ['two system calls in between', twoCalls, called],
    ['another task in between', otherTask, switched],
  ])('with %s', (_name, between, timed) => {
    const error = forward(build, between) / timed - 1;
    expect(Math.abs(error)).toBeLessThan(0.05);
  });
});

describe('the build of the library', () => {
  const ended = (main: Parameters<typeof rpalExecutable>[1]): unknown => {
    const machine = smallMachine({ plugins: [rpal()] });
    let result: unknown;
    machine.spawn(
      rpalExecutable('p', function* (p) {
        mustEnd(p, 'anyhow');
        try {
          yield* main(p) as Generator<void, void>;
        } catch (error) {
          result = (error as Error).message;
        }
      }),
    );
    machine.run();
    return result;
  };

  it('is one of two', () => {
    expect(
      ended(function* (p) {
        yield* librpal(p, { build: 'O3' as unknown as LibraryBuild }).init(1);
      }),
    ).toBe('librpal: the build is O3; give unoptimised or optimised');
  });

  it('is that of the process: its threads cannot have another one', () => {
    expect(
      ended(function* (p) {
        librpal(p, { build: optimised });
        librpal(p);
        yield* librpal(p, { build: unoptimised }).init(1);
      }),
    ).toBe('librpal: the build is O0; give that of its process, O2');
  });
});

describe('instructions and events of one message, as they were counted', () => {
  const names = FORWARD.slice(2) as readonly (keyof LibSteps)[];
  it.each([
    [unoptimised, 1676],
    [optimised, 717],
  ] as const)('at -$name: those of the switch itself are in its price', ({ steps }, instructions) => {
    const defined = names.map((name) => allSteps()[steps[name]]);
    expect(defined.reduce((sum, step) => sum + ((step?.instructions as number) ?? 0), 0)).toBe(instructions);
    const events: Record<string, number> = {};
    for (const step of defined) for (const [name, count] of Object.entries(step?.events ?? {})) events[name] = (events[name] ?? 0) + count;
    expect(events).toEqual({ lockedOp: 15, rdpkru: 3, rdfsbase: 1, wrfsbase: 1, rdtsc: 1, stackSwitch: 1, fpControl: 0.5, mispredict: 2 });
  });
});
