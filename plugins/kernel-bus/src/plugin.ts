import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { BusNamespace } from './kernel/namespace.js';

/** What a program opens to get on the bus. @public for programs that make the calls */
export const BUS_PATH = '/sys/fs/bus';

/** Bytes of a connection's pool, unless asked otherwise. */
export const POOL_BYTES = 16 * 1024 * 1024;

const PAGE = 4096;

const options = z
  .object({
    /** Bytes of each connection's pool, a multiple of the page size: 64 KiB .. 1 GiB. */
    poolBytes: z
      .number()
      .int()
      .min(16 * PAGE)
      .max(2 ** 30)
      .multipleOf(PAGE)
      .default(POOL_BYTES),
  })
  .strict();

/** @public for machines with a bus */
export type KernelBusOptions = z.input<typeof options>;

const installed = new WeakMap<object, BusNamespace>();

/** The bus of a machine, for tools that look inside. @throws BusError MISSING_REQUIREMENT without the plugin @public for tools that look inside */
export function busOf(machine: object): BusNamespace {
  const bus = installed.get(machine);
  if (bus === undefined) {
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/kernel-bus; add kernelBus() to its plugins');
  }
  return bus;
}

/** A bus in the kernel: connections with names, whose messages are copied once, into a pool that the receiver has mapped. @public for machines with a bus */
export const kernelBus: (options?: KernelBusOptions) => Plugin = definePlugin<z.output<typeof options>, KernelBusOptions | undefined>({
  name: '@rpal/kernel-bus',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  options: options.default({ poolBytes: POOL_BYTES }),
  setup({ machine }, { poolBytes }) {
    const bus = new BusNamespace(machine.kernel, poolBytes);
    installed.set(machine, bus);
    machine.kernel.specialFiles.define(BUS_PATH, (cpu, thread, flags) => bus.connect(cpu, thread, flags));
  },
});
