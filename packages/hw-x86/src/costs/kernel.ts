import type { CpuProfile } from './profile.js';

/** The kernel that runs on a computer: what of its configuration changes the work of its paths. */
export interface KernelConfiguration {
  /** `6.12`, as uname says it up to the second number. For the reader: `instructions` says in what it differs. */
  version: string;
  /** Ticks per second (CONFIG_HZ). */
  hz: 100 | 250 | 300 | 1000;
  /** Pressure-stall accounting: CONFIG_PSI, and not switched off. */
  pressure: boolean;
  /** The security module with hooks on files, sockets, signals and foreign memory. */
  security: 'none' | 'apparmor';
  /** The C library registers restartable sequences. */
  rseq: boolean;
  /** Page-table isolation (`pti=`). `auto`: where the processor needs it. */
  pti: 'auto' | 'on' | 'off';
  /** Against branch-target injection (`spectre_v2=`). `auto`: retpolines where the processor does not protect indirect branches itself. */
  spectreV2: 'auto' | 'retpoline' | 'ibrs' | 'off';
  /** The return stack is filled on each switch. */
  returnFill: boolean;
  /** Instructions of single steps by their names, where they differ from those counted on 6.12. What parts of the kernel add comes on top. */
  instructions?: Record<string, number>;
  /** VERW on each return to user mode, which clears the buffers of MDS and its relatives. */
  clearBuffers: boolean;
}

/** What a kernel has or lacks, by which work of a step is added or absent. */
export const KERNEL_PARTS = ['pressure', 'security', 'rseq', 'pti', 'ibrs', 'retpoline', 'returnFill', 'clearBuffers'] as const;

/** A part of the kernel's configuration, resolved for its processor. */
export type KernelPart = (typeof KERNEL_PARTS)[number];

/** Whether the kernel of a profile has a part: what is left to the processor is looked up there. */
export function hasPart({ kernel, features }: CpuProfile, part: KernelPart): boolean {
  const { pti, spectreV2, security } = kernel;
  const parts: Readonly<Record<KernelPart, boolean>> = {
    ...kernel,
    security: security !== 'none',
    pti: pti === 'auto' ? !features.meltdownSafe : pti === 'on',
    ibrs: spectreV2 === 'ibrs',
    retpoline: spectreV2 === 'auto' ? !features.eibrs : spectreV2 === 'retpoline',
  };
  return parts[part];
}
