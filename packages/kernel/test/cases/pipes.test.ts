import { Errno, Fcntl, OpenFlag, Poll, Signal, SignalFlag } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, getText, handler, long, NOWHERE, put, putText, type Step, seen } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EAGAIN, EBADF, EBUSY, EFAULT, EINTR, EINVAL, EMFILE, ENXIO, EPERM, EPIPE, ESPIPE } = Errno;
const PAGE = 4096;
const FIONREAD = 0x541b;
const S_IFIFO = 0o10000;

/** A pipe: it is read at 3 and written at 4. */
const pipe: Step = [0, 'pipe', A];
const nonblocking: Step = [0, 'pipe2', A, OpenFlag.NONBLOCK];

/** As LTP's pipe, pipe2, tee, splice, vmsplice, fcntl30 to 37 and mknod, and gVisor's pipe tests describe them. */
describe('Pipes', () => {
  linuxCase('a write that nobody can read: EPIPE, and SIGPIPE from the kernel to the writer', [
    pipe,
    get(A, 3, 4),
    [0, 'close', 3],
    handler(Signal.PIPE),
    [-EPIPE, 'write', 4, 'x', 1],
    seen(Signal.PIPE, 1, 0),
    // Nothing to write is nothing to complain of.
    [0, 'write', 4, 'x', 0],
    seen(Signal.PIPE, 1),
  ]);

  linuxCase('what was written is read before the end is, and each end goes one way only', [
    pipe,
    [5, 'write', 4, 'hello', 5],
    [-EBADF, 'read', 4, A, 1],
    [-EBADF, 'write', 3, 'x', 1],
    [0, 'close', 4],
    [3, 'read', 3, A, 3],
    [2, 'read', 3, A + 3, 100],
    getText(A, 'hello'),
    [0, 'read', 3, A, 100],
    [0, 'read', 3, A, 100],
  ]);

  linuxCase('an empty one that may not block: EAGAIN; its end if nobody is left to write', [
    nonblocking,
    [-EAGAIN, 'read', 3, A, 1],
    [0, 'read', 3, A, 0],
    [0, 'close', 4],
    [0, 'read', 3, A, 1],
  ]);

  linuxCase('a full one takes up to PIPE_BUF bytes whole or not at all, and more as far as they fit', [
    nonblocking,
    [14 * PAGE, 'write', 4, A, 14 * PAGE],
    [100, 'write', 4, A, 100],
    // There is room behind the hundred bytes, too, but a whole page goes into an empty buffer only.
    [PAGE, 'write', 4, A, 2 * PAGE],
    [-EAGAIN, 'write', 4, A, PAGE],
    [-EAGAIN, 'write', 4, A, 1],
    [0, 'ioctl', 3, FIONREAD, A],
    get(A, 15 * PAGE + 100),
    // A page less a byte empties no buffer.
    [PAGE - 1, 'read', 3, A, PAGE - 1],
    [-EAGAIN, 'write', 4, A, PAGE],
    [1, 'read', 3, A, 1],
    [PAGE, 'write', 4, A, PAGE],
  ]);

  linuxCase('capacity: powers of two pages, not below what is in it, and beyond the limit only with the right to', [
    pipe,
    [16 * PAGE, 'fcntl', 4, Fcntl.GETPIPE_SZ],
    [4 * PAGE, 'fcntl', 3, Fcntl.SETPIPE_SZ, 2 * PAGE + 1],
    [4 * PAGE, 'fcntl', 4, Fcntl.GETPIPE_SZ],
    [PAGE, 'fcntl', 3, Fcntl.SETPIPE_SZ, 1],
    [PAGE, 'fcntl', 3, Fcntl.SETPIPE_SZ, 0],
    [2 * PAGE, 'fcntl', 4, Fcntl.SETPIPE_SZ, 2 * PAGE],
    [PAGE + 1, 'write', 4, A, PAGE + 1],
    [-EBUSY, 'fcntl', 4, Fcntl.SETPIPE_SZ, PAGE],
    [-EPERM, 'fcntl', 4, Fcntl.SETPIPE_SZ, 2 ** 21],
    [-EINVAL, 'fcntl', 4, Fcntl.SETPIPE_SZ, 2 ** 31 + 1],
    [-EBADF, 'fcntl', 0, Fcntl.GETPIPE_SZ],
  ]);

  linuxCase('all that wait for something to read are told when the last writer goes', [
    pipe,
    fork('one', [0, 'close', 4], [0, 'read', 3, A, 1]),
    fork('two', [0, 'close', 4], [0, 'read', 3, A, 1]),
    asleep('one'),
    asleep('two'),
    [0, 'close', 4],
    [$('one'), 'wait4', $('one'), A, 0, 0],
    [$('two'), 'wait4', $('two'), A, 0, 0],
  ]);

  linuxCase('a reader that a signal interrupts goes on with SA_RESTART, and without gets EINTR', [
    pipe,
    fork('first', handler(Signal.USR1, SignalFlag.RESTART), handler(Signal.USR2), [1, 'read', 3, A, 1], seen(Signal.USR1, 1), [
      -EINTR,
      'read',
      3,
      A,
      1,
    ]),
    asleep('first'),
    [0, 'kill', $('first'), Signal.USR1],
    asleep('first'),
    [1, 'write', 4, 'x', 1],
    asleep('first'),
    [0, 'kill', $('first'), Signal.USR2],
    [$('first'), 'wait4', $('first'), A, 0, 0],
  ]);

  linuxCase('a blocked writer that a signal interrupts says how much it has written', [
    pipe,
    [16 * PAGE - 10 * PAGE, 'write', 4, A, 6 * PAGE],
    fork('writer', handler(Signal.USR1), [10 * PAGE, 'write', 4, A, 12 * PAGE]),
    asleep('writer'),
    [0, 'kill', $('writer'), Signal.USR1],
    [$('writer'), 'wait4', $('writer'), A, 0, 0],
    [0, 'ioctl', 3, FIONREAD, A],
    get(A, 16 * PAGE),
  ]);

  linuxCase('packets: a read takes one, and what it has no room for is lost', [
    [0, 'pipe2', A, OpenFlag.DIRECT],
    [5, 'write', 4, 'first', 5],
    [6, 'write', 4, 'second', 6],
    [2, 'read', 3, A, 2],
    getText(A, 'fi'),
    [6, 'read', 3, A, 100],
    getText(A, 'second'),
    // Longer ones are cut into pages.
    [PAGE + 1, 'write', 4, A, PAGE + 1],
    [PAGE, 'read', 3, A, 2 * PAGE],
    [1, 'read', 3, A, 2 * PAGE],
  ]);

  linuxCase('it has no places, no length and nothing to make lasting', [
    pipe,
    [-ESPIPE, 'lseek', 3, 0, 1],
    [-ESPIPE, 'pread64', 3, A, 1, 0],
    [-ESPIPE, 'pwrite64', 4, A, 1, 0],
    [-EINVAL, 'ftruncate', 4, 0],
    [-EINVAL, 'fsync', 4],
    [-ESPIPE, 'fallocate', 4, 0, 0, 10],
    [-ESPIPE, 'fadvise64', 3, 0, 0, 0],
    [-Errno.ENODEV, 'mmap', 0, PAGE, 1, 2, 3, 0],
  ]);

  linuxCase('poll: room and a broken end at the writer, what is there and a hang-up at the reader', [
    pipe,
    put(A + 0x100, 3, Poll.IN, 4, Poll.OUT),
    [1, 'poll', A + 0x100, 2, 0],
    get(A + 0x100, 3, Poll.IN, 4, Poll.OUT | (Poll.OUT << 16)),
    [1, 'write', 4, 'x', 1],
    [0, 'close', 4],
    [1, 'poll', A + 0x100, 1, 0],
    get(A + 0x100, 3, Poll.IN | ((Poll.IN | Poll.HUP) << 16)),
    [0, 'pipe', A],
    [0, 'close', 4],
    put(A + 0x100, 5, Poll.OUT),
    [1, 'poll', A + 0x100, 1, 0],
    get(A + 0x100, 5, Poll.OUT | ((Poll.OUT | Poll.ERR) << 16)),
  ]);

  linuxCase('pipe2: flags that it takes, an address that is not there, and no descriptors left', [
    [-EINVAL, 'pipe2', A, OpenFlag.APPEND],
    [-EFAULT, 'pipe2', NOWHERE, 0],
    [0, 'pipe2', A, OpenFlag.CLOEXEC],
    get(A, 3, 4),
    [1, 'fcntl', 3, Fcntl.GETFD],
    [OpenFlag.WRONLY, 'fcntl', 4, Fcntl.GETFL],
    [63, 'dup2', 0, 63],
    put(A, 6, 0, 6, 0),
    [0, 'prlimit64', 0, 7, A, 0],
    [-EMFILE, 'pipe', A + 0x100],
    get(A + 0x100, 0, 0),
    [5, 'dup', 0],
  ]);

  linuxCase('tee leaves what it copies where it was; both pipes must be others', [
    [0, 'pipe', A],
    [0, 'pipe', A],
    [5, 'write', 4, 'tea42', 5],
    [3, 'tee', 3, 6, 3, 0],
    [5, 'read', 3, A, 10],
    [3, 'read', 5, A, 10],
    getText(A, 'tea'),
    [-EINVAL, 'tee', 3, 4, 1, 0],
    [-EINVAL, 'tee', 0, 4, 1, 0],
    [-EAGAIN, 'tee', 3, 6, 1, 2],
    [0, 'close', 4],
    [0, 'tee', 3, 6, 1, 0],
  ]);

  linuxCase('splice moves between pipes and files, and knows places in files only', [
    pipe,
    [5, 'open', 'file', OpenFlag.RDWR | OpenFlag.CREAT, 0o600],
    [6, 'write', 5, 'abcdef', 6],
    put(A, 2, 0),
    [3, 'splice', 5, A, 4, 0, 3, 0],
    get(A, 5, 0),
    [3, 'read', 3, A + 8, 10],
    getText(A + 8, 'cde'),
    [-ESPIPE, 'splice', 3, A, 5, 0, 1, 0],
    [-EINVAL, 'splice', 5, 0, 0, 0, 1, 0],
    [-EINVAL, 'splice', 3, 0, 4, 0, 1, 0],
    [2, 'write', 4, 'XY', 2],
    [2, 'splice', 3, 0, 5, A, 9, 0],
    [7, 'pread64', 5, A + 8, 10, 0],
    getText(A + 8, 'abcdeXY'),
    [-EBADF, 'splice', 4, 0, 5, 0, 1, 0],
  ]);

  linuxCase('vmsplice gives memory, and takes it', [
    pipe,
    putText(A + 0x100, 'from here'),
    put(A, ...long(A + 0x100), ...long(9)),
    [9, 'vmsplice', 4, A, 1, 0],
    [4, 'read', 3, A + 0x200, 4],
    getText(A + 0x200, 'from'),
    [5, 'vmsplice', 3, A, 1, 0],
    getText(A + 0x100, ' here'),
    [-EBADF, 'vmsplice', 0, A, 1, 0],
    [-EINVAL, 'vmsplice', 4, A, 2000, 0],
    [0, 'vmsplice', 4, A, 0, 0],
  ]);

  linuxCase('a FIFO: nobody to read is ENXIO for a writer that does not wait, and both ends at once need no other', [
    [0, 'mknod', 'fifo', S_IFIFO | 0o600, 0],
    [-ENXIO, 'open', 'fifo', OpenFlag.WRONLY | OpenFlag.NONBLOCK, 0],
    [3, 'open', 'fifo', OpenFlag.RDONLY | OpenFlag.NONBLOCK, 0],
    [0, 'read', 3, A, 1],
    [4, 'open', 'fifo', OpenFlag.WRONLY | OpenFlag.NONBLOCK, 0],
    [-EAGAIN, 'read', 3, A, 1],
    [1, 'write', 4, 'x', 1],
    [0, 'close', 3],
    [0, 'close', 4],
    // Nobody had it open: what was in it is gone.
    [3, 'open', 'fifo', OpenFlag.RDWR | OpenFlag.NONBLOCK, 0],
    [-EAGAIN, 'read', 3, A, 1],
  ]);

  linuxCase('a FIFO: opening waits for the other side', [
    [0, 'mknod', 'fifo', S_IFIFO | 0o600, 0],
    fork('reader', [3, 'open', 'fifo', OpenFlag.RDONLY, 0], [2, 'read', 3, A, 10], [0, 'read', 3, A, 10]),
    asleep('reader'),
    [3, 'open', 'fifo', OpenFlag.WRONLY, 0],
    [2, 'write', 3, 'hi', 2],
    [0, 'close', 3],
    [$('reader'), 'wait4', -1, A, 0, 0],
    get(A, 0),
  ]);
});
