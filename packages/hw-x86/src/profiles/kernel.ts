import type { KernelConfiguration } from '../costs/kernel.js';

/**
 * The kernel that the steps' instructions were counted on, Debian's, with what each processor needs against Meltdown and branch-target
 * injection. @public for profiles of your own
 */
export const countedKernel: KernelConfiguration = {
  version: '6.12',
  hz: 250,
  pressure: true,
  security: 'apparmor',
  rseq: true,
  pti: 'auto',
  spectreV2: 'auto',
  returnFill: false,
  clearBuffers: false,
};

/** The same with mitigations off, as it was counted. @public for profiles of your own */
export const unmitigatedKernel: KernelConfiguration = { ...countedKernel, pti: 'off', spectreV2: 'off' };
