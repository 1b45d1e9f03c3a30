import type { KernelParts } from '../kernel-parts.js';
import type { Thread } from '../process/thread.js';

/** PKRU of a thread that has not chosen one: everything denied but key 0 (Linux: `init_pkru_value`). */
export function defaultPkru(kernel: KernelParts, thread: Thread): number {
  if (!kernel.platform.profile.features.pku) return 0;
  return kernel.seams.hooks.kernelDefaultPkru.call(0x5555_5554, thread);
}
