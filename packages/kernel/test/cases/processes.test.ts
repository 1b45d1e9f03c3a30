import { Errno, Signal, SignalCode, WaitOption } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, getText, handler, NOWHERE, put, SHARED, type Step, seen, store, thread } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { ECHILD, EFAULT, EINTR, EINVAL, EPERM, ESRCH } = Errno;
const { KILL, STOP, CONT, TERM, USR1, CHLD } = Signal;
const { NOHANG, EXITED, NOWAIT, UNTRACED, CONTINUED } = WaitOption;
/** Commands of prctl. */
const [SET_PDEATHSIG, GET_PDEATHSIG, SET_NAME, GET_NAME, SET_CHILD_SUBREAPER, GET_CHILD_SUBREAPER] = [1, 2, 15, 16, 36, 37];
const [P_ALL, P_PID, P_PGID, P_PIDFD] = [0, 1, 2, 3];
const pausing: Step = ['never', 'pause'];
const interrupted: Step = [-EINTR, 'pause'];
const self: Step = [$('self'), 'getpid'];
const exiting = (status: number): Step => ['never', 'exit_group', status];

/** As LTP's fork, wait4, waitid, waitpid, kill, setpgid, getpgid, setsid, exit_group, prctl and pidfd tests, and gVisor's wait and fork tests, describe them. */
describe('Processes', () => {
  linuxCase('wait4: how a child has ended, only once, and no other', [
    fork('child', exiting(0x1234)),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0x3400),
    [-ECHILD, 'wait4', -1, A, 0, 0],
    [-ECHILD, 'wait4', $('child'), A, 0, 0],
    [-ECHILD, 'wait4', 1, A, NOHANG, 0],
    [-EINVAL, 'wait4', -1, A, 0x10, 0],
    [-ESRCH, 'wait4', -(2 ** 31), A, 0, 0],
    fork('killed', pausing),
    asleep('killed'),
    [0, 'kill', $('killed'), KILL],
    [$('killed'), 'wait4', 0, A, 0, 0],
    get(A, KILL),
    fork('third', exiting(0)),
    asleep('third'),
    // The child is reaped though nobody hears of it.
    [-EFAULT, 'wait4', -1, NOWHERE, 0, 0],
    [-ECHILD, 'wait4', -1, A, 0, 0],
  ]);

  linuxCase('WNOHANG: 0 as long as there is a child that has not ended', [
    fork('child', pausing),
    [0, 'wait4', -1, A, NOHANG, 0],
    [0, 'wait4', $('child'), A, NOHANG | UNTRACED | CONTINUED, 0],
    asleep('child'),
    [0, 'kill', $('child'), TERM],
    asleep('child'),
    [$('child'), 'wait4', -1, A, NOHANG, 0],
    get(A, TERM),
  ]);

  linuxCase('waiting by group: that of the caller, that of a number', [
    fork('own', pausing),
    fork('other', [0, 'setpgid', 0, 0], pausing),
    asleep('own'),
    asleep('other'),
    [0, 'wait4', 0, A, NOHANG, 0],
    [0, 'wait4', $('other', -1), A, NOHANG, 0],
    [0, 'kill', $('other', -1), KILL],
    [$('other'), 'wait4', $('other', -1), A, 0, 0],
    [-ECHILD, 'wait4', $('other', -1), A, 0, 0],
    [0, 'kill', $('own'), KILL],
    [$('own'), 'wait4', 0, A, 0, 0],
  ]);

  linuxCase('waitid: who, how and what of, and a look that leaves it', [
    fork('child', exiting(7)),
    [0, 'waitid', P_PID, $('child'), A, EXITED | NOWAIT, 0],
    get(A, CHLD, 0, SignalCode.CLD_EXITED, 0, $('child'), 0, 7),
    [0, 'waitid', P_ALL, 0, A, EXITED, 0],
    get(A, CHLD, 0, SignalCode.CLD_EXITED, 0, $('child'), 0, 7),
    [-ECHILD, 'waitid', P_ALL, 0, A, EXITED, 0],
    [-EINVAL, 'waitid', P_ALL, 0, A, 0, 0],
    [-EINVAL, 'waitid', 9, 0, A, EXITED, 0],
    [-EINVAL, 'waitid', P_PID, 0, A, EXITED, 0],
    [-EINVAL, 'waitid', P_PID, -1, A, EXITED, 0],
    fork('second', pausing),
    put(A, 9, 9, 9, 0, 9),
    [0, 'waitid', P_PGID, 0, A, EXITED | NOHANG, 0],
    get(A, 0, 0, 0, 0, 0),
    asleep('second'),
    [0, 'kill', $('second'), STOP],
    [0, 'waitid', P_PID, $('second'), A, UNTRACED, 0],
    get(A, CHLD, 0, SignalCode.CLD_STOPPED, 0, $('second'), 0, STOP),
    [0, 'kill', $('second'), CONT],
    [0, 'waitid', P_PID, $('second'), A, CONTINUED, 0],
    get(A, CHLD, 0, SignalCode.CLD_CONTINUED, 0, $('second'), 0, CONT),
    [0, 'kill', $('second'), KILL],
    [0, 'waitid', P_PID, $('second'), 0, EXITED, 0],
  ]);

  linuxCase('a zombie is there until it is waited for', [
    fork('child', exiting(0)),
    asleep('child'),
    [0, 'kill', $('child'), 0],
    [0, 'kill', $('child'), TERM],
    [$('group'), 'getpgid', $('child')],
    [0, 'sched_getscheduler', $('child')],
    [20, 'getpriority', 0, $('child')],
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    [-ESRCH, 'kill', $('child'), 0],
    [-ESRCH, 'getpgid', $('child')],
  ]);

  linuxCase('an orphan goes to the nearest sub-reaper above it', [
    self,
    [0, 'prctl', SET_CHILD_SUBREAPER, 1, 0, 0, 0],
    fork('middle', fork('orphan', pausing), asleep('orphan'), exiting(3)),
    [$('middle'), 'wait4', $('middle'), A, 0, 0],
    // It is this one's child now.
    [0, 'wait4', -1, A, NOHANG, 0],
    [0, 'kill', 0, 0],
    handler(TERM),
    [0, 'kill', 0, TERM],
    [$('orphan'), 'wait4', -1, A, 0, 0],
    get(A, TERM),
    [0, 'prctl', GET_CHILD_SUBREAPER, A, 0, 0, 0],
    get(A, 1),
  ]);

  linuxCase('PR_SET_PDEATHSIG: told when the parent dies, and not inherited', [
    [0, 'prctl', SET_CHILD_SUBREAPER, 1, 0, 0, 0],
    [0, 'pipe', A],
    fork(
      'middle',
      fork(
        'child',
        [0, 'prctl', SET_PDEATHSIG, USR1, 0, 0, 0],
        [0, 'prctl', GET_PDEATHSIG, A, 0, 0, 0],
        get(A, USR1),
        fork('grandchild', [0, 'prctl', GET_PDEATHSIG, A, 0, 0, 0], get(A, 0)),
        [$('grandchild'), 'wait4', -1, A, 0, 0],
        [1, 'write', 4, 'x', 1],
        pausing,
      ),
      // Else it could be asleep in wait4.
      [1, 'read', 3, A, 1],
      asleep('child'),
      exiting(0),
    ),
    [$('middle'), 'wait4', $('middle'), A, 0, 0],
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, USR1),
    [-EINVAL, 'prctl', SET_PDEATHSIG, 65, 0, 0, 0],
  ]);

  linuxCase('process groups: by whom they may be set', [
    self,
    [$('own'), 'getpgrp'],
    [$('session'), 'getsid', 0],
    fork('child', pausing),
    [0, 'setpgid', $('child'), $('child')],
    [$('moved'), 'getpgid', $('child')],
    [0, 'setpgid', $('child'), $('own')],
    [-EINVAL, 'setpgid', $('child'), -1],
    [-EPERM, 'setpgid', $('child'), 30000],
    [-ESRCH, 'setpgid', 30000, 0],
    [-ESRCH, 'setpgid', 1, 0],
    // The leader of a session stays in its group.
    [-EPERM, 'setpgid', 0, 0],
    [-EPERM, 'setsid'],
    [-ESRCH, 'getpgid', 30000],
    [-ESRCH, 'getsid', 30000],
    [-ESRCH, 'getpgid', -1],
  ]);

  linuxCase('a child that is in a session of its own cannot be moved by its parent', [
    fork('child', [$('session'), 'setsid'], [$('own'), 'getpgrp'], [-EPERM, 'setsid'], pausing),
    asleep('child'),
    [-EPERM, 'setpgid', $('child'), 0],
    [$('session'), 'getsid', $('child')],
    [0, 'kill', $('child'), KILL],
    [$('child'), 'wait4', -1, A, 0, 0],
  ]);

  linuxCase('a group that has lost its last tie to its session is sent SIGHUP and SIGCONT if some of it is stopped', [
    [0, 'pipe', A],
    fork(
      'middle',
      fork('stopped', [0, 'setpgid', 0, 0], handler(Signal.HUP), handler(CONT), interrupted, seen(Signal.HUP, 1), seen(CONT, 1)),
      asleep('stopped'),
      [0, 'kill', $('stopped'), STOP],
      asleep('stopped'),
      exiting(0),
    ),
    [$('middle'), 'wait4', $('middle'), A, 0, 0],
    // Nobody can write any more when it has ended.
    [0, 'close', 4],
    [0, 'read', 3, A, 1],
  ]);

  linuxCase('exit ends one thread, exit_group all of them', [
    fork('first', thread('other', pausing), asleep('other'), exiting(5)),
    [$('first'), 'wait4', $('first'), A, 0, 0],
    get(A, 0x500),
    fork('second', [$('leader'), 'getpid'], thread('other', asleep('leader'), exiting(6)), ['never', 'exit', 9]),
    [$('second'), 'wait4', $('second'), A, 0, 0],
    get(A, 0x600),
    // The status is that of the thread that was last.
    fork('third', [$('leader'), 'getpid'], thread('other', asleep('leader'), ['never', 'exit', 6]), ['never', 'exit', 9]),
    [$('third'), 'wait4', $('third'), A, 0, 0],
    get(A, 0x600),
  ]);

  linuxCase('ids: of threads, of the process, of the parent', [
    self,
    [$('tid'), 'gettid'],
    [$('first'), 'set_tid_address', 0],
    thread(
      'other',
      [$('own'), 'gettid'],
      [$('same'), 'getpid'],
      [0, 'tgkill', $('same'), $('own'), 0],
      [-ESRCH, 'tgkill', $('own'), $('own'), 0],
    ),
    asleep('other'),
    fork('child', [$('parent'), 'getppid'], [0, 'kill', $('parent'), 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
  ]);

  linuxCase('children that threads have made can be waited for by all of them, but for those with __WNOTHREAD', [
    thread('other', fork('child', exiting(4)), pausing),
    asleep('other'),
    [-ECHILD, 'wait4', -1, A, WaitOption.NOTHREAD | NOHANG, 0],
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0x400),
  ]);

  linuxCase('a pidfd: readable when the process has ended; signals and waits by it', [
    fork('child', handler(USR1), interrupted, seen(USR1, 1, 0), exiting(3)),
    asleep('child'),
    [3, 'pidfd_open', $('child'), 0],
    [1, 'fcntl', 3, 1],
    put(A, 3, 1),
    [0, 'poll', A, 1, 0],
    [0, 'pidfd_send_signal', 3, USR1, 0, 0],
    [0, 'waitid', P_PIDFD, 3, A + 0x100, EXITED | NOWAIT, 0],
    put(A, 3, 1),
    [1, 'poll', A, 1, 0],
    get(A, 3, 1 | (1 << 16)),
    [0, 'waitid', P_PIDFD, 3, A + 0x100, EXITED, 0],
    [-ESRCH, 'pidfd_send_signal', 3, 0, 0, 0],
    [-ECHILD, 'waitid', P_PIDFD, 3, A, EXITED, 0],
    [-EINVAL, 'pidfd_open', $('child'), 1],
    [-ESRCH, 'pidfd_open', $('child'), 0],
    [-EINVAL, 'pidfd_open', 0, 0],
    [-EINVAL, 'read', 3, A, 8],
    [-EINVAL, 'pidfd_send_signal', 3, 0, 0, 1 << 8],
    [-Errno.EBADF, 'pidfd_send_signal', 0, 0, 0, 0],
  ]);

  linuxCase('pidfd_getfd: a descriptor of another process', [
    fork('child', [3, 'eventfd2', 5, 0], pausing),
    asleep('child'),
    [3, 'pidfd_open', $('child'), 0],
    [4, 'pidfd_getfd', 3, 3, 0],
    [1, 'fcntl', 4, 1],
    [8, 'read', 4, A, 8],
    get(A, 5, 0),
    [-Errno.EBADF, 'pidfd_getfd', 3, 30, 0],
    [-EINVAL, 'pidfd_getfd', 3, 3, 1],
    [-Errno.EBADF, 'pidfd_getfd', 0, 3, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'pidfd_getfd', 3, 3, 0],
  ]);

  linuxCase('memory is copied by fork, and shared where it was mapped so', [
    store(A, 1),
    store(SHARED, 1),
    fork('child', store(A, 2), store(SHARED, 2)),
    [$('child'), 'wait4', -1, A + 0x40, 0, 0],
    get(A, 1),
    get(SHARED, 2),
  ]);

  linuxCase('names and traits by prctl', [
    [0, 'prctl', SET_NAME, 'a name that is too long', 0, 0, 0],
    [0, 'prctl', GET_NAME, A, 0, 0, 0],
    getText(A, 'a name that is \0'),
    [0, 'prctl', 39, 0, 0, 0, 0],
    [-EINVAL, 'prctl', 38, 0, 0, 0, 0],
    [0, 'prctl', 38, 1, 0, 0, 0],
    fork('child', [1, 'prctl', 39, 0, 0, 0, 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
    [1, 'prctl', 3, 0, 0, 0, 0],
    [0, 'prctl', 4, 0, 0, 0, 0],
    [0, 'prctl', 3, 0, 0, 0, 0],
    [-EINVAL, 'prctl', 4, 2, 0, 0, 0],
    [-EINVAL, 'prctl', 9999, 0, 0, 0, 0],
    [-EFAULT, 'prctl', SET_NAME, NOWHERE, 0, 0, 0],
  ]);

  linuxCase('a wait that a signal interrupts', [
    fork('child', pausing),
    [$('parent'), 'getpid'],
    handler(USR1),
    fork('sender', asleep('parent'), [0, 'kill', $('parent'), USR1]),
    [-EINTR, 'wait4', $('child'), A, 0, 0],
    seen(USR1, 1, 0, $('sender')),
    [0, 'kill', $('child'), KILL],
    [$('child'), 'wait4', $('child'), A, 0, 0],
  ]);

  linuxCase('rusage of children counts those that have been waited for', [
    [0, 'getrusage', -1, A],
    get(A, 0, 0, 0, 0),
    [-EINVAL, 'getrusage', 2, A],
    [-EFAULT, 'getrusage', 0, NOWHERE],
    [0, 'getrusage', 1, A],
  ]);
});
