import { defineSteps, type StepSources } from '@rpal/hw-x86';

const READ = 'operations read off the patch, no measurement exists';

/** Steps of the kernel half of RPAL. Counted instructions do not exist for them; ranges are wide on purpose. @public for plugins and meters that ask what a step costs */
export const RpalStep = defineSteps('@rpal/rpal-core', {
  entryCheck: {
    cause: 'lazy switch',
    instructions: [15, 25, 40],
    events: { rdfsbase: 1 },
    status: 'estimated',
  },
  identify: {
    cause: 'lazy switch',
    instructions: [40, 70, 120],
    status: 'estimated',
  },
  cpuLock: {
    cause: 'lazy switch',
    instructions: [60, 100, 180],
    events: { lockedOp: 1 },
    status: 'estimated',
  },
  cpuUnlock: {
    cause: 'lazy switch',
    instructions: [80, 130, 220],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  frameCopy: {
    cause: 'lazy switch',
    instructions: [60, 90, 140],
    status: 'estimated',
  },
  resumeEpoll: {
    cause: 'lazy switch',
    instructions: [40, 70, 120],
    events: { lockedOp: 1 },
    status: 'estimated',
  },
  switchTail: {
    cause: 'lazy switch',
    instructions: [30, 50, 90],
    events: { lockedOp: 1 },
    status: 'estimated',
  },
  fastEpoll: {
    cause: 'lazy switch',
    instructions: [180, 280, 450],
    events: { lockedOp: 3 },
    status: 'estimated',
  },
  kernelReturn: {
    cause: 'lazy switch',
    instructions: [150, 250, 400],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  stateChange: {
    cause: 'library',
    instructions: [6, 10, 16],
    events: { lockedOp: 1 },
    status: 'estimated',
  },
  keyLoad: { cause: 'library', mode: 'user', events: { wrpkru: 1 }, status: 'derived' },
  kernelKeyLoad: { cause: 'lazy switch', events: { wrpkru: 1 }, status: 'derived' },
  critical: {
    cause: 'lazy switch',
    instructions: [60, 100, 160],
    events: { wrfsbase: 1 },
    status: 'estimated',
  },
  ioctlBody: {
    cause: 'process',
    instructions: [100, 200, 400],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  register: {
    cause: 'process',
    instructions: [600, 1000, 2000],
    events: { lockedOp: 6 },
    status: 'estimated',
  },
  link: {
    cause: 'process',
    instructions: [800, 1500, 3000],
    events: { lockedOp: 8 },
    status: 'estimated',
  },
  request: { cause: 'process', instructions: [600, 1000, 2000], events: { lockedOp: 8 }, status: 'estimated' },
  setPkru: {
    cause: 'process',
    instructions: [200, 400, 800],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  epollBody: {
    cause: 'epoll',
    instructions: [130, 150, 200],
    status: 'estimated',
  },
  epollBlock: {
    cause: 'epoll',
    instructions: [304, 330, 400],
    events: { lockedOp: 6 },
    status: 'estimated',
  },
  waker: {
    cause: 'interrupt',
    instructions: [60, 100, 200],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  fdMap: { cause: 'process', instructions: [200, 400, 800], events: { lockedOp: 4 }, status: 'estimated' },
  recover: {
    cause: 'fault',
    instructions: [100, 200, 400],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  sharedPage: {
    cause: 'memory',
    instructions: [500, 900, 1500],
    events: { lockedOp: 4 },
    status: 'estimated',
  },
});

/** Where the numbers come from. */
export const RpalStepSources: StepSources<typeof RpalStep> = {
  entryCheck: `${READ}: patch 17, FS base against the slice`,
  identify: `${READ}: patch 17, slice owner and scan of 16 entries`,
  cpuLock: `${READ}: patch 16, one task's mask`,
  cpuUnlock: `${READ}: patch 16, one task's mask`,
  frameCopy: `${READ}: patch 21, pt_regs copied, frame rewritten from the call context`,
  resumeEpoll: `${READ}: patch 27, wait entry and timer taken back`,
  switchTail: `${READ}: patches 19 and 34, state after the switch`,
  fastEpoll: `${READ}: patch 34, arguments checked, file taken, wait entry queued`,
  kernelReturn: `${READ}: patches 20 and 26`,
  stateChange: `${READ}: one compare-exchange on a state word`,
  keyLoad: 'patch 35: one WRPKRU of the library',
  kernelKeyLoad: 'patch 26: one WRPKRU of the kernel',
  critical: `${READ}: patch 24, fix-up in the ret section`,
  ioctlBody: `${READ}: patch 06, one command`,
  register: `${READ}: patch 08, record and affinity record allocated`,
  link: `${READ}: patch 09, two top-level entries under their locks`,
  request: `${READ}: patch 11`,
  setPkru: `${READ}: patch 26, one thread's PKRU by function call`,
  epollBody: `${READ}: patch 27, entry and last exit of rpal_ep_poll, as epoll_wait`,
  epollBlock: `${READ}: patch 27, sleeping part, as epoll_wait plus one exchange`,
  waker: `${READ}: patch 31, one run over the receivers`,
  fdMap: `${READ}: patch 28`,
  recover: `${READ}: patches 14 and 22`,
  sharedPage: `${READ}: patch 07, per mapping`,
};
