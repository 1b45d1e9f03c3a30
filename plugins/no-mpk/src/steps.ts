import { defineSteps } from '@rpal/hw-x86';

/** What changing rights costs without protection keys. */
export const ViewStep = defineSteps('@rpal/no-mpk', {
  /** The way into the kernel and back, and finding the view; no stack switch, no entry work, no exit work. */
  gate: {
    cause: 'library',
    instructions: [35, 55, 90],
    events: { syscall: 1, sysret: 1, swapgs: 2, bhbClear: 1 },
    source:
      'written down for this plugin: load the per-CPU area, check role and rights, look up the view; entry instructions as for a system call',
    status: 'estimated',
  },
  /** CR3 with bit 63 set: translations of the view stay. */
  loadView: { cause: 'tlb', events: { cr3Write: 1 }, source: 'one CR3 write that keeps the translations of its PCID', status: 'derived' },
  loadViewFlush: {
    cause: 'tlb',
    events: { cr3WriteFlush: 1 },
    source: 'one CR3 write that drops the translations of its PCID',
    status: 'derived',
  },
  /** VMFUNC leaf 0. */
  vmfunc: { cause: 'library', events: { vmfunc: 1 }, source: 'one VMFUNC that switches the EPT pointer', status: 'derived' },
  /** The hypervisor installs another list of views: one VM exit and entry. */
  installList: { cause: 'switch', events: { vmcall: 1 }, source: 'one VM exit and entry', status: 'derived' },
  /** What the second dimension of a page walk adds, summed up when the view changes. */
  nestedWalk: {
    cause: 'tlb',
    source: 'number of walks times `nestedWalkCycles`',
    status: 'derived',
  },
});

/**
 * Core cycles that nested paging adds to a walk: low, central, high. A four-level walk of four cached references becomes
 * one of up to 24; guest and nested structure caches leave about four to eight.
 */
export const nestedWalkCycles = { low: 15, central: 30, high: 60 } as const;
