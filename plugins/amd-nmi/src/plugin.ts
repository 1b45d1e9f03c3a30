import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { EntryKind, type Thread } from '@rpal/kernel';
import { rpalOf } from '@rpal/rpal-core';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { CpuPmu } from './cpu-pmu.js';
import { PerfEvent, SampleTally } from './perf-event.js';

const options = z
  .object({
    /** Samples per second of run time and task, 1 .. 100,000. */
    frequency: z.number().min(1).max(100_000).default(10_000),
    /** Names of the programs to sample. */
    programs: z.array(z.string()).min(1),
    /** Patch 32: NMIs that a lazy switch has orphaned are dropped, and the switch does not wait for them. */
    fix: z.boolean().default(true),
    /** AMD: NMIs without a counter are claimed up to this many milliseconds after one with. Linux since 5.1: 100. */
    nmiWindowMs: z.number().nonnegative().default(100),
  })
  .strict();

export type AmdNmiOptions = z.input<typeof options>;

const installed = new WeakMap<object, SampleTally>();

/** What the profiler on a machine has counted. @throws BusError MISSING_REQUIREMENT without the plugin */
export function samplesOf(machine: object): SampleTally {
  const tally = installed.get(machine);
  if (tally === undefined) {
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/amd-nmi; add amdNmi() to its plugins');
  }
  return tally;
}

/**
 * Samples programs by NMIs of a performance counter that counts for one task at a time, on AMD and Intel as Linux 6.15
 * does, with or without what patch 32 adds for lazy switches within the entry of an NMI.
 */
export const amdNmi: (options: AmdNmiOptions) => Plugin = definePlugin<z.output<typeof options>, AmdNmiOptions>({
  name: '@rpal/amd-nmi',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0', '@rpal/rpal-core': '^0.3.0' },
  options,
  setup({ plugin, hooks, machine }, { frequency, programs, fix, nmiWindowMs }) {
    const { kernel, platform } = machine;
    const tally = new SampleTally();
    installed.set(machine, tally);
    const pmus = platform.cpus.map((cpu) => new CpuPmu(cpu, tally, { windowNs: nmiWindowMs * 1e6 }));
    const pmuOf = (cpu: Cpu) => pmus[cpu.id] as CpuPmu;
    const events = new WeakMap<Thread, PerfEvent>();
    const period = Math.round((platform.profile.clock.tscGHz * 1e9) / frequency);
    /** Per CPU: the entry of an NMI is being made. */
    const entering = platform.cpus.map(() => false);
    /** Per CPU, `rpal_nmi_handle`: the NMI that is about to be handled came with a lazy switch. */
    const orphaned = platform.cpus.map(() => false);

    rpalOf(machine).instruments.events.rpalLazySwitch.on(plugin, (cpu) => {
      if (entering[cpu] !== true) return;
      orphaned[cpu] = true;
      tally.switches++;
    });

    hooks.schedTaskNew.tap(plugin, (task) => {
      if (programs.includes(task.name)) events.set(task as Thread, new PerfEvent(period));
    });
    hooks.schedSwitch.tap(plugin, (cpu, prev, next) => {
      const pmu = pmuOf(cpu);
      if (events.has(prev as Thread)) pmu.schedOut(prev.name);
      const event = events.get(next as Thread);
      if (event !== undefined) pmu.schedIn(event);
    });
    hooks.kernelEntry.tap(
      plugin,
      (cpu, _thread, kind) => {
        if (kind !== EntryKind.NMI) return;
        entering[cpu.id] = true;
        pmuOf(cpu).inNmiSwitch = fix;
      },
      Number.NEGATIVE_INFINITY,
    );
    hooks.kernelEntry.tap(
      plugin,
      (cpu, _thread, kind) => {
        if (kind !== EntryKind.NMI) return;
        pmuOf(cpu).inNmiSwitch = false;
        entering[cpu.id] = false;
      },
      Number.POSITIVE_INFINITY,
    );
    hooks.kernelNmi.tap(plugin, (cpu) => {
      const handled = pmuOf(cpu).handleNmi(kernel.scheduler.current(cpu).name);
      const switched = orphaned[cpu.id];
      orphaned[cpu.id] = false;
      if (handled > 0) return handled;
      if (fix && switched) {
        tally.dropped++;
        return 1;
      }
      tally.unknown++;
      return 0;
    });
  },
});
