import { Errno, Futex, Signal } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, handler, long, NOWHERE, put, SHARED, seen, store, thread } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EAGAIN, EDEADLK, EFAULT, EINTR, EINVAL, ENOSYS, EPERM, ESRCH, ETIMEDOUT } = Errno;
const { WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET, CLOCK_REALTIME } = Futex;
const PRIVATE = Futex.PRIVATE_FLAG;
const WAIT_REQUEUE_PI = 11;
const CMP_REQUEUE_PI = 12;
const LOCK_PI2 = 13;
const FD = 2;
const OWNER_DIED = 0x4000_0000;
/** Words that threads use. */
const [X, Y] = [A + 0x2000, A + 0x2100];
const TIME = A + 0x2200;
const soon = put(TIME, ...long(0), ...long(1_000_000));

/** As LTP's futex tests, gVisor's, and the kernel's own functional tests of futexes describe them. */
describe('Futexes', () => {
  linuxCase('a wait: not where the word is another, not longer than said, and not where there is no word', [
    put(X, 5),
    [-EAGAIN, 'futex', X, WAIT, 4, 0],
    soon,
    [-ETIMEDOUT, 'futex', X, WAIT, 5, TIME],
    [-ETIMEDOUT, 'futex', X, WAIT | PRIVATE, 5, TIME],
    [-EFAULT, 'futex', NOWHERE, WAIT, 5, TIME],
    [-EINVAL, 'futex', X + 1, WAIT, 5, TIME],
    [-EFAULT, 'futex', X, WAIT, 5, NOWHERE],
    put(TIME, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'futex', X, WAIT, 5, TIME],
    put(TIME, ...long(-1), ...long(0)),
    [-EINVAL, 'futex', X, WAIT, 5, TIME],
    [-EINVAL, 'futex', X, WAIT_BITSET, 5, 0, 0, 0],
    [-ENOSYS, 'futex', X, WAKE | CLOCK_REALTIME, 1],
    [-ENOSYS, 'futex', X, FD, 0],
    [-ENOSYS, 'futex', X, 99, 0],
  ]);

  linuxCase('a wake: as many as it is to, in the order in which they came', [
    thread('one', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('one'),
    thread('two', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('two'),
    thread('three', ['never', 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('three'),
    [2, 'futex', X, WAKE | PRIVATE, 2],
    asleep('one'),
    asleep('two'),
    [0, 'futex', Y, WAKE | PRIVATE, 2],
    // A private word is another one than a shared one.
    [0, 'futex', X, WAKE, 1],
    [-EFAULT, 'futex', NOWHERE, WAKE, 1],
    [-EINVAL, 'futex', X + 2, WAKE, 1],
  ]);

  linuxCase('bits: only who waits for one of them', [
    thread('one', [0, 'futex', X, WAIT_BITSET | PRIVATE, 0, 0, 0, 1]),
    asleep('one'),
    thread('two', [0, 'futex', X, WAIT_BITSET | PRIVATE, 0, 0, 0, 2]),
    asleep('two'),
    [0, 'futex', X, WAKE_BITSET | PRIVATE, 9, 0, 0, 4],
    [1, 'futex', X, WAKE_BITSET | PRIVATE, 9, 0, 0, 2],
    asleep('two'),
    [1, 'futex', X, WAKE | PRIVATE, 9],
    asleep('one'),
    [-EINVAL, 'futex', X, WAKE_BITSET, 1, 0, 0, 0],
    // The time of WAIT_BITSET is a moment that has long been.
    soon,
    [-ETIMEDOUT, 'futex', X, WAIT_BITSET | PRIVATE, 0, TIME, 0, 1],
    [-ETIMEDOUT, 'futex', X, WAIT_BITSET | PRIVATE | CLOCK_REALTIME, 0, TIME, 0, 1],
  ]);

  linuxCase('requeue: some are woken, others wait elsewhere from now on', [
    thread('one', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('one'),
    thread('two', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('two'),
    thread('three', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('three'),
    [-EAGAIN, 'futex', X, CMP_REQUEUE | PRIVATE, 1, 1, Y, 7],
    [2, 'futex', X, CMP_REQUEUE | PRIVATE, 1, 1, Y, 0],
    asleep('one'),
    [1, 'futex', Y, WAKE | PRIVATE, 9],
    asleep('two'),
    [0, 'futex', X, REQUEUE | PRIVATE, 0, 0, Y, 0],
    [1, 'futex', X, REQUEUE | PRIVATE, 1, 0, Y, 0],
    asleep('three'),
    [-EINVAL, 'futex', X, CMP_REQUEUE | PRIVATE, -1, 1, Y, 0],
    [-EINVAL, 'futex', X, REQUEUE | PRIVATE, 1, -1, Y, 0],
    // A private word's page is not looked at.
    [0, 'futex', X, CMP_REQUEUE | PRIVATE, 1, 1, NOWHERE, 0],
    [-EFAULT, 'futex', X, CMP_REQUEUE, 1, 1, NOWHERE, 0],
  ]);

  linuxCase('WAKE_OP: changes one word and wakes at both', [
    put(Y, 10),
    thread('one', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('one'),
    thread('two', [0, 'futex', Y, WAIT | PRIVATE, 10, 0]),
    asleep('two'),
    // Adds 5; wakes the second if it was 10.
    [2, 'futex', X, WAKE_OP | PRIVATE, 1, 1, Y, (1 << 28) | (5 << 12) | 10],
    get(Y, 15),
    asleep('one'),
    asleep('two'),
    [0, 'futex', X, WAKE_OP | PRIVATE, 1, 1, Y, (4 << 28) | (15 << 12)],
    get(Y, 0),
    [0, 'futex', X, WAKE_OP | PRIVATE, 1, 1, Y, (8 << 28) | (4 << 12)],
    get(Y, 16),
    [-ENOSYS, 'futex', X, WAKE_OP | PRIVATE, 1, 1, Y, 7 << 28],
    [-ENOSYS, 'futex', X, WAKE_OP | PRIVATE, 1, 1, Y, 7 << 24],
    [-EFAULT, 'futex', X, WAKE_OP | PRIVATE, 1, 1, NOWHERE, 0],
  ]);

  linuxCase('a word in shared memory is one for all who have it, wherever it lies', [
    [$('second'), 'mremap', SHARED, 0, 4096, 1, 0],
    fork('child', [0, 'futex', SHARED, WAIT, 0, 0]),
    asleep('child'),
    [1, 'futex', $('second'), WAKE, 1],
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    // That of a child's own memory is another.
    fork('other', put(TIME, ...long(0), ...long(50_000_000)), [-ETIMEDOUT, 'futex', X, WAIT, 0, TIME]),
    asleep('other'),
    [0, 'futex', X, WAKE, 1],
    [$('other'), 'wait4', -1, A, 0, 0],
  ]);

  linuxCase('a wait that a signal interrupts goes on with SA_RESTART, if it has no end', [
    [$('self'), 'getpid'],
    handler(Signal.USR1),
    fork('child', asleep('self'), [0, 'kill', $('self'), Signal.USR1]),
    [-EINTR, 'futex', X, WAIT | PRIVATE, 0, 0],
    [$('child'), 'wait4', -1, A, 0, 0],
    handler(Signal.USR2, 0x1000_0000),
    fork('second', asleep('self'), [0, 'kill', $('self'), Signal.USR2], asleep('self'), [0, 'kill', $('self'), Signal.USR1]),
    [-EINTR, 'futex', X, WAIT | PRIVATE, 0, 0],
    seen(Signal.USR2, 1),
    seen(Signal.USR1, 2),
  ]);

  linuxCase('PI: the word is the owner, and only that one gives it back', [
    [$('tid'), 'gettid'],
    [0, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
    get(X, $('tid')),
    [-EDEADLK, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
    [-EDEADLK, 'futex', X, TRYLOCK_PI | PRIVATE, 0, 0],
    thread(
      'other',
      [-EAGAIN, 'futex', X, TRYLOCK_PI | PRIVATE, 0, 0],
      [-EPERM, 'futex', X, UNLOCK_PI | PRIVATE],
      [0, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
      [-EDEADLK, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
      [0, 'futex', X, UNLOCK_PI | PRIVATE],
    ),
    asleep('other'),
    [0, 'futex', X, UNLOCK_PI | PRIVATE],
    asleep('other'),
    get(X, 0),
    [-EPERM, 'futex', X, UNLOCK_PI | PRIVATE],
    put(X, 30000),
    [-ESRCH, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
    [-ESRCH, 'futex', X, TRYLOCK_PI | PRIVATE, 0, 0],
  ]);

  linuxCase('PI: no ordinary wait or wake where there is one with an owner', [
    [0, 'futex', X, LOCK_PI | PRIVATE, 0, 0],
    thread('other', [0, 'futex', X, LOCK_PI | PRIVATE, 0, 0], [0, 'futex', X, UNLOCK_PI | PRIVATE]),
    asleep('other'),
    [-EINVAL, 'futex', X, WAKE | PRIVATE, 1],
    [-EINVAL, 'futex', X, REQUEUE | PRIVATE, 1, 1, Y, 0],
    [-EINVAL, 'futex', Y, WAKE_OP | PRIVATE, 1, 1, X, (1 << 28) | (1 << 24)],
    [0, 'futex', X, UNLOCK_PI | PRIVATE],
    asleep('other'),
  ]);

  linuxCase('PI: a time limit is a moment, of one clock or the other', [
    thread('holder', [0, 'futex', X, LOCK_PI | PRIVATE, 0, 0], ['never', 'pause']),
    asleep('holder'),
    soon,
    [-ETIMEDOUT, 'futex', X, LOCK_PI | PRIVATE, 0, TIME],
    [-ETIMEDOUT, 'futex', X, LOCK_PI2 | PRIVATE, 0, TIME],
    [-ETIMEDOUT, 'futex', X, LOCK_PI2 | PRIVATE | CLOCK_REALTIME, 0, TIME],
    [-ENOSYS, 'futex', X, UNLOCK_PI | PRIVATE | CLOCK_REALTIME, 0, TIME],
  ]);

  linuxCase('a robust list: what its owner held when it ended says so, and one who waits is woken', [
    // The head is a circle of one entry, whose word lies 16 bytes behind it.
    thread(
      'holder',
      put(A + 0x3000, ...long(A + 0x3040), ...long(16), ...long(0)),
      put(A + 0x3040, ...long(A + 0x3000)),
      [0, 'set_robust_list', A + 0x3000, 24],
      put(A + 0x3050, 0),
      [0, 'futex', A + 0x3050, LOCK_PI | PRIVATE, 0, 0],
      [0, 'sched_yield'],
    ),
    asleep('holder'),
    get(A + 0x3050, OWNER_DIED),
    [-EINVAL, 'set_robust_list', A + 0x3000, 23],
    [0, 'get_robust_list', 0, A, A + 8],
    [-ESRCH, 'get_robust_list', 30000, A, A + 8],
    [-EFAULT, 'get_robust_list', 0, NOWHERE, A + 8],
  ]);

  linuxCase('set_tid_address: the word is cleared and woken when the thread ends', [
    store(X, 1),
    thread('other', [$('tid'), 'set_tid_address', X], [-EAGAIN, 'futex', Y, WAIT | PRIVATE, 1, 0]),
    asleep('other'),
    get(X, 0),
  ]);

  linuxCase('futex_waitv: several words, the index of the one that was woken', [
    put(A, ...long(0), ...long(X), 0x82, 0, ...long(0), ...long(Y), 0x82, 0),
    thread('other', [1, 'futex_waitv', A, 2, 0, 0, 0]),
    asleep('other'),
    [1, 'futex', Y, WAKE | PRIVATE, 1],
    asleep('other'),
    put(A, 5),
    [-EAGAIN, 'futex_waitv', A, 2, 0, 0, 0],
    [-EINVAL, 'futex_waitv', A, 0, 0, 0, 0],
    [-EINVAL, 'futex_waitv', A, 129, 0, 0, 0],
    [-EINVAL, 'futex_waitv', A, 2, 1, 0, 0],
    [-EFAULT, 'futex_waitv', NOWHERE, 2, 0, 0, 0],
    put(A + 16, 0x80),
    [-EINVAL, 'futex_waitv', A, 2, 0, 0, 0],
  ]);

  linuxCase('requeue to a PI word: the one who waits gets the lock, whether it was free or is given up', [
    [$('tid'), 'gettid'],
    thread(
      'free',
      [0, 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 0, 0, Y],
      [-EDEADLK, 'futex', Y, LOCK_PI | PRIVATE, 0, 0],
      [0, 'futex', Y, UNLOCK_PI | PRIVATE],
    ),
    asleep('free'),
    [-EAGAIN, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, Y, 5],
    [-EINVAL, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 2, 0, Y, 0],
    [-EINVAL, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, X, 0],
    [-EINVAL, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, A + 0x2300, 0],
    [1, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, Y, 0],
    asleep('free'),
    get(Y, 0),
    [0, 'futex', Y, LOCK_PI | PRIVATE, 0, 0],
    thread(
      'held',
      [0, 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 0, 0, Y],
      [-EDEADLK, 'futex', Y, LOCK_PI | PRIVATE, 0, 0],
      [0, 'futex', Y, UNLOCK_PI | PRIVATE],
    ),
    asleep('held'),
    [1, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 9, Y, 0],
    asleep('held'),
    [-EDEADLK, 'futex', Y, LOCK_PI | PRIVATE, 0, 0],
    [0, 'futex', Y, UNLOCK_PI | PRIVATE],
    asleep('held'),
    get(Y, 0),
  ]);

  linuxCase('requeue to a PI word: who waits ordinarily cannot be, a time limit holds, and a word cannot wait for itself', [
    soon,
    [-ETIMEDOUT, 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 0, TIME, Y],
    [-EINVAL, 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 0, 0, X],
    [-EAGAIN, 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 9, 0, Y],
    [0, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, Y, 0],
    thread('plain', [0, 'futex', X, WAIT | PRIVATE, 0, 0]),
    asleep('plain'),
    [-EINVAL, 'futex', X, CMP_REQUEUE_PI | PRIVATE, 1, 0, Y, 0],
    [1, 'futex', X, WAKE | PRIVATE, 1],
    asleep('plain'),
    thread('waiter', ['never', 'futex', X, WAIT_REQUEUE_PI | PRIVATE, 0, 0, Y]),
    asleep('waiter'),
    // Nor may those who wait for a lock be woken or moved without it.
    [-EINVAL, 'futex', X, CMP_REQUEUE | PRIVATE, 1, 1, Y, 0],
    [-EINVAL, 'futex', X, WAKE | PRIVATE, 1],
  ]);
});
