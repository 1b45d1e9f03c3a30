import type { Plugin } from '@rpal/bus';
import { createMachine, type Machine, type MachineOptions } from '@rpal/kernel';

/** A machine for measurements: with what is measured plugged in before all else, and sleeps that end when they should. */
export function machineWith(plugins: readonly Plugin[], options: MachineOptions): Machine {
  return createMachine({ timerSlack: 0, ...options, plugins: [...plugins, ...(options.plugins ?? [])] });
}
