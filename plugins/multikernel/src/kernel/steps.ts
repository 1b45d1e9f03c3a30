import { defineSteps } from '@rpal/hw-x86';

/** What the multikernel's own code costs beside the hardware's events. Memory that it touches is paid for where it is touched. */
export const KernelStep = defineSteps('@rpal/multikernel', {
  systemCall: {
    cause: 'entry',
    instructions: [40, 60, 90],
    events: { syscall: 1, swapgs: 1 },
    status: 'estimated',
    source: 'SYSCALL, SWAPGS; registers saved, the call and its capability looked up: estimated',
  },
  systemReturn: {
    cause: 'entry',
    instructions: [20, 30, 45],
    events: { sysret: 1, swapgs: 1 },
    status: 'estimated',
    source: 'registers loaded, SWAPGS, SYSRET: estimated',
  },
  lrpcStub: {
    cause: 'library',
    mode: 'user',
    instructions: [15, 25, 40],
    status: 'estimated',
    source: 'four words into registers: estimated',
  },
  lrpcPath: {
    cause: 'switch',
    instructions: [60, 100, 160],
    status: 'estimated',
    source: "the endpoint checked, the sender's state saved, the dispatcher switched, without the load of CR3: estimated",
  },
  upcall: {
    cause: 'library',
    mode: 'user',
    instructions: [80, 150, 250],
    status: 'estimated',
    source: "the dispatcher's entry point, its thread found and made to run, the message handed to it: estimated",
  },
  capabilityLookup: {
    cause: 'process',
    instructions: [20, 30, 45],
    status: 'estimated',
    source: 'a slot of the capability space found and its type and rights checked: estimated',
  },
  capabilityWork: {
    cause: 'process',
    instructions: [100, 180, 300],
    status: 'estimated',
    source: 'descendants looked for in the mapping database, entries made or removed: estimated',
  },
  look: {
    cause: 'library',
    mode: 'user',
    instructions: [3, 4, 6],
    status: 'estimated',
    source: 'a load, a comparison, a branch: one channel looked at in vain',
  },
  dispatchMessage: {
    cause: 'library',
    mode: 'user',
    instructions: [30, 50, 80],
    status: 'estimated',
    source: 'a message taken apart and its handler called: estimated; the paper counts 9 lines of code for sending and receiving one',
  },
  killDomain: {
    cause: 'process',
    instructions: [500, 1000, 2000],
    status: 'estimated',
    source: 'a dispatcher taken out of all lists: estimated',
  },
});
