import { Errno, Prio, Rlimit } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, fork, get, long, NOWHERE, put, type Step } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EACCES, EFAULT, EINVAL, EPERM, ESRCH } = Errno;
const uids = (...words: number[]): Step[] => [[0, 'getresuid', A, A + 4, A + 8], get(A, ...words)];
const gids = (...words: number[]): Step[] => [[0, 'getresgid', A, A + 4, A + 8], get(A, ...words)];
const KEEP = -1;

/** As LTP's setuid, setreuid, setresuid, setfsuid, setgroups, capset and prctl tests, and gVisor's, describe them. */
describe('Who one is', () => {
  linuxCase('setuid: for good from root, and between its own for others', [
    fork('good', [0, 'setuid', 1000], ...uids(1000, 1000, 1000), [-EPERM, 'setuid', 0], [0, 'setuid', 1000]),
    [$('good'), 'wait4', -1, A, 0, 0],
    [0, 'setresuid', 1000, 2000, 3000],
    [0, 'setuid', 3000],
    ...uids(1000, 3000, 3000),
    [0, 'setuid', 1000],
    ...uids(1000, 1000, 3000),
    [-EPERM, 'setuid', 2000],
    [-EINVAL, 'setuid', -1],
  ]);

  linuxCase('setreuid: swaps, and the saved one follows', [
    [0, 'setreuid', 1000, 2000],
    ...uids(1000, 2000, 2000),
    [0, 'setreuid', 2000, 1000],
    ...uids(2000, 1000, 1000),
    [0, 'setreuid', KEEP, 2000],
    ...uids(2000, 2000, 1000),
    [-EPERM, 'setreuid', 1000, KEEP],
    [-EPERM, 'setreuid', KEEP, 5],
    [0, 'setreuid', KEEP, KEEP],
    ...uids(2000, 2000, 1000),
  ]);

  linuxCase('setresuid: each of the three it has, for who is not root', [
    [0, 'setresuid', 1, 2, 3],
    ...uids(1, 2, 3),
    [0, 'setresuid', 3, 1, 2],
    ...uids(3, 1, 2),
    [-EPERM, 'setresuid', 4, KEEP, KEEP],
    [-EPERM, 'setresuid', KEEP, KEEP, 0],
    [0, 'setresuid', KEEP, 3, KEEP],
    ...uids(3, 3, 2),
    [-EFAULT, 'getresuid', NOWHERE, A, A],
  ]);

  linuxCase('groups: as users, with a capability of their own', [
    [0, 'setregid', 10, 20],
    ...gids(10, 20, 20),
    [0, 'setresgid', 1, 2, 3],
    ...gids(1, 2, 3),
    [0, 'setresuid', 1000, 1000, 1000],
    [0, 'setgid', 3],
    ...gids(1, 3, 3),
    [-EPERM, 'setgid', 2],
    [-EPERM, 'setresgid', 0, KEEP, KEEP],
    [-EPERM, 'setregid', KEEP, 7],
    [-EINVAL, 'setgid', -1],
    [1, 'getgid'],
    [3, 'getegid'],
  ]);

  linuxCase('setfsuid: tells what it was, whether it did anything or not', [
    [0, 'setfsuid', 1000],
    [1000, 'setfsuid', -1],
    [1000, 'setfsuid', 0],
    [0, 'setfsgid', 50],
    [50, 'setfsgid', -1],
    [0, 'setresuid', 1, 2, 3],
    [2, 'setfsuid', 3],
    [3, 'setfsuid', 77],
    [3, 'setfsuid', -1],
    // It follows the effective one.
    [0, 'setresuid', KEEP, 1, KEEP],
    [1, 'setfsuid', -1],
  ]);

  linuxCase('setfsuid: what root may do with files goes with root, and comes back with it', [
    [3, 'open', 'file', 0o102, 0o600],
    [0, 'setfsuid', 5],
    [-EPERM, 'fchmodat', -100, 'file', 0o640],
    [-EACCES, 'open', 'file', 0, 0],
    [5, 'setfsuid', 0],
    [0, 'fchmodat', -100, 'file', 0o640],
  ]);

  linuxCase('setfsuid: these are out of force, and permitted still', [
    put(A, 0x2008_0522, 0),
    [0, 'capget', A, A + 0x40],
    // Only these are in force and permitted, wherever this runs: CAP_SETUID, and all on files but LINUX_IMMUTABLE.
    put(A + 0x40, 0x0800_009f, 0x0800_009f, 0, 1, 1, 0),
    [0, 'capset', A, A + 0x40],
    [0, 'setfsuid', 5],
    [0, 'capget', A, A + 0x40],
    get(A + 0x40, 0x80, 0x0800_009f, 0, 0, 1, 0),
    [5, 'setfsuid', 0],
    [0, 'capget', A, A + 0x40],
    get(A + 0x40, 0x0800_009f, 0x0800_009f, 0, 1, 1, 0),
  ]);

  linuxCase('files without a name: whose they are, and who may change that', [
    [3, 'memfd_create', 'm', 0],
    [0, 'fchown', 3, 5, 6],
    [0, 'fchmod', 3, 0o600],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'fchown', 3, 1000, 1000],
    [-EPERM, 'fchmod', 3, 0o666],
    [4, 'memfd_create', 'n', 0],
    [0, 'fchmod', 4, 0o666],
    [0, 'fchown', 4, 1000, KEEP],
    [-EPERM, 'fchown', 4, 5, KEEP],
  ]);

  linuxCase('timers that wake a suspended computer: with a capability only', [
    [3, 'timerfd_create', 9, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'timerfd_create', 9, 0],
    [-EPERM, 'timerfd_create', 8, 0o4000],
    [-EINVAL, 'timerfd_create', 8, 1],
    [4, 'timerfd_create', 7, 0],
    put(A, 0, 0, 0, 0, 0, 0, 0, 0),
    [-EPERM, 'timerfd_settime', 3, 0, A, 0],
    [0, 'timerfd_settime', 4, 0, A, 0],
  ]);

  linuxCase('supplementary groups: how many, which, and who may set them', [
    put(A, 5, 6, 7),
    [0, 'setgroups', 3, A],
    [3, 'getgroups', 0, 0],
    [3, 'getgroups', 10, A + 0x40],
    get(A + 0x40, 5, 6, 7),
    [-EINVAL, 'getgroups', 2, A + 0x40],
    [-EINVAL, 'getgroups', -1, A + 0x40],
    [-EINVAL, 'setgroups', 65537, A],
    [-EFAULT, 'setgroups', 1, NOWHERE],
    [3, 'open', 'file', 0o102, 0o600],
    [0, 'fchown', 3, 1, 6],
    [0, 'fchmod', 3, 0o040],
    [0, 'setresuid', 1000, 1000, 1000],
    [0, 'access', 'file', 4],
    [-EPERM, 'setgroups', 0, 0],
  ]);

  linuxCase('capabilities: gone with root, put down for good, never more than permitted', [
    put(A, 0x2008_0522, 0),
    [0, 'capget', A, A + 0x40],
    fork('child', [0, 'setresuid', 1000, 1000, 1000], [0, 'capget', A, A + 0x40], get(A + 0x40, 0, 0), [-EPERM, 'setresuid', 0, 0, 0]),
    [$('child'), 'wait4', -1, A + 0x80, 0, 0],
    // Kept on request, but not in force.
    fork('kept', [0, 'prctl', 8, 1, 0, 0, 0], [0, 'setresuid', 1000, 1000, 1000], [0, 'capget', A, A + 0x40], get(A + 0x40, 0), [
      -EPERM,
      'setresuid',
      0,
      0,
      0,
    ]),
    [$('kept'), 'wait4', -1, A + 0x80, 0, 0],
    // Of the saved user only: permitted is kept.
    fork(
      'saved',
      [0, 'setresuid', 1000, 1000, 0],
      [0, 'capget', A, A + 0x40],
      get(A + 0x40, 0),
      [0, 'setresuid', KEEP, 0, KEEP],
      [0, 'setgroups', 0, 0],
    ),
    [$('saved'), 'wait4', -1, A + 0x80, 0, 0],
    put(A + 0x40, 0, 0, 0, 0, 0, 0),
    [0, 'capset', A, A + 0x40],
    put(A + 0x40, 1, 1, 0, 0, 0, 0),
    [-EPERM, 'capset', A, A + 0x40],
    put(A, 0x1234, 0),
    [-EINVAL, 'capget', A, A + 0x40],
    get(A, 0x2008_0522),
    [-EFAULT, 'capget', NOWHERE, A + 0x40],
    put(A, 0x2008_0522, 30000),
    [-ESRCH, 'capget', A, A + 0x40],
  ]);

  linuxCase('limits: soft below hard, hard only downwards, whose they may be', [
    put(A, ...long(50), ...long(60)),
    [0, 'prlimit64', 0, Rlimit.NOFILE, A, A + 0x40],
    get(A + 0x40, 64, 0, 64, 0),
    put(A, ...long(61), ...long(60)),
    [-EINVAL, 'setrlimit', Rlimit.NOFILE, A],
    put(A, ...long(50), ...long(61)),
    [-EPERM, 'setrlimit', Rlimit.NOFILE, A],
    [0, 'getrlimit', Rlimit.NOFILE, A],
    get(A, 50, 0, 60, 0),
    [-EINVAL, 'getrlimit', 16, A],
    [-EFAULT, 'getrlimit', Rlimit.NOFILE, NOWHERE],
    [-ESRCH, 'prlimit64', 30000, Rlimit.NOFILE, 0, A],
    fork('child', ['never', 'pause']),
    [0, 'prlimit64', $('child'), Rlimit.NOFILE, 0, A],
    get(A, 50, 0, 60, 0),
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'prlimit64', $('child'), Rlimit.NOFILE, 0, A],
  ]);

  linuxCase('names of the machine, random bytes and other things about it', [
    [0, 'uname', A],
    [-EFAULT, 'uname', NOWHERE],
    [0, 'sethostname', 'host', 4],
    [-EINVAL, 'sethostname', 'host', 65],
    [-EINVAL, 'sethostname', 'host', -1],
    [16, 'getrandom', A, 16, 0],
    [-EINVAL, 'getrandom', A, 16, 8],
    [-EFAULT, 'getrandom', NOWHERE, 16, 0],
    [0, 'getcpu', A, A + 4, 0],
    [0, 'sysinfo', A],
    [-EFAULT, 'sysinfo', NOWHERE],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'sethostname', 'host', 4],
  ]);
});

/** As LTP's sched_setscheduler, sched_setparam, sched_setaffinity, nice, setpriority and sched_rr_get_interval tests, and gVisor's, describe them. */
describe('Scheduling', () => {
  const priority = (value: number): Step => put(A, value);

  linuxCase('policies and their priorities', [
    priority(0),
    [0, 'sched_getscheduler', 0],
    priority(10),
    [0, 'sched_setscheduler', 0, 1, A],
    [1, 'sched_getscheduler', 0],
    [0, 'sched_getparam', 0, A + 4],
    get(A + 4, 10),
    [-EINVAL, 'sched_setscheduler', 0, 0, A],
    priority(0),
    [-EINVAL, 'sched_setscheduler', 0, 1, A],
    [-EINVAL, 'sched_setparam', 0, A],
    priority(100),
    [-EINVAL, 'sched_setscheduler', 0, 2, A],
    priority(99),
    [0, 'sched_setscheduler', 0, 2, A],
    priority(0),
    [0, 'sched_setscheduler', 0, 3, A],
    [3, 'sched_getscheduler', 0],
    [0, 'sched_setscheduler', 0, 5, A],
    [-EINVAL, 'sched_setscheduler', 0, 99, A],
    [-EINVAL, 'sched_setscheduler', 0, 0, 0],
    [-EFAULT, 'sched_setscheduler', 0, 0, NOWHERE],
    [-ESRCH, 'sched_setscheduler', 30000, 0, A],
    [-EINVAL, 'sched_setscheduler', -1, 0, A],
    [-EINVAL, 'sched_getscheduler', -1],
    [-ESRCH, 'sched_getparam', 30000, A],
    [-EINVAL, 'sched_getparam', 0, 0],
  ]);

  linuxCase('least and greatest priorities', [
    [1, 'sched_get_priority_min', 1],
    [99, 'sched_get_priority_max', 1],
    [0, 'sched_get_priority_min', 0],
    [0, 'sched_get_priority_max', 3],
    [99, 'sched_get_priority_max', 2],
    [-EINVAL, 'sched_get_priority_min', 99],
    [-EINVAL, 'sched_get_priority_max', -1],
  ]);

  linuxCase("who has no right to: no real-time, no upwards, and no others'", [
    fork('child', ['never', 'pause']),
    [0, 'setresuid', 1000, 1000, 1000],
    priority(1),
    [-EPERM, 'sched_setscheduler', 0, 1, A],
    [0, 'setpriority', Prio.PROCESS, 0, 5],
    [-EACCES, 'setpriority', Prio.PROCESS, 0, 4],
    [15, 'getpriority', Prio.PROCESS, 0],
    [-EPERM, 'setpriority', Prio.PROCESS, $('child'), 6],
    priority(0),
    [-EPERM, 'sched_setscheduler', $('child'), 3, A],
    [0, 'sched_setscheduler', 0, 3, A],
    [0, 'sched_setscheduler', 0, 5, A],
    // Out of idle again only as RLIMIT_NICE allows.
    [-EPERM, 'sched_setscheduler', 0, 0, A],
  ]);

  linuxCase('nice values: clamped, of groups and users, the most favoured is told', [
    [0, 'setpriority', Prio.PROCESS, 0, 100],
    [1, 'getpriority', Prio.PROCESS, 0],
    [0, 'setpriority', Prio.PROCESS, 0, -100],
    [40, 'getpriority', Prio.PROCESS, 0],
    fork('child', [0, 'setpriority', Prio.PROCESS, 0, 10], [40, 'getpriority', 1, 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
    [0, 'setpriority', 1, 0, 3],
    [17, 'getpriority', Prio.PROCESS, 0],
    [-EINVAL, 'getpriority', 9, 0],
    [-EINVAL, 'setpriority', 9, 0, 0],
    [-ESRCH, 'getpriority', Prio.PROCESS, 30000],
    [-ESRCH, 'setpriority', 1, 30000, 0],
  ]);

  linuxCase('reset on fork: children begin as ordinary ones', [
    priority(10),
    [0, 'sched_setscheduler', 0, 0x4000_0001, A],
    [0x4000_0001, 'sched_getscheduler', 0],
    fork('child', [0, 'sched_getscheduler', 0], [20, 'getpriority', Prio.PROCESS, 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    priority(10),
    [0, 'sched_setscheduler', 0, 1, A],
    fork('second', [1, 'sched_getscheduler', 0]),
    [$('second'), 'wait4', -1, A, 0, 0],
  ]);

  linuxCase('affinity: not to no CPU, in words, and kept by children', [
    put(A, 1, 0),
    [0, 'sched_setaffinity', 0, 8, A],
    [8, 'sched_getaffinity', 0, 8, A + 8],
    get(A + 8, 1, 0),
    fork('child', [8, 'sched_getaffinity', 0, 8, A + 8], get(A + 8, 1, 0)),
    [$('child'), 'wait4', -1, A + 0x40, 0, 0],
    put(A, 0, 0),
    [-EINVAL, 'sched_setaffinity', 0, 8, A],
    [-EINVAL, 'sched_getaffinity', 0, 7, A],
    [-EINVAL, 'sched_getaffinity', 0, 0, A],
    [-ESRCH, 'sched_setaffinity', 30000, 8, A],
    [-ESRCH, 'sched_getaffinity', 30000, 8, A],
    [-EFAULT, 'sched_setaffinity', 0, 8, NOWHERE],
    [-EFAULT, 'sched_getaffinity', 0, 8, NOWHERE],
    fork('pausing', ['never', 'pause']),
    put(A, 1, 0),
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'sched_setaffinity', $('pausing'), 8, A],
  ]);

  linuxCase('sched_rr_get_interval: of round-robin its slice, of FIFO none', [
    priority(1),
    [0, 'sched_setscheduler', 0, 2, A],
    [0, 'sched_rr_get_interval', 0, A],
    get(A, 0, 0, 100_000_000, 0),
    priority(1),
    [0, 'sched_setscheduler', 0, 1, A],
    [0, 'sched_rr_get_interval', 0, A],
    get(A, 0, 0, 0, 0),
    [-EINVAL, 'sched_rr_get_interval', -1, A],
    [-ESRCH, 'sched_rr_get_interval', 30000, A],
    [-EFAULT, 'sched_rr_get_interval', 0, NOWHERE],
  ]);

  linuxCase('sched_getattr and sched_setattr: sizes, policies, flags', [
    [0, 'sched_getattr', 0, A, 56, 0],
    get(A, 56, 0, 0, 0),
    put(A, 48, 1, 0, 0, 0, 7),
    [0, 'sched_setattr', 0, A, 0],
    [1, 'sched_getscheduler', 0],
    [-EINVAL, 'sched_getattr', 0, A, 47, 0],
    [-EINVAL, 'sched_getattr', 0, A, 56, 1],
    [-EINVAL, 'sched_setattr', 0, 0, 0],
    [-EINVAL, 'sched_setattr', 0, A, 1],
    [-ESRCH, 'sched_getattr', 30000, A, 56, 0],
    put(A, 47, 0, 0, 0, 0, 0),
    [-Errno.E2BIG, 'sched_setattr', 0, A, 0],
    get(A, 56),
  ]);

  linuxCase('membarrier: what can be asked for must be registered', [
    [-EPERM, 'membarrier', 8, 0, 0],
    [0, 'membarrier', 16, 0, 0],
    [0, 'membarrier', 8, 0, 0],
    [0, 'membarrier', 1, 0, 0],
    [-EINVAL, 'membarrier', 0, 2, 0],
    [-EINVAL, 'membarrier', 3, 0, 0],
  ]);
});
