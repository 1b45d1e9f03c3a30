import { Clock, Errno, Signal, SignalCode, TIMER_ABSTIME } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, handler, long, NOWHERE, put, type Step, seen } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EOPNOTSUPP } = Errno;
const MS = 1_000_000;
const { ALRM, USR1 } = Signal;
const SIGEV = { SIGNAL: 0, NONE: 1, THREAD_ID: 4 };
/** `struct itimerspec` (or itimerval) at an address: interval, then the first time; nanoseconds (or microseconds) below a second. */
const setting = (address: number, first: number, interval = 0): Step =>
  put(address, ...long(0), ...long(interval), ...long(0), ...long(first));
const sleep = (ms: number): Step[] => [
  put(A + 0xe00, ...long(0), ...long(ms * MS)),
  [0, 'clock_nanosleep', Clock.MONOTONIC, 0, A + 0xe00, 0],
];
const self: Step = [$('self'), 'getpid'];

/** As LTP's nanosleep, clock_nanosleep, alarm, setitimer, timer_create, timer_settime, timer_getoverrun, timerfd and eventfd tests, and gVisor's, describe them. */
describe('Timers', () => {
  linuxCase('nanosleep: what is no time, and what is left of one that a signal ends', [
    self,
    put(A, ...long(0), ...long(MS)),
    [0, 'nanosleep', A, 0],
    put(A, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'nanosleep', A, 0],
    put(A, ...long(-1), ...long(0)),
    [-EINVAL, 'nanosleep', A, 0],
    put(A, ...long(0), ...long(-1)),
    [-EINVAL, 'nanosleep', A, 0],
    [-EFAULT, 'nanosleep', NOWHERE, 0],
    handler(USR1),
    fork('child', asleep('self'), [0, 'kill', $('self'), USR1]),
    put(A, ...long(5), ...long(0)),
    put(A + 0x20, 0, 0, 0, 0),
    [-EINTR, 'nanosleep', A, A + 0x20],
    get(A + 0x20, 4, 0),
  ]);

  linuxCase('clock_nanosleep: clocks that it knows, and a moment that has been', [
    put(A, ...long(0), ...long(MS)),
    [0, 'clock_nanosleep', Clock.REALTIME, 0, A, 0],
    [0, 'clock_nanosleep', Clock.BOOTTIME, 0, A, 0],
    [0, 'clock_nanosleep', Clock.MONOTONIC, TIMER_ABSTIME, A, 0],
    [-EINVAL, 'clock_nanosleep', 77, 0, A, 0],
    [-EOPNOTSUPP, 'clock_nanosleep', Clock.THREAD_CPUTIME_ID, 0, A, 0],
    [-EOPNOTSUPP, 'clock_nanosleep', Clock.MONOTONIC_RAW, 0, A, 0],
    [-EOPNOTSUPP, 'clock_nanosleep', Clock.MONOTONIC_COARSE, 0, A, 0],
    put(A, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'clock_nanosleep', Clock.MONOTONIC, 0, A, 0],
    [-EFAULT, 'clock_nanosleep', Clock.MONOTONIC, 0, NOWHERE, 0],
  ]);

  linuxCase('clocks: which there are, and how fine', [
    [0, 'clock_getres', Clock.MONOTONIC, A],
    get(A, 0, 0, 1, 0),
    [0, 'clock_getres', Clock.REALTIME, 0],
    [-EINVAL, 'clock_getres', 77, A],
    [-EINVAL, 'clock_gettime', 77, A],
    [-EFAULT, 'clock_gettime', Clock.MONOTONIC, NOWHERE],
    [0, 'clock_gettime', Clock.TAI, A],
    [0, 'clock_gettime', Clock.PROCESS_CPUTIME_ID, A],
    get(A, 0, 0),
    put(A, ...long(0), ...long(0)),
    [-EINVAL, 'clock_settime', Clock.MONOTONIC, A],
    put(A, ...long(-1), ...long(0)),
    [-EINVAL, 'clock_settime', Clock.REALTIME, A],
    [0, 'setresuid', 1000, 1000, 1000],
    put(A, ...long(1_700_000_000), ...long(0)),
    [-Errno.EPERM, 'clock_settime', Clock.REALTIME, A],
  ]);

  linuxCase('alarm: in whole seconds, the last one counts, and it outlives no fork', [
    [0, 'alarm', 100],
    [100, 'alarm', 50],
    fork('child', [0, 'alarm', 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    [0, 'getitimer', 0, A],
    get(A, 0, 0, 0, 0, 49, 0),
    [50, 'alarm', 0],
    [0, 'alarm', 0],
  ]);

  linuxCase('setitimer: one shot and again and again; what it refuses', [
    handler(ALRM),
    // Long enough to be asleep by then.
    setting(A, 50_000),
    [0, 'setitimer', 0, A, A + 0x40],
    get(A + 0x40, 0, 0, 0, 0, 0, 0, 0, 0),
    put(A + 0x80, ...long(1), ...long(0)),
    [-EINTR, 'nanosleep', A + 0x80, 0],
    seen(ALRM, 1, 0x80),
    [0, 'getitimer', 0, A],
    get(A, 0, 0, 0, 0, 0, 0, 0, 0),
    setting(A, 1_000_000),
    [-EINVAL, 'setitimer', 0, A, 0],
    setting(A, -1),
    [-EINVAL, 'setitimer', 0, A, 0],
    setting(A, 1_000),
    [-EINVAL, 'setitimer', 3, A, 0],
    [-EINVAL, 'getitimer', -1, A],
    [-EFAULT, 'setitimer', 0, NOWHERE, 0],
    [-EFAULT, 'getitimer', 0, NOWHERE],
    setting(A, 1_000, 500),
    [0, 'setitimer', 0, A, 0],
    put(A + 0x80, ...long(1), ...long(0)),
    [-EINTR, 'nanosleep', A + 0x80, 0],
    [-EINTR, 'nanosleep', A + 0x80, 0],
    [0, 'setitimer', 0, 0, A],
  ]);

  linuxCase('timer_create: signals with a value, timers without, and ids that are reused', [
    handler(USR1),
    put(A, 77, 78, USR1, SIGEV.SIGNAL),
    [0, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    get(A + 0x100, 0),
    setting(A + 0x40, 50 * MS),
    [0, 'timer_settime', 0, 0, A + 0x40, A + 0x80],
    get(A + 0x80, 0, 0, 0, 0, 0, 0, 0, 0),
    put(A + 0x140, ...long(1), ...long(0)),
    [-EINTR, 'nanosleep', A + 0x140, 0],
    seen(USR1, 1, SignalCode.TIMER, 0, 0, 77, 78),
    [0, 'timer_gettime', 0, A + 0x80],
    get(A + 0x80, 0, 0, 0, 0, 0, 0, 0, 0),
    [0, 'timer_getoverrun', 0],
    [0, 'timer_create', Clock.REALTIME, 0, A + 0x100],
    get(A + 0x100, 1),
    [0, 'timer_delete', 0],
    [-EINVAL, 'timer_delete', 0],
    [-EINVAL, 'timer_settime', 0, 0, A + 0x40, 0],
    [-EINVAL, 'timer_gettime', 0, A],
    [-EINVAL, 'timer_getoverrun', 0],
    [0, 'timer_create', Clock.BOOTTIME, 0, A + 0x100],
    get(A + 0x100, 2),
  ]);

  linuxCase('timer_create and timer_settime: what they refuse', [
    put(A, 0, 0, USR1, SIGEV.SIGNAL),
    [-EINVAL, 'timer_create', 77, A, A + 0x100],
    [-EFAULT, 'timer_create', Clock.MONOTONIC, A, NOWHERE],
    [-EFAULT, 'timer_create', Clock.MONOTONIC, NOWHERE, A + 0x100],
    put(A, 0, 0, 65, SIGEV.SIGNAL),
    [-EINVAL, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    put(A, 0, 0, USR1, 9),
    [-EINVAL, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    put(A, 0, 0, USR1, SIGEV.THREAD_ID, 30000),
    [-EINVAL, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    [-EOPNOTSUPP, 'timer_create', Clock.MONOTONIC_RAW, 0, A + 0x100],
    put(A, 0, 0, 0, SIGEV.NONE),
    [0, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    [-EINVAL, 'timer_settime', $('no', 0, 50), 0, A + 0x40, 0],
    setting(A + 0x40, 1_000_000_000),
    [-EFAULT, 'timer_settime', 0, 0, NOWHERE, 0],
  ]);

  linuxCase('overruns: what was not delivered is counted', [
    handler(USR1),
    put(A, ...long(2 ** (USR1 - 1))),
    [0, 'rt_sigprocmask', 0, A, 0, 8],
    put(A, 0, 0, USR1, SIGEV.SIGNAL),
    [0, 'timer_create', Clock.MONOTONIC, A, A + 0x100],
    put(A + 0x40, ...long(100), ...long(0), ...long(0), ...long(MS)),
    [0, 'timer_settime', 0, 0, A + 0x40, 0],
    ...sleep(5),
    put(A, 0, 0),
    [0, 'rt_sigprocmask', 2, A, 0, 8],
    seen(USR1, 1, SignalCode.TIMER, 0, 0),
    [0, 'timer_getoverrun', 0],
    // A timer is not inherited.
    fork('child', [-EINVAL, 'timer_gettime', 0, A]),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
  ]);

  linuxCase('timerfd: how often it has fired, in eight bytes or not at all', [
    [3, 'timerfd_create', Clock.MONOTONIC, 0x800],
    [-EAGAIN, 'read', 3, A, 8],
    setting(A, MS),
    [0, 'timerfd_settime', 3, 0, A, A + 0x40],
    get(A + 0x40, 0, 0, 0, 0, 0, 0, 0, 0),
    ...sleep(3),
    put(A, 3, 1),
    [1, 'poll', A, 1, 0],
    [-EINVAL, 'read', 3, A, 7],
    [8, 'read', 3, A, 16],
    get(A, 1, 0),
    [-EAGAIN, 'read', 3, A, 8],
    [0, 'timerfd_gettime', 3, A],
    get(A, 0, 0, 0, 0, 0, 0, 0, 0),
    [-EINVAL, 'write', 3, A, 8],
    // A moment that has been fires at once.
    setting(A, 1),
    [0, 'timerfd_settime', 3, 1, A, 0],
    ...sleep(1),
    [8, 'read', 3, A, 8],
    get(A, 1, 0),
    // Setting it forgets what has not been read.
    setting(A, 1),
    [0, 'timerfd_settime', 3, 0, A, 0],
    ...sleep(1),
    setting(A, 0),
    [0, 'timerfd_settime', 3, 0, A, 0],
    [-EAGAIN, 'read', 3, A, 8],
  ]);

  linuxCase('timerfd: what it refuses', [
    [-EINVAL, 'timerfd_create', 77, 0],
    [-EINVAL, 'timerfd_create', Clock.PROCESS_CPUTIME_ID, 0],
    [-EINVAL, 'timerfd_create', Clock.MONOTONIC, 1],
    [3, 'timerfd_create', Clock.BOOTTIME, 0x8_0000],
    [1, 'fcntl', 3, 1],
    setting(A, 1_000_000_000),
    [-EINVAL, 'timerfd_settime', 3, 0, A, 0],
    setting(A, 1),
    [-EINVAL, 'timerfd_settime', 3, 4, A, 0],
    [-EBADF, 'timerfd_settime', 40, 0, A, 0],
    [-EINVAL, 'timerfd_settime', 0, 0, A, 0],
    [-EFAULT, 'timerfd_settime', 3, 0, NOWHERE, 0],
    [-EBADF, 'timerfd_gettime', 40, A],
    [-EINVAL, 'timerfd_gettime', 0, A],
    [-EFAULT, 'timerfd_gettime', 3, NOWHERE],
  ]);

  linuxCase('eventfd: adds up, gives all, or one by one, and never overflows', [
    [3, 'eventfd2', 3, 0x800],
    put(A, ...long(4)),
    [8, 'write', 3, A, 8],
    [8, 'read', 3, A + 8, 100],
    get(A + 8, 7, 0),
    [-EAGAIN, 'read', 3, A, 8],
    [-EINVAL, 'read', 3, A, 7],
    [-EINVAL, 'write', 3, A, 7],
    put(A, -1, -1),
    [-EINVAL, 'write', 3, A, 8],
    put(A, -2, -1),
    [8, 'write', 3, A, 8],
    put(A + 0x20, 3, 5),
    [1, 'poll', A + 0x20, 1, 0],
    get(A + 0x20, 3, 5 | (1 << 16)),
    put(A, 1, 0),
    [-EAGAIN, 'write', 3, A, 8],
    [8, 'read', 3, A, 8],
    get(A, -2, -1),
    [4, 'eventfd2', 2, 0x801],
    [8, 'read', 4, A, 8],
    get(A, 1, 0),
    [8, 'read', 4, A, 8],
    [-EAGAIN, 'read', 4, A, 8],
    [-EINVAL, 'eventfd2', 0, 2],
    [-EFAULT, 'write', 4, NOWHERE, 8],
  ]);

  linuxCase('eventfd: a writer that would overflow it waits, and a read lets it go on', [
    [3, 'eventfd2', 0, 0],
    put(A, -2, -1),
    [8, 'write', 3, A, 8],
    put(A, 5, 0),
    fork('child', [8, 'write', 3, A, 8]),
    asleep('child'),
    [8, 'read', 3, A, 8],
    [$('child'), 'wait4', -1, A + 0x40, 0, 0],
    [8, 'read', 3, A, 8],
    get(A, 5, 0),
  ]);
});
