import { definePlugin, type Plugin } from '@rpal/bus';
import type {} from '@rpal/kernel';
import { TaskState } from '@rpal/sched';
import { z } from 'zod';

const options = z
  .object({
    /** What the plugin tells about each task that goes to sleep: its name, and the machine time in TSC cycles. */
    report: z.custom<(task: string, time: number) => void>((value) => typeof value === 'function', 'must be a function'),
  })
  .strict();

export type PluginNameOptions = z.input<typeof options>;

/**
 * Reports every task that goes to sleep. Replace this by what your plugin does: docs/seams.md lists every moment it can
 * take part in and every mechanism it can provide.
 */
export const pluginName: (options: PluginNameOptions) => Plugin = definePlugin<z.output<typeof options>, PluginNameOptions>({
  name: '@rpal/plugin-name',
  version: '0.1.0',
  requires: { '@rpal/kernel': '^0.3.0' },
  options,
  setup({ plugin, hooks }, { report }) {
    hooks.schedSwitch.tap(plugin, (cpu, prev) => {
      if (prev.state === TaskState.INTERRUPTIBLE) report(prev.name, cpu.clock);
    });
  },
});
