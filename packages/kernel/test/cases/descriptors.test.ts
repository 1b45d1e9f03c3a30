import { Errno, Fcntl, FD_CLOEXEC, OpenFlag, Rlimit, Signal } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, fork, get, getText, handler, put, type Step, seen } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EACCES, EAGAIN, EBADF, EINVAL, EMFILE, ENOTTY, EPERM, ESRCH } = Errno;
const { APPEND, CLOEXEC, CREAT, NONBLOCK, RDWR, WRONLY } = OpenFlag;
const LIMIT = 64;
const FIONBIO = 0x5421;
const FIOCLEX = 0x5451;
const FIOASYNC = 0x5452;
const FIONCLEX = 0x5450;
const F_SETOWN = 8;
const F_GETOWN = 9;
const F_SETSIG = 10;
const F_GETSIG = 11;

const file: Step = [3, 'open', 'file', RDWR | CREAT, 0o600];

/** As LTP's dup, dup2, dup3, fcntl, close_range and ioctl, and gVisor's dup and fcntl tests describe them. */
describe('Descriptors', () => {
  linuxCase('dup takes the lowest that is free, and shares place and flags, but not close-on-exec', [
    file,
    [4, 'dup', 3],
    [0, 'close', 1],
    [1, 'dup', 3],
    [5, 'write', 4, 'first', 5],
    [5, 'lseek', 1, 0, 1],
    [0, 'fcntl', 3, Fcntl.SETFL, APPEND | NONBLOCK],
    [0o100000 | RDWR | APPEND | NONBLOCK, 'fcntl', 4, Fcntl.GETFL],
    [0, 'fcntl', 3, Fcntl.SETFD, FD_CLOEXEC],
    [0, 'fcntl', 4, Fcntl.GETFD],
    [5, 'dup', 3],
    [0, 'fcntl', 5, Fcntl.GETFD],
    [-EBADF, 'dup', 9],
    [-EBADF, 'dup', -1],
  ]);

  linuxCase('none left: EMFILE, and one that is closed is free again', [
    put(A, 5, 0, LIMIT, 0),
    [0, 'prlimit64', 0, Rlimit.NOFILE, A, 0],
    [3, 'dup', 0],
    [4, 'dup', 0],
    [-EMFILE, 'dup', 0],
    [-EMFILE, 'eventfd2', 0, 0],
    [-EMFILE, 'socketpair', 1, 1, 0, A],
    [-EMFILE, 'open', 'file', RDWR | CREAT, 0o600],
    // It was not made either.
    [-Errno.ENOENT, 'access', 'file', 0],
    [0, 'close', 3],
    [3, 'dup', 0],
  ]);

  linuxCase('dup2: itself is nothing to do, one that is open is closed first, and the limit holds', [
    file,
    [3, 'dup2', 3, 3],
    [-EBADF, 'dup2', 9, 9],
    [-EBADF, 'dup2', 9, 3],
    [0, 'fcntl', 3, Fcntl.GETFD],
    [-EBADF, 'dup2', 3, LIMIT],
    [-EBADF, 'dup2', 3, -1],
    [0, 'pipe', A],
    [4, 'dup2', 3, 4],
    handler(Signal.PIPE),
    [-Errno.EPIPE, 'write', 5, 'x', 1],
    seen(Signal.PIPE, 1),
    [LIMIT - 1, 'dup2', 3, LIMIT - 1],
  ]);

  linuxCase('dup3: not onto itself, and no flag but close-on-exec', [
    file,
    [7, 'dup3', 3, 7, CLOEXEC],
    [FD_CLOEXEC, 'fcntl', 7, Fcntl.GETFD],
    [7, 'dup3', 3, 7, 0],
    [0, 'fcntl', 7, Fcntl.GETFD],
    [-EINVAL, 'dup3', 3, 3, 0],
    [-EINVAL, 'dup3', 9, 9, 0],
    [-EINVAL, 'dup3', 3, 8, NONBLOCK],
    [-EBADF, 'dup3', 3, LIMIT, 0],
    [-EBADF, 'dup3', 9, 8, 0],
  ]);

  linuxCase('F_DUPFD: from a number on, which must be below the limit', [
    file,
    [10, 'fcntl', 3, Fcntl.DUPFD, 10],
    [11, 'fcntl', 3, Fcntl.DUPFD_CLOEXEC, 10],
    [FD_CLOEXEC, 'fcntl', 11, Fcntl.GETFD],
    [-EINVAL, 'fcntl', 3, Fcntl.DUPFD, LIMIT],
    [-EINVAL, 'fcntl', 3, Fcntl.DUPFD, -1],
    [LIMIT - 1, 'fcntl', 3, Fcntl.DUPFD, LIMIT - 1],
    [-EMFILE, 'fcntl', 3, Fcntl.DUPFD, LIMIT - 1],
    [-EBADF, 'fcntl', 20, Fcntl.DUPFD, 0],
  ]);

  linuxCase('F_SETFL leaves how it was opened alone, and F_GETFL tells no flags of opening', [
    [3, 'open', 'file', WRONLY | CREAT | OpenFlag.TRUNC | OpenFlag.EXCL, 0o600],
    [0o100000 | WRONLY, 'fcntl', 3, Fcntl.GETFL],
    [0, 'fcntl', 3, Fcntl.SETFL, RDWR | NONBLOCK | CREAT],
    [0o100000 | WRONLY | NONBLOCK, 'fcntl', 3, Fcntl.GETFL],
    [-EBADF, 'read', 3, A, 1],
    [0, 'fcntl', 3, Fcntl.SETFL, OpenFlag.DIRECT | OpenFlag.NOATIME],
    [0o100000 | WRONLY | OpenFlag.DIRECT | OpenFlag.NOATIME, 'fcntl', 3, Fcntl.GETFL],
    [0, 'fcntl', 3, Fcntl.SETFL, 0],
    [0o100000 | WRONLY, 'fcntl', 3, Fcntl.GETFL],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'fcntl', 3, Fcntl.SETFL, OpenFlag.NOATIME],
    [-EINVAL, 'fcntl', 3, 9999, 0],
    [-EBADF, 'fcntl', 9, Fcntl.GETFL],
  ]);

  linuxCase('F_SETFD keeps one bit', [
    file,
    [0, 'fcntl', 3, Fcntl.SETFD, -1],
    [FD_CLOEXEC, 'fcntl', 3, Fcntl.GETFD],
    [0, 'fcntl', 3, Fcntl.SETFD, -2],
    [0, 'fcntl', 3, Fcntl.GETFD],
  ]);

  linuxCase('ioctl: non-blocking and close-on-exec by it, and what is no terminal', [
    [0, 'pipe', A],
    put(A, 1),
    [0, 'ioctl', 3, FIONBIO, A],
    [NONBLOCK, 'fcntl', 3, Fcntl.GETFL],
    [-EAGAIN, 'read', 3, A, 1],
    put(A, 0),
    [0, 'ioctl', 3, FIONBIO, A],
    [0, 'fcntl', 3, Fcntl.GETFL],
    [0, 'ioctl', 3, FIOCLEX, 0],
    [FD_CLOEXEC, 'fcntl', 3, Fcntl.GETFD],
    [0, 'ioctl', 3, FIONCLEX, 0],
    [0, 'fcntl', 3, Fcntl.GETFD],
    [-ENOTTY, 'ioctl', 3, 0x5401, A],
    [-EBADF, 'ioctl', 9, FIOCLEX, 0],
    [-Errno.EFAULT, 'ioctl', 3, FIONBIO, 0],
  ]);

  linuxCase('close_range: closes what is open in it, or marks it; refuses what it does not know', [
    [3, 'dup', 0],
    [4, 'dup', 0],
    [5, 'dup', 0],
    [6, 'dup', 0],
    [0, 'close', 4],
    [0, 'close_range', 4, 5, 0],
    [-EBADF, 'fcntl', 5, Fcntl.GETFD],
    [0, 'fcntl', 6, Fcntl.GETFD],
    [0, 'close_range', 3, 1000, 4],
    [FD_CLOEXEC, 'fcntl', 6, Fcntl.GETFD],
    [FD_CLOEXEC, 'fcntl', 3, Fcntl.GETFD],
    [0, 'fcntl', 2, Fcntl.GETFD],
    [-EINVAL, 'close_range', 6, 3, 0],
    [-EINVAL, 'close_range', 3, 6, 1],
    [0, 'close_range', 3, 0xffff_ffff, 0],
    [3, 'dup', 0],
  ]);

  linuxCase('those beyond a limit that was put down stay open', [
    [20, 'dup2', 0, 20],
    put(A, 4, 0, LIMIT, 0),
    [0, 'prlimit64', 0, Rlimit.NOFILE, A, 0],
    [3, 'dup', 20],
    [-EMFILE, 'dup', 20],
    [-EBADF, 'dup2', 0, 20],
    [0, 'fcntl', 20, Fcntl.GETFD],
    [0, 'close', 20],
    [-EBADF, 'close', 20],
    put(A, LIMIT + 1, 0, LIMIT, 0),
    [-EINVAL, 'prlimit64', 0, Rlimit.NOFILE, A, 0],
    put(A, LIMIT, 0, LIMIT + 1, 0),
    [-EPERM, 'prlimit64', 0, Rlimit.NOFILE, A, 0],
  ]);

  linuxCase('owners: a process, a group, and the signal that they are to get', [
    [0, 'pipe', A],
    [0, 'fcntl', 3, F_GETOWN],
    [$('self'), 'getpid'],
    [0, 'fcntl', 3, F_SETOWN, $('self')],
    [$('own'), 'fcntl', 3, F_GETOWN],
    [0, 'fcntl', 3, F_SETOWN, 0],
    [0, 'fcntl', 3, F_GETOWN],
    [-ESRCH, 'fcntl', 3, F_SETOWN, 30000],
    [0, 'fcntl', 3, F_GETSIG],
    [0, 'fcntl', 3, F_SETSIG, Signal.USR1],
    [Signal.USR1, 'fcntl', 3, F_GETSIG],
    [-EINVAL, 'fcntl', 3, F_SETSIG, 65],
    [0, 'fcntl', 3, F_SETSIG, 0],
  ]);

  linuxCase('O_PATH: a name without its file', [
    file,
    [4, 'write', 3, 'text', 4],
    [4, 'open', 'file', OpenFlag.PATH | RDWR, 0],
    [-EBADF, 'read', 4, A, 1],
    [-EBADF, 'write', 4, 'x', 1],
    [-EBADF, 'lseek', 4, 0, 0],
    [-EBADF, 'fchmod', 4, 0o777],
    [-EBADF, 'ftruncate', 4, 0],
    [0, 'fstat', 4, A],
    get(A + 48, 4, 0),
    [OpenFlag.PATH, 'fcntl', 4, Fcntl.GETFL],
    [5, 'fcntl', 4, Fcntl.DUPFD, 0],
    [-EBADF, 'fcntl', 4, Fcntl.SETFL, NONBLOCK],
    [-EBADF, 'fcntl', 4, F_SETOWN, 0],
    [-EBADF, 'ioctl', 4, FIOCLEX, 0],
    [-EBADF, 'ioctl', 4, FIOASYNC, A],
    // Nothing that may be asked about by poll.
    put(A, 4, 1),
    [1, 'poll', A, 1, 0],
    get(A, 4, 1 | (0x20 << 16)),
  ]);

  linuxCase('a child has copies of its own, of which places are shared', [
    file,
    [6, 'write', 3, 'abcdef', 6],
    [1, 'lseek', 3, 1, 0],
    fork('child', [2, 'read', 3, A, 2], getText(A, 'bc'), [0, 'close', 3], [3, 'dup', 0]),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    [3, 'read', 3, A, 10],
    getText(A, 'def'),
  ]);

  linuxCase('rights are looked at when a file is opened, and not again', [
    file,
    [0, 'fchmod', 3, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [1, 'write', 3, 'x', 1],
    [0, 'lseek', 3, 0, 0],
    [1, 'read', 3, A, 1],
    [-EACCES, 'open', 'file', RDWR, 0],
    [-EPERM, 'fchmod', 3, 0o600],
  ]);
});
