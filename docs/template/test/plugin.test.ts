import { createMachine, executable, type Machine, Time } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { type PluginNameOptions, pluginName } from '../src/index.js';

/** Runs a program that sleeps three times. */
function run(options?: PluginNameOptions): Machine {
  const machine = createMachine({ plugins: options === undefined ? [] : [pluginName(options)] });
  machine.spawn(
    executable('sleeper', function* (p) {
      for (let i = 0; i < 3; i++) yield* p.sleep(Time.us);
    }),
  );
  machine.run();
  return machine;
}

describe('plugin-name', () => {
  it('reports every sleep, in the order of time', () => {
    const times: number[] = [];
    run({ report: (task, time) => task === 'sleeper' && times.push(time) });
    expect(times).toHaveLength(3);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('only watches: the machine comes out the same without it', () => {
    expect(run({ report: () => {} }).fingerprint()).toBe(run().fingerprint());
  });

  it('refuses options that are none', () => {
    expect(() => run({ report: 1 } as never)).toThrow(/plugin-name.*report.*must be a function/s);
  });
});
