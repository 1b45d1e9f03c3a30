import { defineSteps } from '@rpal/hw-x86';

const NEAR = 'near the body of getppid (91 instructions counted on Linux 6.12)';

/** Steps of the calls of this package. None of them has been counted; each names the counted path that it lies near. @public for meters that ask what a step costs */
export const PosixStep = defineSteps('@rpal/posix', {
  identity: {
    cause: 'process',
    instructions: [60, 95, 200],
    source: `reads or sets a few words of the caller; ${NEAR}`,
    status: 'estimated',
  },
  credentials: {
    cause: 'process',
    instructions: [400, 700, 1200],
    events: { lockedOp: 6 },
    source: 'prepare_creds, security hooks, commit_creds: two objects of 176 bytes, a grace period for the old one',
    status: 'estimated',
  },
  structure: {
    cause: 'process',
    instructions: [120, 180, 320],
    events: { repString: 1 },
    source: `fills a structure and copies it to user memory; ${NEAR}, with copy_to_user of up to 400 bytes`,
    status: 'estimated',
  },
  clockRead: {
    cause: 'process',
    instructions: [110, 150, 220],
    events: { rdtsc: 1, lfence: 1 },
    source: `clock_gettime through the kernel: ktime_get_ts64 under its sequence lock, put_timespec64; ${NEAR}`,
    status: 'estimated',
  },
  timerSet: {
    cause: 'process',
    instructions: [300, 450, 800],
    events: { lockedOp: 4 },
    source: 'setitimer, timer_settime: look-up, lock, cancel; the timer itself is armed as that of nanosleep (counted)',
    status: 'estimated',
  },
  advice: {
    cause: 'memory',
    instructions: [150, 250, 500],
    events: { lockedOp: 2 },
    source:
      'madvise that only marks, msync, mincore: look-up of areas under the lock of the address space; madvise DONTNEED without its page counts 3963',
    status: 'estimated',
  },
  attributes: {
    cause: 'process',
    instructions: [900, 1300, 2200],
    events: { lockedOp: 5 },
    source: 'sched_setattr: as sched_setscheduler, which is estimated likewise',
    status: 'estimated',
  },
  gracePeriod: { cause: 'wait', ns: [5e6, 1.2e7, 3e7], source: 'synchronize_rcu at HZ=250: some ticks', status: 'estimated' },
  ipcLookUp: {
    cause: 'process',
    instructions: [200, 320, 500],
    events: { lockedOp: 3 },
    source: 'ipc_obtain_object_check, ipcperms, security hook',
    status: 'estimated',
  },
  semaphore: {
    cause: 'process',
    instructions: [400, 600, 1000],
    events: { lockedOp: 5 },
    source: 'semtimedop with one operation and nobody waiting: copies, lock of one semaphore, perform_atomic_semop',
    status: 'estimated',
  },
  message: {
    cause: 'process',
    instructions: [900, 1300, 2000],
    events: { lockedOp: 6, repString: 2 },
    source: 'msgsnd, msgrcv: half of a POSIX message queue round trip without switches (10756 counted), which does as much',
    status: 'estimated',
  },
  randomByte: {
    cause: 'process',
    instructions: [300, 400, 600],
    perByte: 'copy',
    source: 'getrandom: a block of ChaCha20 for the key and one for each 64 bytes, vectorless',
    status: 'estimated',
  },
});
