import { defineSteps } from '@rpal/hw-x86';
// The scheduler's steps are parts of some here.
import '@rpal/sched';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off (a core with eIBRS takes the same path)';

/** Steps of the system-call path, of processes, and of the C library's string routines. */
export const KernelStep = defineSteps('@rpal/kernel', {
  syscallEntry: {
    cause: 'entry',
    instructions: 48,
    events: { syscall: 1, swapgs: 1, bhbClear: 1 },
    source: `${COUNTED}: null system call, entry`,
    status: 'counted',
  },
  syscallDispatch: { cause: 'entry', instructions: 84, source: `${COUNTED}: null system call, dispatch`, status: 'counted' },
  syscallReturn: {
    cause: 'entry',
    instructions: 98,
    events: { sysret: 1, swapgs: 1, rdtsc: 1 },
    source: `${COUNTED}: null system call, return to user mode`,
    status: 'counted',
  },
  getpid: { cause: 'process', instructions: 91, source: `${COUNTED}: getppid body`, status: 'counted' },
  nanosleep: {
    cause: 'process',
    instructions: 155,
    events: { lockedOp: 1 },
    source: `${COUNTED}: nanosleep body and copy from user`,
    status: 'counted',
  },
  futexKeyPrivate: {
    cause: 'process',
    instructions: 46,
    source: `${COUNTED}: futex key, private (184 for two waits and two wakes)`,
    status: 'counted',
  },
  futexKeyShared: {
    cause: 'process',
    instructions: [540, 718, 720],
    events: { lockedOp: 4 },
    source: `${COUNTED}: futex key, shared: page lookup (2154 a round trip of three to four calls)`,
    status: 'derived',
  },
  exec: {
    cause: 'process',
    ns: [150_000, 300_000, 600_000],
    source: 'execve of a small dynamic program; set-up, outside every measured window',
    status: 'estimated',
  },
  clone: {
    cause: 'process',
    instructions: 18_555,
    events: { lockedOp: 153 },
    source: `${COUNTED}: fork, copy_process and start of the child`,
    status: 'counted',
  },
  fork: {
    cause: 'process',
    instructions: 18_555,
    events: { lockedOp: 153 },
    source: `${COUNTED}: fork, copy_process and start of the child (memory apart)`,
    status: 'counted',
  },
  exit: {
    cause: 'process',
    instructions: 5552,
    events: { lockedOp: 58 },
    source: `${COUNTED}: exit, do_exit body (memory apart)`,
    status: 'counted',
  },
  wait: { cause: 'process', instructions: 2674, events: { lockedOp: 25 }, source: `${COUNTED}: wait4 and release_task`, status: 'counted' },
  signalSend: {
    cause: 'process',
    instructions: 1233,
    events: { lockedOp: 4 },
    source: `${COUNTED}: signal to self, send`,
    status: 'counted',
  },
  signalKill: {
    cause: 'process',
    instructions: [800, 1200, 2000],
    events: { lockedOp: 6 },
    source: 'get_signal with a fatal default action',
    status: 'estimated',
  },
  openFile: {
    cause: 'process',
    instructions: [2500, 4000, 6000],
    events: { lockedOp: 20 },
    source: 'openat of a short path in /proc',
    status: 'estimated',
  },
  ioctl: { cause: 'entry', instructions: [120, 180, 300], source: 'do_vfs_ioctl, security hook, unlocked_ioctl', status: 'estimated' },
  userWork: { cause: 'user', source: 'cycles that the program asked for', status: 'derived' },
  sprintf: {
    cause: 'user',
    ns: [60, 80, 150],
    source: 'sprintf of a hexadecimal 64-bit stamp, measured warm (80 ns) on a Zen 5 guest; bounds by clock',
    status: 'measured',
  },
  sscanf: {
    cause: 'user',
    ns: [80, 110, 200],
    source: 'sscanf of a hexadecimal 64-bit stamp, measured warm (110 ns) on a Zen 5 guest; bounds by clock',
    status: 'measured',
  },
  memset: {
    cause: 'user',
    mode: 'user',
    instructions: 20,
    events: { functionCall: 1, repString: 1 },
    perByte: 'zero',
    source: 'library call around rep stos',
    status: 'derived',
  },
  memcpy: {
    cause: 'user',
    mode: 'user',
    instructions: 20,
    events: { functionCall: 1 },
    perByte: 'copy',
    source: 'library call and copy',
    status: 'derived',
  },
  memcmp: {
    cause: 'user',
    mode: 'user',
    instructions: 30,
    events: { functionCall: 1 },
    perByte: 'copy',
    source: 'library call and compare',
    status: 'derived',
  },
  libcStub: {
    cause: 'entry',
    mode: 'user',
    instructions: 8,
    events: { functionCall: 1 },
    source: `${COUNTED}: null system call, user mode`,
    status: 'counted',
  },
  /** A call of a thread whose kernel entries nobody watches. */
  syscallIn: { parts: ['syscallEntry', 'syscallDispatch'] },
  /** The way back after a switch. */
  switchedReturn: { parts: ['syscallReturn', '@rpal/sched:fpuRestore', '@rpal/sched:rseqFixup'] },
});
