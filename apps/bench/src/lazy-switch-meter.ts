import { definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { RpalFlag, rpalOf } from '@rpal/rpal-core';

/** Lazy switches of one direction. */
export interface SwitchTally {
  count: number;
  /** TSC cycles between the kernel's entry code and the moment it goes on as the other task. */
  cycles: number;
}

/** Times every lazy switch of a machine from outside: as a plugin with one tap before and one behind rpal-core's own. */
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
      requires: { '@rpal/rpal-core': '>=0.1.0 <1.0.0' },
      setup: ({ plugin, hooks, machine }) => {
        const rpal = rpalOf(machine);
        // In an object, as a clock in a variable would be a new object at each entry.
        const entry = { clock: 0, switches: 0, flags: 0 };
        const before = (cpu: Cpu, thread: Thread): void => {
          entry.clock = cpu.clock;
          entry.switches = rpal.lazySwitches;
          entry.flags = thread.rpal.flags;
        };
        const behind = (cpu: Cpu): void => {
          if (rpal.lazySwitches === entry.switches) return;
          const direction = (entry.flags & RpalFlag.LAZY_SWITCHED) === 0 ? this.toReceiver : this.toSender;
          direction.count++;
          direction.cycles += cpu.clock - entry.clock;
        };
        hooks.kernelEntry.tap(plugin, before, -1);
        hooks.kernelEntry.tap(plugin, behind, 1);
      },
    })();
  }
}
