import { Errno, Signal, SignalCode, SignalFlag, SignalMask } from '@rpal/uapi';
import { describe } from 'vitest';
import {
  $,
  A,
  asleep,
  fork,
  get,
  handler,
  handling,
  load,
  long,
  NOWHERE,
  ORDER,
  put,
  type Step,
  seen,
  store,
  thread,
} from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EAGAIN, EFAULT, EINTR, EINVAL, EPERM, ESRCH } = Errno;
const { USR1, USR2, RTMIN, TERM, KILL, STOP, CONT, CHLD } = Signal;
const { BLOCK, UNBLOCK, SETMASK } = SignalMask;
const RT = RTMIN + 2;

const bit = (signal: number): [number, number] => long(2 ** (signal - 1));
/** A set of signals at `A`. */
const set = (...signals: number[]): Step => put(A, ...long(signals.reduce((sum, signal) => sum + 2 ** (signal - 1), 0)));
const block = (...signals: number[]): Step[] => [set(...signals), [0, 'rt_sigprocmask', BLOCK, A, 0, 8]];
const unblock = (...signals: number[]): Step[] => [set(...signals), [0, 'rt_sigprocmask', UNBLOCK, A, 0, 8]];
const self: Step = [$('self'), 'getpid'];
const reap = (name: string): Step => [$(name), 'wait4', $(name), A + 0x40, 0, 0];

/** As LTP's kill, sigaction, sigprocmask, sigpending, sigsuspend, sigqueue, sigtimedwait, sigaltstack and signalfd tests, and gVisor's, describe them. */
describe('Signals', () => {
  linuxCase('blocked ones wait: one of each standard kind, all of the real-time kinds, lowest number first', [
    self,
    handler(USR1),
    handler(USR2),
    handler(RT),
    handler(RT + 1),
    ...block(USR1, USR2, RT, RT + 1),
    [0, 'kill', $('self'), RT + 1],
    [0, 'kill', $('self'), RT],
    [0, 'kill', $('self'), RT],
    [0, 'kill', $('self'), USR2],
    [0, 'kill', $('self'), USR1],
    [0, 'kill', $('self'), USR1],
    [0, 'rt_sigpending', A, 8],
    get(A, ...long(2 ** (USR1 - 1) + 2 ** (USR2 - 1) + 2 ** (RT - 1) + 2 ** RT)),
    ...unblock(USR1, USR2, RT, RT + 1),
    seen(USR1, 1),
    seen(USR2, 1),
    seen(RT, 2),
    seen(RT + 1, 1),
    // Each handler's frame lies on that of the one before: the last to be set up runs first.
    get(ORDER, 5, RT + 1, RT, RT, USR2, USR1),
    [0, 'rt_sigpending', A, 8],
    get(A, 0, 0),
  ]);

  linuxCase('the mask: what each way of changing it does, and what it never takes', [
    set(USR1, KILL, STOP),
    [0, 'rt_sigprocmask', SETMASK, A, A + 8, 8],
    get(A + 8, 0, 0),
    set(USR2),
    [0, 'rt_sigprocmask', BLOCK, A, A + 8, 8],
    get(A + 8, ...bit(USR1)),
    set(USR1),
    [0, 'rt_sigprocmask', UNBLOCK, A, A + 8, 8],
    get(A + 8, 2 ** (USR1 - 1) + 2 ** (USR2 - 1), 0),
    [0, 'rt_sigprocmask', 77, 0, A + 8, 8],
    get(A + 8, ...bit(USR2)),
    [-EINVAL, 'rt_sigprocmask', 77, A, 0, 8],
    [-EINVAL, 'rt_sigprocmask', BLOCK, A, 0, 4],
    [-EFAULT, 'rt_sigprocmask', BLOCK, NOWHERE, 0, 8],
  ]);

  linuxCase('a handler: its own signal is blocked in it, and those of its mask, until it ends', [
    self,
    handler(USR2),
    handling(
      USR1,
      0,
      2 ** (USR2 - 1),
      [0, 'rt_sigprocmask', BLOCK, 0, A, 8],
      get(A, 2 ** (USR1 - 1) + 2 ** (USR2 - 1), 0),
      [0, 'kill', $('self'), USR2],
      seen(USR2, 0),
    ),
    [0, 'kill', $('self'), USR1],
    seen(USR2, 1),
    [0, 'rt_sigprocmask', BLOCK, 0, A, 8],
    get(A, 0, 0),
    handling(USR1, SignalFlag.NODEFER, 0, [0, 'rt_sigprocmask', BLOCK, 0, A, 8], get(A, 0, 0)),
    [0, 'kill', $('self'), USR1],
  ]);

  linuxCase('SA_RESETHAND: once only, then the default', [
    fork('child', self, handler(TERM, SignalFlag.RESETHAND), [0, 'kill', $('self'), TERM], seen(TERM, 1), [
      'never',
      'kill',
      $('self'),
      TERM,
    ]),
    reap('child'),
    get(A + 0x40, TERM),
  ]);

  linuxCase('what cannot be handled, and what is no signal', [
    put(A, 1, 0, 0, 0, 0, 0, 0, 0),
    [-EINVAL, 'rt_sigaction', KILL, A, 0, 8],
    [-EINVAL, 'rt_sigaction', STOP, A, 0, 8],
    [0, 'rt_sigaction', KILL, 0, A, 8],
    [-EINVAL, 'rt_sigaction', 0, A, 0, 8],
    [-EINVAL, 'rt_sigaction', 65, A, 0, 8],
    [-EINVAL, 'rt_sigaction', USR1, A, 0, 4],
    [-EFAULT, 'rt_sigaction', USR1, NOWHERE, 0, 8],
    [-EFAULT, 'rt_sigaction', USR1, A, NOWHERE, 8],
  ]);

  linuxCase('an ignored signal is thrown away, also one that is pending', [
    self,
    ...block(USR1, CHLD),
    [0, 'kill', $('self'), USR1],
    put(A, 1, 0, 0, 0, 0, 0, 0, 0),
    [0, 'rt_sigaction', USR1, A, 0, 8],
    [0, 'rt_sigpending', A, 8],
    get(A, 0, 0),
    [0, 'kill', $('self'), USR1],
    // Blocked, it is kept even if it is ignored: there may be a handler by then.
    [0, 'rt_sigpending', A, 8],
    get(A, ...bit(USR1)),
    handler(USR1),
    ...unblock(USR1),
    seen(USR1, 1),
  ]);

  linuxCase('kill: signal 0 only asks, groups get all a signal, and strangers none', [
    self,
    [0, 'kill', $('self'), 0],
    [-EINVAL, 'kill', $('self'), 65],
    [-EINVAL, 'kill', $('self'), -1],
    [-ESRCH, 'kill', 30000, 0],
    [-ESRCH, 'kill', -30000, TERM],
    [-ESRCH, 'kill', -(2 ** 31), TERM],
    handler(USR1),
    fork('child', handler(USR1), [0, 'setpgid', 0, 0], [-EINTR, 'pause'], seen(USR1, 1)),
    asleep('child'),
    [0, 'kill', 0, USR1],
    seen(USR1, 1, 0, $('self'), 0),
    [0, 'kill', $('child', -1), USR1],
    reap('child'),
    fork('victim', ['never', 'pause']),
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'kill', $('victim'), TERM],
    [-EPERM, 'kill', $('victim'), 0],
  ]);

  linuxCase('a signal to oneself arrives before kill returns', [
    self,
    handler(USR1),
    [0, 'kill', $('self'), USR1],
    seen(USR1, 1, SignalCode.USER, $('self')),
    [0, 'tkill', $('self'), USR1],
    seen(USR1, 2, SignalCode.TKILL, $('self')),
    [0, 'tgkill', $('self'), $('self'), USR1],
    seen(USR1, 3, SignalCode.TKILL, $('self')),
    [-EINVAL, 'tgkill', 0, $('self'), USR1],
    [-EINVAL, 'tgkill', $('self'), -1, USR1],
    [-EINVAL, 'tkill', 0, USR1],
    [-ESRCH, 'tgkill', $('self', 1, 1), $('self'), USR1],
    [-EINVAL, 'tgkill', -1, $('self'), 0],
  ]);

  linuxCase('sigqueue: a value comes along; whose code claims to be the kernel is not let through to others', [
    self,
    handler(USR1),
    put(A, 0, 0, SignalCode.QUEUE, 0, 4242, 7, 77, 78),
    [0, 'rt_sigqueueinfo', $('self'), USR1, A],
    seen(USR1, 1, SignalCode.QUEUE, 4242, 7, 77, 78),
    put(A, 0, 0, 0x80),
    [0, 'rt_sigqueueinfo', $('self'), USR1, A],
    seen(USR1, 2, 0x80),
    fork('child', ['never', 'pause']),
    [-EPERM, 'rt_sigqueueinfo', $('child'), USR1, A],
    put(A, 0, 0, SignalCode.TKILL),
    [-EPERM, 'rt_sigqueueinfo', $('child'), USR1, A],
    [-EFAULT, 'rt_sigqueueinfo', $('self'), USR1, NOWHERE],
    [-EINVAL, 'rt_sigqueueinfo', $('self'), 65, A],
    put(A, 0, 0, SignalCode.QUEUE),
    [0, 'rt_tgsigqueueinfo', $('self'), $('self'), USR1, A],
    seen(USR1, 3, SignalCode.QUEUE),
    [-EINVAL, 'rt_tgsigqueueinfo', 0, $('self'), USR1, A],
  ]);

  linuxCase('a queue is as long as RLIMIT_SIGPENDING allows; without a value they get through all the same', [
    self,
    // They are counted for each user: this one has no other process.
    [0, 'setresuid', 12345, 12345, 12345],
    put(A, 2, 0, 100, 0),
    [0, 'prlimit64', 0, 11, A, 0],
    ...block(RT, USR1),
    put(A + 0x20, 0, 0, SignalCode.QUEUE),
    [0, 'rt_sigqueueinfo', $('self'), RT, A + 0x20],
    [0, 'rt_sigqueueinfo', $('self'), RT, A + 0x20],
    [-EAGAIN, 'rt_sigqueueinfo', $('self'), RT, A + 0x20],
    [0, 'kill', $('self'), RT],
    [0, 'kill', $('self'), USR1],
    handler(RT),
    handler(USR1),
    ...unblock(RT, USR1),
    seen(RT, 2),
    seen(USR1, 1, 0, $('self'), 12345),
  ]);

  linuxCase('sigtimedwait: takes what is pending, waits for what is not, and gives up in time', [
    self,
    ...block(USR1, RT),
    put(A + 0x20, 0, 0, SignalCode.QUEUE, 0, 1, 2, 33, 0),
    [0, 'rt_sigqueueinfo', $('self'), RT, A + 0x20],
    set(USR1, RT),
    put(A + 0x10, ...long(0), ...long(1_000_000)),
    [RT, 'rt_sigtimedwait', A, A + 0x100, A + 0x10, 8],
    get(A + 0x100, RT, 0, SignalCode.QUEUE),
    get(A + 0x110, 1, 2, 33),
    [-EAGAIN, 'rt_sigtimedwait', A, 0, A + 0x10, 8],
    put(A + 0x10, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'rt_sigtimedwait', A, 0, A + 0x10, 8],
    [-EINVAL, 'rt_sigtimedwait', A, 0, 0, 4],
    [-EFAULT, 'rt_sigtimedwait', NOWHERE, 0, 0, 8],
    handler(USR2),
    fork('child', asleep('self'), [0, 'kill', $('self'), USR2]),
    [-EINTR, 'rt_sigtimedwait', A, 0, 0, 8],
    seen(USR2, 1),
  ]);

  linuxCase('sigsuspend: its mask while it waits, the old one afterwards, whatever the handler changes', [
    ...block(USR1, USR2),
    handling(USR1, 0, 0, put(A + 0x20, 0, 0), [0, 'rt_sigprocmask', SETMASK, A + 0x20, 0, 8]),
    self,
    [0, 'kill', $('self'), USR1],
    set(USR2),
    [-EINTR, 'rt_sigsuspend', A, 8],
    seen(USR1, 1),
    [0, 'rt_sigprocmask', BLOCK, 0, A + 0x20, 8],
    get(A + 0x20, 2 ** (USR1 - 1) + 2 ** (USR2 - 1), 0),
    [-EINVAL, 'rt_sigsuspend', A, 4],
    [-EFAULT, 'rt_sigsuspend', NOWHERE, 8],
  ]);

  linuxCase('a stop and a continue throw each other away, and a parent is told of both', [
    handler(CHLD),
    fork('child', ['never', 'pause']),
    asleep('child'),
    [0, 'kill', $('child'), STOP],
    [$('child'), 'wait4', $('child'), A, 2, 0],
    get(A, 0x137f),
    seen(CHLD, 1, SignalCode.CLD_STOPPED, $('child'), 0, STOP),
    [0, 'wait4', $('child'), A, 3, 0],
    [0, 'kill', $('child'), CONT],
    [$('child'), 'wait4', $('child'), A, 8, 0],
    get(A, 0xffff),
    asleep('child'),
    seen(CHLD, 2, SignalCode.CLD_CONTINUED, $('child'), 0, CONT),
    [0, 'kill', $('child'), KILL],
    [$('child'), 'wait4', $('child'), A, 0, 0],
    get(A, KILL),
  ]);

  linuxCase('a stopped process takes nothing but SIGCONT and SIGKILL, and the rest when it goes on', [
    fork('child', handler(USR1), [-EINTR, 'pause'], seen(USR1, 1)),
    asleep('child'),
    [0, 'kill', $('child'), STOP],
    [$('child'), 'wait4', $('child'), A, 2, 0],
    [0, 'kill', $('child'), USR1],
    [0, 'wait4', $('child'), A, 1, 0],
    [0, 'kill', $('child'), CONT],
    [$('child'), 'wait4', $('child'), A, 0, 0],
    get(A, 0),
  ]);

  linuxCase('SA_NOCLDSTOP and SA_NOCLDWAIT: not told of stops; no zombies', [
    handler(CHLD, SignalFlag.NOCLDSTOP),
    fork('child', ['never', 'pause']),
    asleep('child'),
    [0, 'kill', $('child'), STOP],
    [$('child'), 'wait4', $('child'), A, 2, 0],
    seen(CHLD, 0),
    handler(CHLD, SignalFlag.NOCLDWAIT),
    [0, 'kill', $('child'), KILL],
    [-Errno.ECHILD, 'wait4', $('child'), A, 0, 0],
    seen(CHLD, 1, SignalCode.CLD_KILLED, $('child'), 0, KILL),
  ]);

  linuxCase('a fault that its signal is blocked or ignored for kills', [
    fork('blocked', ...block(Signal.SEGV), handler(Signal.SEGV), load(NOWHERE, 'never')),
    reap('blocked'),
    get(A + 0x40, Signal.SEGV),
    fork('ignored', put(A, 1, 0, 0, 0, 0, 0, 0, 0), [0, 'rt_sigaction', Signal.SEGV, A, 0, 8], load(NOWHERE, 'never')),
    reap('ignored'),
    get(A + 0x40, Signal.SEGV),
  ]);

  linuxCase('a fault that its handler repairs: the access is made again', [
    [$('page'), 'mmap', A + 0x40000, 4096, 1, 0x32, -1, 0],
    handling(Signal.SEGV, 0, 0, [0, 'mprotect', A + 0x40000, 4096, 3]),
    store(A + 0x40010, 5),
    seen(Signal.SEGV, 1, SignalCode.SEGV_ACCERR, ...long(A + 0x40010)),
    load(A + 0x40010, 5),
  ]);

  linuxCase('a process-wide signal goes to a thread that does not block it; one for a thread to that thread', [
    self,
    ...block(USR1, USR2),
    handler(USR1),
    handler(USR2),
    thread('other', ...unblock(USR1), [-EINTR, 'pause'], seen(USR1, 1, 0)),
    asleep('other'),
    [0, 'kill', $('self'), USR1],
    asleep('other'),
    seen(USR1, 1),
    [0, 'tgkill', $('self'), $('self'), USR2],
    seen(USR2, 0),
    ...unblock(USR2),
    seen(USR2, 1, SignalCode.TKILL),
  ]);

  linuxCase('a fork begins with the mask and the handlers, and with nothing pending', [
    self,
    ...block(USR1),
    handler(USR2),
    [0, 'kill', $('self'), USR1],
    fork(
      'child',
      [0, 'rt_sigpending', A, 8],
      get(A, 0, 0),
      [0, 'rt_sigprocmask', BLOCK, 0, A, 8],
      get(A, ...bit(USR1)),
      [$('me'), 'getpid'],
      [0, 'kill', $('me'), USR2],
      seen(USR2, 1),
    ),
    reap('child'),
    get(A + 0x40, 0),
    [0, 'rt_sigpending', A, 8],
    get(A, ...bit(USR1)),
  ]);

  linuxCase('sigaltstack: sizes, flags, and not to be changed while it is in use', [
    [0, 'sigaltstack', 0, A],
    get(A, 0, 0, 2),
    put(A, ...long(A + 0x4000), 0, 0, ...long(100)),
    [-Errno.ENOMEM, 'sigaltstack', A, 0],
    put(A, ...long(A + 0x4000), 8, 0, ...long(0x3000)),
    [-EINVAL, 'sigaltstack', A, 0],
    put(A, ...long(A + 0x4000), 2, 0, ...long(0)),
    [0, 'sigaltstack', A, 0],
    [-EFAULT, 'sigaltstack', NOWHERE, 0],
    [-EFAULT, 'sigaltstack', 0, NOWHERE],
  ]);

  linuxCase('signalfd: reads what is blocked and pending, and its mask can be changed', [
    self,
    ...block(USR1, RT),
    set(USR1),
    [3, 'signalfd4', -1, A, 8, 0x800],
    [-EAGAIN, 'read', 3, A + 0x100, 128],
    [0, 'kill', $('self'), RT],
    [-EAGAIN, 'read', 3, A + 0x100, 128],
    [0, 'kill', $('self'), USR1],
    put(A + 0x20, 3, 1),
    [1, 'poll', A + 0x20, 1, 0],
    [-EINVAL, 'read', 3, A + 0x100, 127],
    [128, 'read', 3, A + 0x100, 300],
    get(A + 0x100, USR1, 0, 0, $('self'), 0),
    set(RT),
    [3, 'signalfd4', 3, A, 8, 0],
    [128, 'read', 3, A + 0x100, 128],
    get(A + 0x100, RT, 0, 0, $('self')),
    [-EINVAL, 'signalfd4', 0, A, 8, 0],
    [-EINVAL, 'signalfd4', -1, A, 8, 1],
    [-EINVAL, 'signalfd4', -1, A, 4, 0],
    [-Errno.EBADF, 'signalfd4', 40, A, 8, 0],
    [-EINVAL, 'write', 3, A, 8],
  ]);
});
