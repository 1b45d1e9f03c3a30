import { defineSteps } from '@rpal/hw-x86';

/**
 * What changing rights costs without protection keys, besides VMFUNC, VM exits and INVEPT, which the CPU charges. @public for meters that
 * ask what a step costs
 */
export const ViewStep = defineSteps('@rpal/no-mpk', {
  /** The way into the kernel and back, and finding the view; no stack switch, no entry work, no exit work. */
  gate: {
    cause: 'library',
    instructions: [35, 55, 90],
    events: { syscall: 1, sysret: 1, swapgs: 2, bhbClear: 1 },
    also: {
      pti: { instructions: 8, events: { cr3Write: 2 } },
      ibrs: { events: { wrmsr: 2 } },
      clearBuffers: { events: { verw: 1 } },
    },
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
  /** A top-level table, once per view. */
  makePageView: {
    cause: 'memory',
    instructions: [900, 1200, 2000],
    source: 'written down for this plugin: take a frame, copy 512 entries, look up the owners of those that are present',
    status: 'estimated',
  },
  /** From a word of rights to an index of the EPTP list, in user mode, and what stands around VMFUNC. */
  findView: {
    cause: 'library',
    instructions: [8, 14, 24],
    source: 'written down for this plugin: one probe of a hash table in a read-only page, EAX and ECX loaded, as VMFUNC takes them',
    status: 'estimated',
  },
  /** Extended page tables with 1 GiB entries, split where a frame is hidden; once per view. */
  makeEptView: {
    cause: 'memory',
    instructions: [3000, 5000, 9000],
    source: 'written down for this plugin: up to 1024 entries of 1 GiB, and two tables of 512 entries for each hidden frame',
    status: 'estimated',
  },
  /** The frames that a view hides are compared with those that it should. */
  updateView: {
    cause: 'memory',
    instructions: [100, 200, 400],
    source: 'written down for this plugin: the entries of at most fifteen peers',
    status: 'estimated',
  },
});
