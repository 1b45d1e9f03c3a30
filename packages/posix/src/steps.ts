import { defineSteps } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off';
/** Steps of the calls of this package. Those that have not been counted name the counted path that they lie near. @public for meters that ask what a step costs */
export const PosixStep = defineSteps('@rpal/posix', {
  identity: {
    cause: 'process',
    instructions: [7, 64, 291],
    source: `${COUNTED}: getpgid; set_robust_list and setpgid at the ends`,
    status: 'counted',
  },
  credentials: {
    cause: 'process',
    instructions: [900, 1134, 1400],
    events: { lockedOp: 6 },
    source: `${COUNTED}: setuid to the same id`,
    status: 'counted',
  },
  structure: {
    cause: 'process',
    instructions: [147, 250, 736],
    events: { repString: 1 },
    source: `${COUNTED}: uname, prlimit64 (216), sysinfo and times (736), for calls that lie between them`,
    status: 'counted',
  },
  systemName: { cause: 'process', instructions: 147, events: { repString: 1 }, source: `${COUNTED}: uname`, status: 'counted' },
  systemInfo: { cause: 'process', instructions: 408, events: { repString: 1 }, source: `${COUNTED}: sysinfo`, status: 'counted' },
  processTimes: { cause: 'process', instructions: 736, events: { lockedOp: 2 }, source: `${COUNTED}: times`, status: 'counted' },
  ownField: {
    cause: 'process',
    instructions: [7, 16, 24],
    source: `${COUNTED}: getcpu; set_robust_list and getgroups at the ends`,
    status: 'counted',
  },
  setGroup: {
    cause: 'process',
    instructions: 291,
    events: { lockedOp: 2 },
    source: `${COUNTED}: setpgid to the same group`,
    status: 'counted',
  },
  taskName: {
    cause: 'process',
    instructions: [476, 515, 554],
    events: { lockedOp: 1 },
    source: `${COUNTED}: prctl with PR_GET_NAME and PR_SET_NAME, beyond a prctl that reads a word`,
    status: 'counted',
  },
  clockRead: {
    cause: 'process',
    instructions: [8, 147, 719],
    events: { rdtsc: 1, lfence: 1 },
    source: `${COUNTED}: clock_gettime of CLOCK_REALTIME; time, CLOCK_MONOTONIC (185) and the CPU time of a process at the ends`,
    status: 'counted',
  },
  timeOfDay: {
    cause: 'process',
    instructions: 110,
    events: { rdtsc: 1, lfence: 1 },
    source: `${COUNTED}: gettimeofday`,
    status: 'counted',
  },
  seconds: { cause: 'process', instructions: 8, source: `${COUNTED}: time`, status: 'counted' },
  cpuTimeRead: {
    cause: 'process',
    instructions: 572,
    events: { lockedOp: 2 },
    source: `${COUNTED}: clock_gettime of CLOCK_PROCESS_CPUTIME_ID, beyond one of CLOCK_REALTIME`,
    status: 'counted',
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
  coreCookie: {
    cause: 'process',
    instructions: [600, 1100, 2000],
    events: { lockedOp: 6 },
    source:
      'sched_core_share_pid: look-up, ptrace_may_access, cookie, lock of the run queue; beside setuid (1134), which also makes and drops an object',
    status: 'estimated',
  },
  coreSchedulingOn: {
    cause: 'wait',
    ns: [2e4, 1e5, 5e5],
    source:
      '__sched_core_enable: a static branch is written in three rounds, each told to all CPUs, and the locks of all run queues are taken',
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
    instructions: 757,
    events: { lockedOp: 5 },
    source: `${COUNTED}: semop with one operation, nobody waiting`,
    status: 'counted',
  },
  messageSend: {
    cause: 'process',
    instructions: 575,
    events: { lockedOp: 4 },
    source: `${COUNTED}: msgsnd of 32 bytes, nobody waiting, without load_msg`,
    status: 'counted',
  },
  messageReceive: {
    cause: 'process',
    instructions: 611,
    events: { lockedOp: 4 },
    source: `${COUNTED}: msgrcv of 32 bytes that are there, without store_msg`,
    status: 'counted',
  },
  random: { cause: 'process', instructions: 1749, events: { lockedOp: 4 }, source: `${COUNTED}: getrandom of 16 bytes`, status: 'counted' },
  randomBlock: {
    cause: 'process',
    instructions: 1487,
    source: `${COUNTED}: getrandom of 256 bytes, for each 64 bytes beyond the first 32: a block of ChaCha20 without vectors`,
    status: 'counted',
  },
});
