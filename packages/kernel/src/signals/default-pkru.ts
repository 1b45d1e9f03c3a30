import type { Platform } from '@rpal/hw-x86';
import type { Thread } from '../process/thread.js';
import type { KernelSeams } from '../seams.js';

/** Key 0 alone may be used: the others are denied to loads and stores. */
const KEY_0_ONLY = 0x5555_5554;

/** What the question needs from a kernel. */
export interface PkruParts {
  readonly platform: Platform;
  readonly seams: KernelSeams;
}

/** PKRU of a thread that has not chosen one: everything denied but key 0 (Linux: `init_pkru_value`). */
export function defaultPkru({ platform, seams }: PkruParts, thread: Thread): number {
  if (!platform.profile.features.pku) return 0;
  return seams.hooks.kernelDefaultPkru.call(KEY_0_ONLY, thread);
}
