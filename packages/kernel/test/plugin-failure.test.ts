import { definePlugin, TapError } from '@rpal/bus';
import { describe, expect, it } from 'vitest';
import { createMachine, executable, MachineError, Time } from '../src/index.js';

/** A machine whose plugin throws at the third switch away from a program that sleeps. */
function failing() {
  let switches = 0;
  const plugin = definePlugin<object>({
    name: 'brittle',
    version: '1.0.0',
    setup({ plugin, hooks }) {
      hooks.schedSwitch.tap(plugin, (_cpu, prev) => {
        if (prev.name === 'sleeper' && ++switches === 3) throw new RangeError('ran out of patience');
      });
    },
  });
  const machine = createMachine({ plugins: [plugin()] });
  machine.spawn(
    executable('sleeper', function* (p) {
      for (;;) yield* p.sleep(Time.us);
    }),
    2,
  );
  return machine;
}

/** What `act` throws. */
function thrownBy(act: () => unknown): MachineError {
  try {
    act();
  } catch (error) {
    return error as MachineError;
  }
  throw new Error('nothing was thrown');
}

describe('a tap that throws in mid-run', () => {
  it('stops the machine with plugin, seam, reason, time, CPU and what ran', () => {
    const error = thrownBy(() => failing().run());
    expect(error).toBeInstanceOf(MachineError);
    expect(error.code).toBe('PLUGIN_FAILED');
    expect(error.message).toMatch(
      /^plugin "brittle" threw in its tap of "schedSwitch": ran out of patience; the machine stopped on CPU 2 at \d+ TSC cycles \([\d.]+ us\), where swapper\/2 \(thread \d+, state \d+\) ran\. Repair the tap, and build another machine$/,
    );
    expect(error.cause).toBeInstanceOf(TapError);
    expect((error.cause as TapError).cause).toBeInstanceOf(RangeError);
  });

  it('at the same time in every run', () => {
    expect(thrownBy(() => failing().run()).message).toBe(thrownBy(() => failing().run()).message);
  });

  it('leaves nothing that could be taken for a result: neither another run nor a fingerprint', () => {
    const machine = failing();
    thrownBy(() => machine.run());
    for (const act of [() => machine.run(), () => machine.fingerprint()]) {
      const error = thrownBy(act);
      expect(error.code).toBe('STOPPED');
      expect(error.message).toMatch(/build another one. It was: plugin "brittle" threw/);
    }
  });
});

describe('a program that throws', () => {
  it('ends the run with its own error', () => {
    const machine = createMachine();
    const problem = new Error('the program gave up');
    machine.spawn(
      // biome-ignore lint/correctness/useYield: it throws before its first call
      executable('quitter', function* () {
        throw problem;
      }),
    );
    expect(thrownBy(() => machine.run())).toBe(problem);
    expect(thrownBy(() => machine.fingerprint()).code).toBe('STOPPED');
  });
});
