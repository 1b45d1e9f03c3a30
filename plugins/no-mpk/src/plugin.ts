import { definePlugin, type Plugin } from '@rpal/bus';
import type { Thread } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { PageTableSwitch } from './page-table-switch.js';
import { trusting } from './trusting.js';
import type { Views } from './views.js';
import { Vmfunc } from './vmfunc.js';

/** The ways to do without protection keys. */
export const noMpkIsolations = ['page-table', 'vmfunc', 'none'] as const;

export type NoMpkIsolation = (typeof noMpkIsolations)[number];

const options = z
  .object({
    /**
     * `page-table`: views changed by a kernel gate; `vmfunc`: views changed by VMFUNC, Intel only; `none`: services that
     * have requested each other trust each other.
     */
    isolation: z.enum(noMpkIsolations).default('page-table'),
  })
  .strict();

export type NoMpkOptions = z.input<typeof options>;

/**
 * RPAL without protection keys. Works on every profile; where the CPUs have keys, the kernel leaves them off (CR4.PKE
 * clear, as with `nopku`), for the whole machine.
 */
export const noMpk: (options?: NoMpkOptions) => Plugin = definePlugin<z.output<typeof options>, NoMpkOptions>({
  name: '@rpal/no-mpk',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0', '@rpal/rpal-core': '^0.3.0' },
  options,
  setup({ plugin, hooks, slots, machine }, { isolation }) {
    const { kernel, platform } = machine;
    for (const { mmu } of platform.cpus) mmu.pke = false;
    hooks.mmKeyChange.tap(plugin, (_mm, key) => (key > 0 ? -Errno.EINVAL : undefined));
    if (isolation === 'none') {
      slots.rpalIsolation.provide(plugin, trusting);
      return;
    }
    const views: Views = new { 'page-table': PageTableSwitch, vmfunc: Vmfunc }[isolation](kernel);
    slots.rpalIsolation.provide(plugin, views);
    hooks.schedSwitch.tap(plugin, (cpu, _prev, next) => views.switched(cpu, next as Thread));
    hooks.mmExit.tap(plugin, (mm) => views.forget(mm), -1);
  },
});
