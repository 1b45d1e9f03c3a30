import { Errno, Ipc, Signal, SignalFlag } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, getText, handler, load, long, NOWHERE, put, putText, type Step, seen, store } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { E2BIG, EACCES, EAGAIN, EBADF, EEXIST, EFAULT, EFBIG, EIDRM, EINTR, EINVAL, EMSGSIZE, ENOENT, ENOMSG, EPERM, ERANGE, ETIMEDOUT } =
  Errno;
const { RMID, SET, STAT } = Ipc;
const CREAT = 0o1000;
const EXCL = 0o2000;
const NOWAIT = 0o4000;
const UNDO = 0x1000;
const [GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL] = [11, 12, 13, 14, 15, 16, 17];
const KEY = 0x1234;
const PAGE = 4096;
/** Operations of semop, `struct sembuf`. */
const op = (number: number, change: number, flags = 0): [number, number, number] => [number, change, flags];
const ops = (...list: [number, number, number][]): Step => ({
  kind: 'put',
  address: A,
  bytes: new Uint8Array(Int16Array.from(list.flat()).buffer),
});
const semaphores = (count: number): Step => [$('id'), 'semget', 0, count, 0o600];

/** As LTP's semget, semop, semctl, msgget, msgsnd, msgrcv, msgctl, shmget, shmat and shmctl tests, and gVisor's, describe them. */
describe('System V semaphores', () => {
  linuxCase('semget: new ones, known ones, and what is refused', [
    [$('id'), 'semget', KEY, 3, CREAT | 0o600],
    [$('same'), 'semget', KEY, 3, 0],
    [$('fewer'), 'semget', KEY, 0, 0],
    [-EINVAL, 'semget', KEY, 4, 0],
    [-EEXIST, 'semget', KEY, 3, CREAT | EXCL | 0o600],
    [-ENOENT, 'semget', KEY + 1, 3, 0],
    [-EINVAL, 'semget', KEY + 1, 0, CREAT | 0o600],
    [-EINVAL, 'semget', 0, -1, 0o600],
    [-EINVAL, 'semget', 0, 32001, 0o600],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EACCES, 'semget', KEY, 3, 0o600],
    [$('asked'), 'semget', KEY, 3, 0],
    [-EPERM, 'semctl', $('id'), 0, RMID, 0],
    [-EACCES, 'semctl', $('id'), 0, GETVAL, 0],
  ]);

  linuxCase('semop: all of them or none; what would wait says so', [
    semaphores(2),
    ops(op(0, 2)),
    [0, 'semop', $('id'), A, 1],
    ops(op(0, -1), op(1, -1, NOWAIT)),
    [-EAGAIN, 'semop', $('id'), A, 2],
    [2, 'semctl', $('id'), 0, GETVAL, 0],
    ops(op(0, 0, NOWAIT)),
    [-EAGAIN, 'semop', $('id'), A, 1],
    ops(op(0, -2), op(0, 0)),
    [0, 'semop', $('id'), A, 2],
    [$('self'), 'getpid'],
    [$('last'), 'semctl', $('id'), 0, GETPID, 0],
    ops(op(2, 1)),
    [-EFBIG, 'semop', $('id'), A, 1],
    [-EINVAL, 'semop', $('id'), A, 0],
    [-E2BIG, 'semop', $('id'), A, 501],
    [-EFAULT, 'semop', $('id'), NOWHERE, 1],
    [-EINVAL, 'semop', -1, A, 1],
    ops(op(0, 32767)),
    [0, 'semop', $('id'), A, 1],
    ops(op(0, 1)),
    [-ERANGE, 'semop', $('id'), A, 1],
  ]);

  linuxCase('waiting: for more, for zero, in order, with a limit; the set may go', [
    semaphores(2),
    fork('more', ops(op(0, -2)), [0, 'semop', $('id'), A, 1]),
    asleep('more'),
    [1, 'semctl', $('id'), 0, GETNCNT, 0],
    [0, 'semctl', $('id'), 0, GETZCNT, 0],
    [0, 'semctl', $('id'), 0, SETVAL, 1],
    [0, 'wait4', -1, A + 0x100, 1, 0],
    ops(op(0, 1)),
    [0, 'semop', $('id'), A, 1],
    [$('more'), 'wait4', -1, A + 0x100, 0, 0],
    [0, 'semctl', $('id'), 0, GETVAL, 0],
    [0, 'semctl', $('id'), 1, SETVAL, 1],
    fork('zero', ops(op(1, 0)), [0, 'semop', $('id'), A, 1]),
    asleep('zero'),
    [1, 'semctl', $('id'), 1, GETZCNT, 0],
    ops(op(1, -1)),
    [0, 'semop', $('id'), A, 1],
    [$('zero'), 'wait4', -1, A + 0x100, 0, 0],
    put(A + 0x40, ...long(0), ...long(1_000_000)),
    [-EAGAIN, 'semtimedop', $('id'), A, 1, A + 0x40],
    put(A + 0x40, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'semtimedop', $('id'), A, 1, A + 0x40],
    handler(Signal.USR1),
    [$('self'), 'getpid'],
    fork('sender', asleep('self'), [0, 'kill', $('self'), Signal.USR1]),
    [-EINTR, 'semop', $('id'), A, 1],
    [$('sender'), 'wait4', -1, A + 0x100, 0, 0],
    fork('last', ops(op(0, -1)), [-EIDRM, 'semop', $('id'), A, 1]),
    asleep('last'),
    [0, 'semctl', $('id'), 0, RMID, 0],
    [$('last'), 'wait4', -1, A + 0x100, 0, 0],
    [-EINVAL, 'semop', $('id'), A, 1],
  ]);

  linuxCase('SEM_UNDO: what a process has done is undone when it ends', [
    semaphores(1),
    [0, 'semctl', $('id'), 0, SETVAL, 5],
    fork('child', ops(op(0, -3, UNDO)), [0, 'semop', $('id'), A, 1], [2, 'semctl', $('id'), 0, GETVAL, 0]),
    [$('child'), 'wait4', -1, A + 0x100, 0, 0],
    [5, 'semctl', $('id'), 0, GETVAL, 0],
    fork('second', ops(op(0, 1, UNDO)), [0, 'semop', $('id'), A, 1], [0, 'semctl', $('id'), 0, SETVAL, 7]),
    [$('second'), 'wait4', -1, A + 0x100, 0, 0],
    // SETVAL forgets what was to be undone.
    [7, 'semctl', $('id'), 0, GETVAL, 0],
  ]);

  linuxCase('semctl: all values, one value, and what is refused', [
    semaphores(2),
    put(A, 3 | (4 << 16)),
    [0, 'semctl', $('id'), 0, SETALL, A],
    [4, 'semctl', $('id'), 1, GETVAL, 0],
    [0, 'semctl', $('id'), 0, GETALL, A + 8],
    get(A + 8, 3 | (4 << 16)),
    [-ERANGE, 'semctl', $('id'), 0, SETVAL, 32768],
    [-ERANGE, 'semctl', $('id'), 0, SETVAL, -1],
    put(A, 32768),
    [-ERANGE, 'semctl', $('id'), 0, SETALL, A],
    [-EFAULT, 'semctl', $('id'), 0, SETALL, NOWHERE],
    [-EINVAL, 'semctl', $('id'), 2, GETVAL, 0],
    [-EINVAL, 'semctl', $('id'), 0, 99, 0],
    [0, 'semctl', $('id'), 0, STAT, A + 0x100],
    get(A + 0x100, 0, 0, 0, 0, 0, 0o600),
    [-EFAULT, 'semctl', $('id'), 0, STAT, NOWHERE],
  ]);
});

describe('System V messages', () => {
  const queue: Step = [$('id'), 'msgget', 0, 0o600];
  /** A message at `A`: its type, then text. */
  const message = (type: number, text: string): Step[] => [put(A, ...long(type)), putText(A + 8, text)];

  linuxCase('sending and receiving: by order, by type, by the lowest type, by all but one', [
    queue,
    ...message(1, 'one'),
    [0, 'msgsnd', $('id'), A, 3, 0],
    ...message(3, 'three'),
    [0, 'msgsnd', $('id'), A, 5, 0],
    ...message(2, 'two'),
    [0, 'msgsnd', $('id'), A, 3, 0],
    [5, 'msgrcv', $('id'), A + 0x100, 100, 3, 0],
    getText(A + 0x108, 'three'),
    [3, 'msgrcv', $('id'), A + 0x100, 100, -2, 0],
    getText(A + 0x108, 'one'),
    [-ENOMSG, 'msgrcv', $('id'), A + 0x100, 100, 2, NOWAIT | 0o20000],
    [3, 'msgrcv', $('id'), A + 0x100, 100, 0, 0],
    getText(A + 0x108, 'two'),
    [-ENOMSG, 'msgrcv', $('id'), A + 0x100, 100, 0, NOWAIT],
  ]);

  linuxCase('a message that is longer than its receiver has room for', [
    queue,
    ...message(1, 'hello'),
    [0, 'msgsnd', $('id'), A, 5, 0],
    [-E2BIG, 'msgrcv', $('id'), A + 0x100, 3, 0, 0],
    [3, 'msgrcv', $('id'), A + 0x100, 3, 0, 0o10000],
    getText(A + 0x108, 'hel'),
    [-ENOMSG, 'msgrcv', $('id'), A + 0x100, 3, 0, NOWAIT],
    [0, 'msgsnd', $('id'), A, 0, 0],
    [0, 'msgrcv', $('id'), A + 0x100, 3, 0, 0],
  ]);

  linuxCase('what is refused', [
    queue,
    ...message(0, 'x'),
    [-EINVAL, 'msgsnd', $('id'), A, 1, 0],
    ...message(-1, 'x'),
    [-EINVAL, 'msgsnd', $('id'), A, 1, 0],
    ...message(1, 'x'),
    [-EINVAL, 'msgsnd', $('id'), A, 8193, 0],
    [-EINVAL, 'msgsnd', $('id'), A, -1, 0],
    [-EINVAL, 'msgsnd', -1, A, 1, 0],
    [-EFAULT, 'msgsnd', $('id'), NOWHERE, 1, 0],
    [-EINVAL, 'msgrcv', $('id'), A, -1, 0, 0],
    [-EINVAL, 'msgrcv', -1, A, 1, 0, 0],
    [-ENOENT, 'msgget', KEY, 0],
    [$('known'), 'msgget', KEY, CREAT | 0o400],
    [-EEXIST, 'msgget', KEY, CREAT | EXCL],
    [-EINVAL, 'msgctl', $('id'), 99, A],
    [-EFAULT, 'msgctl', $('id'), STAT, NOWHERE],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EACCES, 'msgsnd', $('id'), A, 1, 0],
    [-EACCES, 'msgrcv', $('id'), A, 1, 0, 0],
    [-EPERM, 'msgctl', $('id'), RMID, 0],
    [-EACCES, 'msgctl', $('id'), STAT, A],
  ]);

  linuxCase('a full queue: who sends waits for room; and whoever waits hears that it goes', [
    queue,
    ...message(1, 'x'),
    [0, 'msgsnd', $('id'), A, 8192, 0],
    [0, 'msgsnd', $('id'), A, 8192, 0],
    [-EAGAIN, 'msgsnd', $('id'), A, 1, NOWAIT],
    fork('sender', [0, 'msgsnd', $('id'), A, 1, 0]),
    asleep('sender'),
    [8192, 'msgrcv', $('id'), A, 8192, 0, 0],
    [$('sender'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    fork('receiver', [-EIDRM, 'msgrcv', $('id'), A, 1, 77, 0]),
    asleep('receiver'),
    [0, 'msgctl', $('id'), RMID, 0],
    [$('receiver'), 'wait4', -1, A, 0, 0],
    [-EINVAL, 'msgctl', $('id'), RMID, 0],
  ]);
});

describe('System V memory', () => {
  linuxCase('shmget: sizes, keys, and what is refused', [
    [$('id'), 'shmget', KEY, 100, CREAT | 0o600],
    [$('same'), 'shmget', KEY, 0, 0],
    [-EINVAL, 'shmget', KEY, 101, 0],
    [-EEXIST, 'shmget', KEY, 100, CREAT | EXCL],
    [-EINVAL, 'shmget', 0, 0, 0o600],
    [-ENOENT, 'shmget', KEY + 1, 100, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EACCES, 'shmget', KEY, 100, 0o600],
    [-EACCES, 'shmat', $('id'), 0, 0],
    [-EPERM, 'shmctl', $('id'), RMID, 0],
  ]);

  linuxCase('shmat: where, how, and twice; shmdt', [
    [$('id'), 'shmget', 0, 2 * PAGE, 0o600],
    [$('at'), 'shmat', $('id'), A + 0x40_0000, 0],
    store(A + 0x40_0000, 7),
    [$('second'), 'shmat', $('id'), A + 0x50_0000, 0o10000],
    load(A + 0x50_0000, 7),
    fork('writer', store(A + 0x50_0000, 1, 'never')),
    [$('writer'), 'wait4', -1, A, 0, 0],
    get(A, Signal.SEGV),
    [-EINVAL, 'shmat', $('id'), A + 0x40_0001, 0],
    [$('rounded'), 'shmat', $('id'), A + 0x60_0001, 0o20000],
    load(A + 0x60_0000, 7),
    [-EINVAL, 'shmat', $('id'), A + 0x40_0000, 0],
    [$('over'), 'shmat', $('id'), A + 0x40_0000, 0o40000],
    [0, 'shmdt', A + 0x40_0000],
    [-EINVAL, 'shmdt', A + 0x40_0000],
    [-EINVAL, 'shmdt', A + 0x50_0001],
    [-EINVAL, 'shmat', -1, 0, 0],
  ]);

  linuxCase('a segment that is removed stays as long as it is attached, under no key', [
    [$('id'), 'shmget', KEY, PAGE, CREAT | 0o600],
    [$('at'), 'shmat', $('id'), A + 0x40_0000, 0],
    store(A + 0x40_0000, 7),
    [0, 'shmctl', $('id'), RMID, 0],
    load(A + 0x40_0000, 7),
    [-ENOENT, 'shmget', KEY, PAGE, 0],
    fork('child', load(A + 0x40_0000, 7), [0, 'shmctl', $('id'), STAT, A], get(A + 88, 2, 0)),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    [0, 'shmdt', A + 0x40_0000],
    [-EINVAL, 'shmctl', $('id'), STAT, A],
  ]);

  linuxCase('shmctl: what it tells and sets', [
    [$('id'), 'shmget', 0, 100, 0o640],
    [$('self'), 'getpid'],
    [0, 'shmctl', $('id'), STAT, A],
    get(A, 0, 0, 0, 0, 0, 0o640),
    get(A + 48, 100, 0),
    get(A + 80, $('self'), 0, 0, 0),
    put(A + 4, 1000, 1000),
    put(A + 20, 0o400),
    [0, 'shmctl', $('id'), SET, A],
    [0, 'shmctl', $('id'), STAT, A + 0x100],
    get(A + 0x104, 1000, 1000, 0, 0, 0o400),
    [-EINVAL, 'shmctl', $('id'), 99, A],
    [-EFAULT, 'shmctl', $('id'), STAT, NOWHERE],
    [-EINVAL, 'shmctl', -1, STAT, A],
  ]);
});

/** As LTP's mq_open, mq_timedsend, mq_timedreceive, mq_notify and mq_unlink tests, and gVisor's, describe them. */
describe('POSIX message queues', () => {
  const attributes = (messages: number, bytes: number): Step => put(A, ...long(0), ...long(messages), ...long(bytes), ...long(0));
  const open: Step[] = [attributes(2, 16), [3, 'mq_open', 'queue', 0o102, 0o600, A]];

  linuxCase('mq_open: names, sizes, and what is there', [
    ...open,
    [4, 'mq_open', 'queue', 0, 0, 0],
    [-EEXIST, 'mq_open', 'queue', 0o302, 0o600, 0],
    [-ENOENT, 'mq_open', 'other', 2, 0, 0],
    [-EACCES, 'mq_open', 'a/b', 0o102, 0o600, 0],
    attributes(0, 16),
    [-EINVAL, 'mq_open', 'other', 0o102, 0o600, A],
    attributes(11, 16),
    // More than ten are for who may put up limits.
    [-EINVAL, 'mq_open', 'large', 0o102, 0o600, A],
    [0, 'mq_getsetattr', 3, 0, A + 0x40],
    get(A + 0x40, 0, 0, 2, 0, 16, 0, 0, 0),
    [0, 'mq_unlink', 'queue'],
    [-ENOENT, 'mq_unlink', 'queue'],
    [-ENOENT, 'mq_open', 'queue', 2, 0, 0],
    [0, 'mq_timedsend', 3, 'x', 1, 0, 0],
    [-EBADF, 'mq_timedsend', 4, 'x', 1, 0, 0],
  ]);

  linuxCase('messages: the most urgent first, in the order in which they came', [
    attributes(8, 16),
    [3, 'mq_open', 'queue', 0o102, 0o600, A],
    [0, 'mq_timedsend', 3, 'low', 3, 1, 0],
    [0, 'mq_timedsend', 3, 'high', 4, 9, 0],
    [0, 'mq_timedsend', 3, 'mid1', 4, 5, 0],
    [0, 'mq_timedsend', 3, 'mid2', 4, 5, 0],
    [4, 'mq_timedreceive', 3, A + 0x100, 16, A + 0x80, 0],
    getText(A + 0x100, 'high'),
    get(A + 0x80, 9),
    [4, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    getText(A + 0x100, 'mid1'),
    [4, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    getText(A + 0x100, 'mid2'),
    [-EMSGSIZE, 'mq_timedreceive', 3, A + 0x100, 15, 0, 0],
    [-EMSGSIZE, 'mq_timedsend', 3, A, 17, 0, 0],
    [-EINVAL, 'mq_timedsend', 3, A, 1, 32768, 0],
    [-EBADF, 'mq_timedsend', 0, A, 1, 0, 0],
    [3, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
  ]);

  linuxCase('full and empty: waits, limits, and neither', [
    ...open,
    put(A + 0x40, ...long(1), ...long(0)),
    [-ETIMEDOUT, 'mq_timedreceive', 3, A, 16, 0, A + 0x40],
    put(A + 0x40, ...long(1), ...long(1_000_000_000)),
    [-EINVAL, 'mq_timedreceive', 3, A, 16, 0, A + 0x40],
    [0, 'mq_timedsend', 3, 'a', 1, 0, 0],
    [0, 'mq_timedsend', 3, 'b', 1, 0, 0],
    put(A + 0x40, ...long(1), ...long(0)),
    [-ETIMEDOUT, 'mq_timedsend', 3, 'c', 1, 0, A + 0x40],
    fork('sender', [0, 'mq_timedsend', 3, 'c', 1, 9, 0]),
    asleep('sender'),
    [1, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    getText(A + 0x100, 'a'),
    [$('sender'), 'wait4', -1, A + 0x80, 0, 0],
    [1, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    getText(A + 0x100, 'c'),
    put(A, ...long(0x800), ...long(0), ...long(0), ...long(0)),
    [0, 'mq_getsetattr', 3, A, 0],
    [1, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    [-EAGAIN, 'mq_timedreceive', 3, A + 0x100, 16, 0, 0],
    put(A, ...long(1), ...long(0), ...long(0), ...long(0)),
    [-EINVAL, 'mq_getsetattr', 3, A, 0],
  ]);

  linuxCase('mq_notify: one process is told, once, of a message that finds nobody waiting', [
    ...open,
    handler(Signal.USR1, SignalFlag.RESTART),
    put(A + 0x40, 5, 0, Signal.USR1, 0),
    [0, 'mq_notify', 3, A + 0x40],
    fork('other', [-Errno.EBUSY, 'mq_notify', 3, A + 0x40], [0, 'mq_timedsend', 3, 'x', 1, 0, 0]),
    [$('other'), 'wait4', -1, A + 0x80, 0, 0],
    seen(Signal.USR1, 1, -3, $('other'), 0, 5),
    [0, 'mq_timedsend', 3, 'y', 1, 0, 0],
    seen(Signal.USR1, 1),
    [0, 'mq_notify', 3, A + 0x40],
    [0, 'mq_notify', 3, 0],
    put(A + 0x40, 0, 0, 65, 0),
    [-EINVAL, 'mq_notify', 3, A + 0x40],
    put(A + 0x40, 0, 0, 0, 9),
    [-EINVAL, 'mq_notify', 3, A + 0x40],
    [-EBADF, 'mq_notify', 0, 0],
  ]);
});
