import { defineSteps } from '@rpal/hw-x86';

/**
 * What Dune takes beside VM exits, CR3 loads, INVLPG and INVEPT, which the hardware charges, and what Linux charges for faults and calls.
 * @public for meters that ask what a step costs
 */
export const DuneStep = defineSteps('@rpal/dune', {
  /** The module around an exit and the entry after it: registers of guest and host, the reason of the exit. */
  run: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [60, 100, 180],
    source: 'written down for this plugin: 16 registers stored and loaded twice, VMREAD of the reason, a switch over it',
    status: 'estimated',
  },
  /** The module looks the call up and has Linux execute it. */
  call: {
    cause: 'entry',
    mode: 'kernel',
    instructions: [15, 30, 60],
    source: 'written down for this plugin: the number checked, six arguments moved, a call through the table',
    status: 'estimated',
  },
  /** An EPT violation: the page of the process looked up and pinned, the second-level entry written. Linux's own fault comes on top. */
  violation: {
    cause: 'fault',
    mode: 'kernel',
    instructions: [500, 900, 1500],
    events: { lockedOp: 4 },
    source:
      'written down for this plugin: an area and a page looked up and pinned (678 and 758 counted for process_vm_readv, with more to do), four levels of EPT walked',
    status: 'estimated',
  },
  /** Dune mode is entered: a VMCS, and the first second-level table. */
  create: {
    cause: 'process',
    mode: 'kernel',
    instructions: [6000, 12_000, 25_000],
    source: 'written down for this plugin: some 80 fields of a VMCS, pages for it and its bitmaps cleared',
    status: 'estimated',
  },
  /** An exception that the guest takes itself, up to its handler. */
  trap: {
    cause: 'fault',
    mode: 'user',
    instructions: [30, 50, 80],
    events: { exception: 1 },
    source: 'written down for this plugin: 16 registers saved, error code and CR2 read, the handler found and called',
    status: 'estimated',
  },
  /** From the handler back to the instruction. */
  trapReturn: {
    cause: 'fault',
    mode: 'user',
    instructions: [15, 25, 40],
    events: { iret: 1 },
    source: 'written down for this plugin: 16 registers restored',
    status: 'estimated',
  },
  /** SYSCALL of ring 3 into the runtime, and the return. */
  syscallTrap: {
    cause: 'entry',
    mode: 'user',
    instructions: [45, 70, 110],
    events: { syscall: 1, sysret: 1, swapgs: 2 },
    source: 'written down for this plugin: stack changed, 16 registers saved and restored, one call',
    status: 'estimated',
  },
  /** Ring 3 is entered for the first time, and left for good. */
  ring3: {
    cause: 'entry',
    mode: 'user',
    instructions: [30, 50, 80],
    events: { iret: 1, syscall: 1 },
    source: 'as for a system call',
    status: 'estimated',
  },
  /** One page-table entry found and written, without INVLPG. */
  entry: {
    cause: 'memory',
    mode: 'user',
    instructions: [20, 35, 60],
    source: 'written down for this plugin: four levels walked, one entry written',
    status: 'estimated',
  },
  /** A table of 512 entries filled in: a large page is split. */
  table: {
    cause: 'memory',
    mode: 'user',
    instructions: [1100, 1600, 2600],
    source: 'two or three instructions for each of 512 entries',
    status: 'estimated',
  },
  /** A policy is asked about a call. */
  policy: {
    cause: 'library',
    mode: 'user',
    instructions: [10, 25, 60],
    source: 'written down for this plugin: a look-up by number, a comparison of ranges',
    status: 'estimated',
  },
});
