import { definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { LazySwitch } from '@rpal/rpal-core';

/** Lazy switches of one direction. */
export interface SwitchTally {
  count: number;
  /** TSC cycles between the kernel's entry code and the moment it goes on as the other task. */
  cycles: number;
}

/** Times every lazy switch of a machine: from the tap before rpal-core's own to the event that announces the switch. */
export class LazySwitchMeter {
  /** The kernel takes up the receiver that the caller had jumped to: a system call, fault or interrupt within a call. */
  readonly toReceiver: SwitchTally = { count: 0, cycles: 0 };
  /** The kernel goes back to the caller: the first entry after the call has returned. */
  readonly toSender: SwitchTally = { count: 0, cycles: 0 };
  readonly plugin: Plugin;

  constructor() {
    this.plugin = definePlugin({
      name: '@rpal/bench:lazy-switch-meter',
      version: '0.1.0',
      requires: { '@rpal/kernel': '^0.3.0', '@rpal/rpal-core': '^0.3.0' },
      setup: ({ plugin, hooks, bus, machine }) => {
        const entered = new Float64Array(machine.platform.cpus.length);
        const note = (cpu: Cpu): void => {
          entered[cpu.id] = cpu.clock;
        };
        hooks.kernelEntry.tap(plugin, note, -1);
        bus.events.rpalLazySwitch.on(plugin, (cpu, time, _from, _to, direction) => {
          const tally = direction === LazySwitch.TO_RECEIVER ? this.toReceiver : this.toSender;
          tally.count++;
          tally.cycles += time - (entered[cpu] as number);
        });
      },
    })();
  }
}
