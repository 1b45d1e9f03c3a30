import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Call, Program } from '@rpal/kernel';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { DescriptorRegions } from './descriptors.js';
import { Msharefs } from './msharefs.js';
import { type Region, RegionMapping, SHARED_ENTRY } from './region.js';
import { SharedTables } from './rpal-sharing.js';

/** Numbers of the calls, beyond those of Linux 6.15. @public for programs that make the calls */
export const MshareCall = { mshare: 1000, mshare_unlink: 1001, mshare_create: 1002 } as const;

const options = z
  .object({
    /** RPAL's services share page tables by the GiB instead of top-level entries. Needs `@rpal/rpal-core`, given before. */
    rpalSharing: z.boolean().default(false),
  })
  .strict();

export type MshareOptions = z.input<typeof options>;

/** What the plugin holds on one machine, for tools that look inside. */
export interface MshareState {
  readonly named: Msharefs;
  readonly described: DescriptorRegions;
  /** The provider of RPAL's sharing slot, if it is this plugin. */
  readonly tables: SharedTables | null;
}

const installed = new WeakMap<object, MshareState>();

/** The plugin's state on a machine. @throws BusError MISSING_REQUIREMENT without the plugin */
export function mshareOf(machine: object): MshareState {
  const state = installed.get(machine);
  if (state === undefined)
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/mshare; add mshare() to its plugins');
  return state;
}

function definition(rpalSharing: boolean): (options?: MshareOptions) => Plugin {
  return definePlugin<z.output<typeof options>, MshareOptions>({
    name: '@rpal/mshare',
    version: manifest.version,
    requires: { '@rpal/kernel': '^0.3.0', ...(rpalSharing ? { '@rpal/rpal-core': '^0.3.0' } : {}) },
    options,
    setup({ plugin, hooks, slots, syscalls, machine }) {
      const { kernel, platform } = machine;
      const { memory } = kernel;
      memory.hideTopEntries(SHARED_ENTRY);
      const named = new Msharefs(memory);
      const described = new DescriptorRegions(memory);
      const tables = rpalSharing ? new SharedTables() : null;
      installed.set(machine, { named, described, tables });
      if (tables !== null) slots.rpalSharing.provide(plugin, tables);
      const regions = (): readonly Region[] => [...named.regions, ...described.regions];

      syscalls.define(MshareCall.mshare, (cpu, thread, { text, a0, a1, a2, a3 }) => named.mshare(cpu, thread, text, a0, a1, a2, a3), {
        name: 'mshare',
        plugin,
      });
      syscalls.define(MshareCall.mshare_unlink, (cpu, _thread, { text }) => named.unlink(cpu, text), { name: 'mshare_unlink', plugin });
      syscalls.define(MshareCall.mshare_create, (cpu, thread, { a0, a1 }) => described.create(cpu, thread, a0, a1), {
        name: 'mshare_create',
        plugin,
      });
      hooks.mmFault.tap(plugin, (cpu, mm, address, code) =>
        mappingOf(mm.areas.containing(address)?.object)?.region.fault(cpu, mm, address, code),
      );
      hooks.mmProtect.tap(plugin, (cpu, mm, start, end, prot) =>
        mappingOf(mm.areas.containing(start)?.object)?.protect(cpu, start, end, prot),
      );
      hooks.mmFlush.tap(plugin, (targets) => {
        for (const region of regions()) if (region.host === targets.mm) region.widen(targets);
        tables?.widen(targets);
      });
      hooks.mmExit.tap(plugin, (mm) => tables?.forget(platform.running as Cpu, mm));
    },
  });
}

/** The mapping of a region behind an area, if that is what it is. */
function mappingOf(object: unknown): RegionMapping | undefined {
  return object instanceof RegionMapping ? object : undefined;
}

/**
 * Page tables that processes share: regions by name and by descriptor, through three system calls, and, if asked for, as
 * the provider of RPAL's sharing slot.
 */
export function mshare(input: MshareOptions = {}): Plugin {
  return definition(input.rpalSharing === true)(input);
}

/** `mshare(name, address, length, oflags, mode)` of a program. @returns the address, or a negative errno */
export function mshareCall(p: Program, name: string, address: number, length: number, flags: number, mode = 0o600): Call {
  p.context.text = name;
  return p.syscall(MshareCall.mshare, address, length, flags, mode);
}

/** `mshare_unlink(name)`. @returns 0 or a negative errno */
export function mshareUnlink(p: Program, name: string): Call {
  p.context.text = name;
  return p.syscall(MshareCall.mshare_unlink);
}

/** A region without a name. @returns its control descriptor, or a negative errno @public for programs that make the calls */
export function mshareCreate(p: Program, address: number, length: number): Call {
  return p.syscall(MshareCall.mshare_create, address, length);
}
