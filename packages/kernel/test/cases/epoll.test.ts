import { Epoll, Errno, Poll, Signal } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, handler, long, NOWHERE, put, type Step, seen, thread } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EBADF, EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM } = Errno;
const { CTL_ADD: ADD, CTL_DEL: DEL, CTL_MOD: MOD, ET, ONESHOT, EXCLUSIVE } = Epoll;
const { IN, OUT, HUP, RDHUP, ERR } = Poll;

const EVENTS = A + 0x400;
const event = (events: number, data: number): Step => put(A, events, data, 0);
const add = (fd: number, events: number, data = fd): Step[] => [event(events, data), [0, 'epoll_ctl', 3, ADD, fd, A]];
const epoll: Step = [3, 'epoll_create1', 0];
/** What is ready: events and data of each, in order. */
const ready = (...found: [events: number, data: number][]): Step[] => [
  [found.length, 'epoll_wait', 3, EVENTS, 8, 0],
  ...(found.length > 0 ? [get(EVENTS, ...found.flatMap(([events, data]) => [events, data, 0]))] : []),
];

/** As LTP's epoll_create, epoll_ctl, epoll_wait and epoll_pwait tests, gVisor's epoll tests and the kernel's own of wake-ups describe them. */
describe('epoll', () => {
  linuxCase('making one: sizes, flags, close on exec', [
    [3, 'epoll_create', 1],
    [0, 'fcntl', 3, 1],
    [-EINVAL, 'epoll_create', 0],
    [-EINVAL, 'epoll_create', -1],
    [4, 'epoll_create1', 0x8_0000],
    [1, 'fcntl', 4, 1],
    [-EINVAL, 'epoll_create1', 1],
    [-EINVAL, 'read', 3, A, 1],
    [-EINVAL, 'write', 3, A, 1],
    [0, 'lseek', 3, 100, 0],
  ]);

  linuxCase('what epoll_ctl refuses', [
    epoll,
    [4, 'eventfd2', 0, 0],
    [5, 'open', 'file', 0o102, 0o600],
    event(IN, 4),
    [-EBADF, 'epoll_ctl', 3, ADD, 40, A],
    [-EBADF, 'epoll_ctl', 40, ADD, 4, A],
    [-EINVAL, 'epoll_ctl', 3, ADD, 3, A],
    [-EINVAL, 'epoll_ctl', 4, ADD, 4, A],
    [-EPERM, 'epoll_ctl', 3, ADD, 5, A],
    [-EFAULT, 'epoll_ctl', 3, ADD, 4, NOWHERE],
    [-EINVAL, 'epoll_ctl', 3, 9, 4, A],
    [-ENOENT, 'epoll_ctl', 3, MOD, 4, A],
    [-ENOENT, 'epoll_ctl', 3, DEL, 4, 0],
    [0, 'epoll_ctl', 3, ADD, 4, A],
    [-EEXIST, 'epoll_ctl', 3, ADD, 4, A],
    [0, 'epoll_ctl', 3, DEL, 4, 0],
    event(IN | EXCLUSIVE, 4),
    [0, 'epoll_ctl', 3, ADD, 4, A],
    [-EINVAL, 'epoll_ctl', 3, MOD, 4, A],
    [0, 'epoll_ctl', 3, DEL, 4, 0],
    event(IN | EXCLUSIVE | ONESHOT, 4),
    [-EINVAL, 'epoll_ctl', 3, ADD, 4, A],
  ]);

  linuxCase('what epoll_wait refuses', [
    epoll,
    [4, 'eventfd2', 1, 0],
    ...add(4, IN),
    [-EINVAL, 'epoll_wait', 3, EVENTS, 0, 0],
    [-EINVAL, 'epoll_wait', 3, EVENTS, -1, 0],
    [-EINVAL, 'epoll_wait', 3, EVENTS, 2 ** 31 - 1, 0],
    [-EBADF, 'epoll_wait', 40, EVENTS, 1, 0],
    [-EINVAL, 'epoll_wait', 4, EVENTS, 1, 0],
    [-EFAULT, 'epoll_wait', 3, NOWHERE, 1, 0],
    ...ready([IN, 4]),
    [-EINVAL, 'epoll_pwait', 3, EVENTS, 1, 0, A, 4],
    [-EFAULT, 'epoll_pwait', 3, EVENTS, 1, 0, NOWHERE, 8],
  ]);

  linuxCase('level: as long as it holds; edge: once per change', [
    epoll,
    [0, 'pipe', A],
    ...add(4, IN),
    [1, 'write', 5, 'x', 1],
    ...ready([IN, 4]),
    ...ready([IN, 4]),
    event(IN | ET, 44),
    [0, 'epoll_ctl', 3, MOD, 4, A],
    ...ready([IN, 44]),
    ...ready(),
    [1, 'write', 5, 'x', 1],
    ...ready([IN, 44]),
    ...ready(),
    // Reading part of it is no news.
    [1, 'read', 4, A + 0x100, 1],
    ...ready(),
    [0, 'close', 5],
    ...ready([IN | HUP, 44]),
  ]);

  linuxCase('one shot: once, until it is armed again', [
    epoll,
    [4, 'eventfd2', 0, 0],
    ...add(4, IN | ONESHOT),
    put(A + 0x100, 1, 0),
    [8, 'write', 4, A + 0x100, 8],
    ...ready([IN, 4]),
    ...ready(),
    [8, 'write', 4, A + 0x100, 8],
    ...ready(),
    event(IN | ONESHOT, 5),
    [0, 'epoll_ctl', 3, MOD, 4, A],
    ...ready([IN, 5]),
  ]);

  linuxCase('hang-ups and errors come unasked', [
    epoll,
    [0, 'pipe', A],
    [0, 'pipe', A],
    ...add(4, 0),
    ...add(7, 0),
    ...ready(),
    [0, 'close', 5],
    [0, 'close', 6],
    ...ready([HUP, 4], [ERR, 7]),
  ]);

  linuxCase('ready ones take turns: the list goes round where there is no room for all', [
    epoll,
    [4, 'eventfd2', 1, 0],
    [5, 'eventfd2', 1, 0],
    [6, 'eventfd2', 1, 0],
    ...add(4, IN),
    ...add(5, IN),
    ...add(6, IN),
    [2, 'epoll_wait', 3, EVENTS, 2, 0],
    get(EVENTS, IN, 4, 0, IN, 5, 0),
    [2, 'epoll_wait', 3, EVENTS, 2, 0],
    get(EVENTS, IN, 6, 0, IN, 4, 0),
    [2, 'epoll_wait', 3, EVENTS, 2, 0],
    get(EVENTS, IN, 5, 0, IN, 6, 0),
  ]);

  linuxCase('a copy of a descriptor is another item, and an item lives as long as its file', [
    epoll,
    [4, 'eventfd2', 1, 0],
    [5, 'dup', 4],
    ...add(4, IN),
    ...add(5, IN),
    ...ready([IN, 4], [IN, 5]),
    [0, 'close', 4],
    // The file is open by the other descriptor: the item stays, and cannot be reached any more.
    ...ready([IN, 4], [IN, 5]),
    [-EBADF, 'epoll_ctl', 3, DEL, 4, 0],
    [0, 'close', 5],
    ...ready(),
  ]);

  linuxCase('one in another: ready if something in it is; no circles, and not too deep', [
    epoll,
    [4, 'epoll_create1', 0],
    [5, 'eventfd2', 0, 0],
    ...add(4, IN),
    event(IN, 5),
    [0, 'epoll_ctl', 4, ADD, 5, A],
    ...ready(),
    put(A + 0x100, 1, 0),
    [8, 'write', 5, A + 0x100, 8],
    ...ready([IN, 4]),
    event(IN, 3),
    [-ELOOP, 'epoll_ctl', 4, ADD, 3, A],
    put(A + 0x200, 3, IN),
    [1, 'poll', A + 0x200, 1, 0],
    [8, 'read', 5, A + 0x100, 8],
    ...ready(),
    put(A + 0x200, 3, IN),
    [0, 'poll', A + 0x200, 1, 0],
  ]);

  linuxCase('user data is 64 bits, and comes back as it was', [
    epoll,
    [4, 'eventfd2', 1, 0],
    put(A, IN | OUT, -1, -2),
    [0, 'epoll_ctl', 3, ADD, 4, A],
    [1, 'epoll_wait', 3, EVENTS, 1, 0],
    get(EVENTS, IN | OUT, -1, -2),
  ]);

  linuxCase('a peer that has closed, or will send no more', [
    epoll,
    [0, 'socketpair', 1, 1, 0, A],
    ...add(4, IN | RDHUP),
    ...ready(),
    [0, 'shutdown', 5, 1],
    ...ready([IN | RDHUP, 4]),
    [0, 'close', 5],
    ...ready([IN | RDHUP | HUP, 4]),
  ]);

  linuxCase('a wait that a signal interrupts, and one under a mask that keeps it out', [
    epoll,
    [$('self'), 'getpid'],
    handler(Signal.USR1),
    fork('child', asleep('self'), [0, 'kill', $('self'), Signal.USR1]),
    [-EINTR, 'epoll_wait', 3, EVENTS, 1, -1],
    seen(Signal.USR1, 1),
    put(A, ...long(2 ** (Signal.USR1 - 1))),
    [0, 'rt_sigprocmask', 0, A, 0, 8],
    [0, 'kill', $('self'), Signal.USR1],
    [0, 'epoll_pwait', 3, EVENTS, 1, 1, 0, 0],
    put(A, 0, 0),
    [-EINTR, 'epoll_pwait', 3, EVENTS, 1, -1, A, 8],
    seen(Signal.USR1, 2),
    put(A + 0x20, ...long(0), ...long(1_000_000)),
    [0, 'epoll_pwait2', 3, EVENTS, 1, A + 0x20, 0, 8],
    put(A + 0x20, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'epoll_pwait2', 3, EVENTS, 1, A + 0x20, 0, 8],
  ]);

  linuxCase('a wait that another thread ends by adding what is ready', [
    epoll,
    [4, 'eventfd2', 1, 0],
    thread('other', [1, 'epoll_wait', 3, EVENTS, 1, -1], get(EVENTS, IN, 4, 0)),
    asleep('other'),
    ...add(4, IN),
    asleep('other'),
  ]);

  linuxCase('a child watches the same instance', [
    epoll,
    [4, 'eventfd2', 0, 0],
    ...add(4, IN),
    put(A + 0x100, 1, 0),
    fork('child', [8, 'write', 4, A + 0x100, 8], ...ready([IN, 4]), [0, 'epoll_ctl', 3, DEL, 4, 0]),
    [$('child'), 'wait4', -1, A + 0x200, 0, 0],
    get(A + 0x200, 0),
    ...ready(),
    [-ENOENT, 'epoll_ctl', 3, DEL, 4, 0],
  ]);

  linuxCase('poll and select: what is not open, what never blocks, and who is to be woken', [
    [3, 'open', 'file', 0o102, 0o600],
    [0, 'pipe', A],
    put(A, 3, IN | OUT, 40, IN, -1, IN, 5, OUT | IN),
    [3, 'poll', A, 4, 0],
    get(A, 3, IN | OUT | ((IN | OUT) << 16), 40, IN | (0x20 << 16), -1, IN, 5, IN | OUT | (OUT << 16)),
    [-EINVAL, 'poll', A, 65, 0],
    [-EFAULT, 'poll', NOWHERE, 1, 0],
    put(A, (1 << 3) | (1 << 4), 0),
    put(A + 8, 1 << 5, 0),
    put(A + 16, ...long(0), ...long(0)),
    [2, 'select', 6, A, A + 8, 0, A + 16],
    get(A, 1 << 3),
    get(A + 8, 1 << 5),
    put(A, 1 << 10, 0),
    [-EBADF, 'select', 11, A, 0, 0, A + 16],
    [-EINVAL, 'select', -1, 0, 0, 0, 0],
    put(A + 16, -1, -1, 0, 0),
    [-EINVAL, 'select', 0, 0, 0, 0, A + 16],
    put(A + 16, ...long(0), ...long(1_000_000_000)),
    [-EINVAL, 'pselect6', 0, 0, 0, 0, A + 16, 0],
    [-EINVAL, 'ppoll', A, 0, A + 16, 0, 8],
  ]);
});
