import { definePlugin } from '@rpal/bus';
import { type Cpu, Vector } from '@rpal/hw-x86';
import type { Machine } from '@rpal/kernel';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { librpal, rpalExecutable } from '../../../packages/librpal/src/index.ts';
import { call, pair, serve } from '../../../packages/librpal/test/pair.ts';
import { smallMachine } from '../../../scripts/testing/run.ts';
import { amdNmi, type SampleTally, samplesOf } from '../src/index.js';

/** The CPU of the caller, on which the callee's code runs within a call, and another one. */
const [CALLERS, OTHER] = [1, 2] as const;

/**
 * A call in which an NMI meets the callee's code, so that its entry makes a lazy switch. In the middle of that switch another CPU
 * takes an NMI of its own, with `meanwhile`.
 */
function nmiInCall(fix: boolean, meanwhile: boolean): { tally: SampleTally; machine: Machine } {
  let armed = false;
  const between = definePlugin({
    name: 'nmi-in-between',
    version: '1.0.0',
    setup({ plugin, hooks }) {
      hooks.kernelYieldPoint.tap(plugin, (cpu, point) => {
        if (!armed || cpu.id !== CALLERS || point !== 'S->R: locked') return;
        armed = false;
        const other = machine.platform.cpus[OTHER] as Cpu;
        other.raise(Vector.nmi, other.clock);
        while (samplesOf(machine).nmis === 0) machine.platform.stepOnce(other);
      });
    },
  });
  const profiler = amdNmi({ programs: ['nobody'], fix, nmiWindowMs: 0 });
  const machine = smallMachine({ plugins: [rpal({ repair: 'all' }), profiler, between()] });
  let over = false;
  machine.spawn(
    rpalExecutable('busy', function* (p) {
      yield* p.setAffinity([OTHER]);
      // Kernel entries of registered threads are looked at.
      const lib = librpal(p);
      yield* lib.init(1);
      yield* lib.senderInit();
      while (!over) yield* p.compute(1000);
    }),
    OTHER,
  );
  pair(
    { machine },
    (end) =>
      serve(end, function* () {
        const { cpu } = end.p.context;
        expect(cpu.id).toBe(CALLERS);
        armed = meanwhile;
        cpu.raise(Vector.nmi, cpu.clock);
        yield* end.p.compute(1e4);
      }),
    function* (end) {
      yield* end.p.sleep(1e6);
      yield* call(end, 1);
      over = true;
    },
  );
  return { tally: samplesOf(machine), machine };
}

describe('an NMI that comes with a lazy switch', () => {
  it('is dropped without a word with patch 32', () => {
    const { tally, machine } = nmiInCall(true, false);
    expect(tally).toMatchObject({ nmis: 1, switches: 1, dropped: 1, unknown: 0 });
    expect(machine.kernel.entry.unknownNmis).toBe(0);
  });

  it('is an unknown NMI without it', () => {
    const { tally, machine } = nmiInCall(false, false);
    expect(tally).toMatchObject({ nmis: 1, switches: 1, dropped: 0, unknown: 1 });
    expect(machine.kernel.entry.unknownNmis).toBe(1);
  });

  it('is told from one that another CPU takes in the middle of the switch: that one is unknown', () => {
    const { tally, machine } = nmiInCall(true, true);
    expect(tally).toMatchObject({ nmis: 2, switches: 1, dropped: 1, unknown: 1 });
    expect(machine.kernel.entry.unknownNmis).toBe(1);
  });
});
