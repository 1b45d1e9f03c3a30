import { Errno, FallocateMode, Fcntl, OpenFlag, Prot, Rlimit, Seek, Signal } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, fork, get, getText, handler, load, long, NOWHERE, put, putText, type Step, seen } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EACCES, EBADF, EEXIST, EFAULT, EFBIG, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EOPNOTSUPP, ESPIPE } = Errno;
const { APPEND, CREAT, DIRECTORY, EXCL, NOFOLLOW, RDONLY, RDWR, TMPFILE, TRUNC, WRONLY } = OpenFlag;
const PAGE = 4096;

const file: Step = [3, 'open', 'file', RDWR | CREAT, 0o600];

/** As LTP's open, read, write, lseek, pread, writev, truncate, fallocate, sendfile and setrlimit tests, and gVisor's, describe them. */
describe('Files', () => {
  linuxCase('open: what flags ask of what is there', [
    [0, 'mkdir', 'directory', 0o755],
    file,
    [0, 'symlink', 'file', 'link'],
    [0, 'symlink', 'nothing', 'dangling'],
    [-EEXIST, 'open', 'file', RDWR | CREAT | EXCL, 0o600],
    [-EEXIST, 'open', 'link', RDWR | CREAT | EXCL, 0o600],
    [-EEXIST, 'open', 'dangling', RDWR | CREAT | EXCL, 0o600],
    [-EISDIR, 'open', 'directory', WRONLY, 0],
    [-EISDIR, 'open', 'directory', RDONLY | CREAT, 0o600],
    [-ENOTDIR, 'open', 'file', DIRECTORY, 0],
    [-EINVAL, 'open', 'new', RDWR | CREAT | DIRECTORY, 0o600],
    [-ELOOP, 'open', 'link', NOFOLLOW, 0],
    [-ENOTDIR, 'open', 'file/below', RDONLY, 0],
    [-ENOTDIR, 'open', 'file/', RDONLY, 0],
    [-ENOENT, 'open', '', RDONLY, 0],
    [-ENOENT, 'open', 'dangling', RDONLY, 0],
    [-EFAULT, 'open', NOWHERE, RDONLY, 0],
    [4, 'open', 'dangling', RDWR | CREAT, 0o600],
    [0, 'access', 'nothing', 0],
  ]);

  linuxCase('O_APPEND: every write goes to the end, pwrite too; the place follows', [
    [3, 'open', 'file', RDWR | CREAT | APPEND, 0o600],
    [3, 'write', 3, 'abc', 3],
    [0, 'lseek', 3, 0, Seek.SET],
    [2, 'write', 3, 'de', 2],
    [5, 'lseek', 3, 0, Seek.CUR],
    [1, 'pwrite64', 3, 'f', 1, 0],
    [5, 'lseek', 3, 0, Seek.CUR],
    [6, 'pread64', 3, A, 100, 0],
    getText(A, 'abcdef'),
    [0, 'fcntl', 3, Fcntl.SETFL, 0],
    [0, 'lseek', 3, 0, Seek.SET],
    [1, 'write', 3, 'X', 1],
    [6, 'pread64', 3, A, 100, 0],
    getText(A, 'Xbcdef'),
  ]);

  linuxCase('O_TRUNC empties a file, also one opened for reading, but not without the right to write', [
    file,
    [3, 'write', 3, 'abc', 3],
    [4, 'open', 'file', RDONLY | TRUNC, 0],
    [0, 'lseek', 3, 0, Seek.END],
    [-EBADF, 'write', 4, 'x', 1],
    // The place of others stays where it was.
    [3, 'lseek', 3, 3, Seek.SET],
    [1, 'write', 3, 'd', 1],
    [4, 'pread64', 3, A, 10, 0],
    get(A, 'd'.charCodeAt(0) << 24),
    [0, 'chmod', 'file', 0o444],
    [0, 'chown', 'file', 1, 1],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EACCES, 'open', 'file', RDONLY | TRUNC, 0],
    [4, 'lseek', 3, 0, Seek.END],
  ]);

  linuxCase('lseek: beyond the end, before the beginning, and from nowhere', [
    file,
    [3, 'write', 3, 'abc', 3],
    [2, 'lseek', 3, -1, Seek.END],
    [-EINVAL, 'lseek', 3, -4, Seek.END],
    [2, 'lseek', 3, 0, Seek.CUR],
    [-EINVAL, 'lseek', 3, -1, Seek.SET],
    [-EINVAL, 'lseek', 3, 0, 5],
    [-EBADF, 'lseek', 9, 0, Seek.SET],
    [10, 'lseek', 3, 10, Seek.SET],
    [0, 'read', 3, A, 1],
    [1, 'write', 3, 'k', 1],
    [11, 'pread64', 3, A, 100, 0],
    getText(A, 'abc\0\0\0\0\0\0\0k'),
  ]);

  linuxCase('SEEK_DATA and SEEK_HOLE: where there is something, and where there is not', [
    file,
    [PAGE, 'pwrite64', 3, A, PAGE, 4 * PAGE],
    [0, 'ftruncate', 3, 8 * PAGE],
    [4 * PAGE, 'lseek', 3, 0, Seek.DATA],
    [4 * PAGE + 7, 'lseek', 3, 4 * PAGE + 7, Seek.DATA],
    [0, 'lseek', 3, 0, Seek.HOLE],
    [5 * PAGE, 'lseek', 3, 4 * PAGE, Seek.HOLE],
    [-ENXIO, 'lseek', 3, 5 * PAGE, Seek.DATA],
    [6 * PAGE, 'lseek', 3, 6 * PAGE, Seek.HOLE],
    [-ENXIO, 'lseek', 3, 8 * PAGE, Seek.HOLE],
    [-ENXIO, 'lseek', 3, 8 * PAGE, Seek.DATA],
  ]);

  linuxCase('pread and pwrite leave the place where it is, and take no place before the beginning', [
    file,
    [5, 'write', 3, 'abcde', 5],
    [2, 'pread64', 3, A, 2, 1],
    getText(A, 'bc'),
    [5, 'lseek', 3, 0, Seek.CUR],
    [1, 'pwrite64', 3, 'X', 1, 0],
    [5, 'lseek', 3, 0, Seek.CUR],
    [-EINVAL, 'pread64', 3, A, 2, -1],
    [-EINVAL, 'pwrite64', 3, A, 2, -1],
    [0, 'pread64', 3, A, 2, 5],
    [-EBADF, 'pread64', 9, A, 2, 0],
  ]);

  linuxCase('writev and readv: pieces in order, as many as may be, and what is not there ends it', [
    file,
    putText(A, 'one2'),
    put(A + 0x100, ...long(A), ...long(3), ...long(A), ...long(0), ...long(A + 3), ...long(1)),
    [4, 'writev', 3, A + 0x100, 3],
    [0, 'writev', 3, A + 0x100, 0],
    [-EINVAL, 'writev', 3, A + 0x100, -1],
    [-EINVAL, 'writev', 3, A + 0x100, 1025],
    put(A + 0x200, ...long(A + 0x10), ...long(2), ...long(NOWHERE), ...long(5)),
    [0, 'lseek', 3, 0, Seek.SET],
    [2, 'readv', 3, A + 0x200, 2],
    getText(A + 0x10, 'on'),
    [-EFAULT, 'readv', 3, A + 0x210, 1],
    // A length that would be negative is found before anything is read.
    put(A + 0x218, -1, -1),
    [-EINVAL, 'readv', 3, A + 0x200, 2],
    [-EFAULT, 'readv', 3, NOWHERE, 1],
  ]);

  linuxCase('preadv2: the place of the file with -1, and flags that are not there', [
    file,
    [4, 'write', 3, 'abcd', 4],
    [1, 'lseek', 3, 1, Seek.SET],
    put(A + 0x100, ...long(A), ...long(2)),
    [2, 'preadv2', 3, A + 0x100, 1, -1, 0, 0],
    [3, 'lseek', 3, 0, Seek.CUR],
    [2, 'preadv2', 3, A + 0x100, 1, 0, 0, 0],
    [3, 'lseek', 3, 0, Seek.CUR],
    [-EOPNOTSUPP, 'preadv2', 3, A + 0x100, 1, 0, 0, 0x8000_0000],
    [-EINVAL, 'preadv', 3, A + 0x100, 1, -1, 0],
    [2, 'pwritev', 3, A + 0x100, 1, 3, 0],
    [5, 'lseek', 3, 0, Seek.END],
  ]);

  linuxCase('a write to memory that ends part of the way: as much as could be read', [
    file,
    [$('memory'), 'mmap', 0, 2 * PAGE, 3, 0x22, -1, 0],
    [0, 'munmap', $('memory', 1, PAGE), PAGE],
    [-EFAULT, 'write', 3, NOWHERE, 10],
    [0, 'lseek', 3, 0, Seek.END],
    [10, 'write', 3, $('memory', 1, PAGE - 10), 20],
    [10, 'lseek', 3, 0, Seek.CUR],
    [0, 'lseek', 3, 0, Seek.SET],
    [5, 'read', 3, $('memory', 1, PAGE - 5), 10],
    [5, 'lseek', 3, 0, Seek.CUR],
    [0, 'write', 3, NOWHERE, 0],
  ]);

  linuxCase('truncate: longer by zeros, shorter for good; not what is open for reading, and no directory', [
    [0, 'mkdir', 'directory', 0o755],
    file,
    [3, 'write', 3, 'abc', 3],
    [0, 'ftruncate', 3, 2],
    [0, 'truncate', 'file', 5],
    [3, 'lseek', 3, 0, Seek.CUR],
    [5, 'pread64', 3, A, 10, 0],
    getText(A, 'ab\0\0\0'),
    [4, 'open', 'file', RDONLY, 0],
    [-EINVAL, 'ftruncate', 4, 0],
    [-EINVAL, 'ftruncate', 3, -1],
    [-EINVAL, 'truncate', 'file', -1],
    [-EISDIR, 'truncate', 'directory', 0],
    [-ENOENT, 'truncate', 'nothing', 0],
    [-ENOTDIR, 'truncate', 'file/x', 0],
    [-EBADF, 'ftruncate', 9, 0],
  ]);

  linuxCase('RLIMIT_FSIZE: as much as fits, then SIGXFSZ and EFBIG', [
    file,
    put(A, 10, 0, 100, 0),
    [0, 'prlimit64', 0, Rlimit.FSIZE, A, 0],
    handler(Signal.XFSZ),
    [8, 'write', 3, A, 8],
    [2, 'write', 3, A, 8],
    seen(Signal.XFSZ, 0),
    [-EFBIG, 'write', 3, A, 1],
    seen(Signal.XFSZ, 1, 0),
    [-EFBIG, 'ftruncate', 3, 11],
    seen(Signal.XFSZ, 2),
    [-EFBIG, 'fallocate', 3, 0, 0, 20],
    seen(Signal.XFSZ, 3),
    [0, 'ftruncate', 3, 10],
    [0, 'pipe', A],
    [100, 'write', 5, A, 100],
  ]);

  linuxCase('RLIMIT_FSIZE kills who does not handle it', [
    fork('child', file, put(A, 0, 0, 0, 0), [0, 'prlimit64', 0, Rlimit.FSIZE, A, 0], ['never', 'write', 3, A, 1]),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, Signal.XFSZ),
  ]);

  linuxCase('fallocate: room beyond the end with and without a longer file; holes; and what it cannot do', [
    file,
    [0, 'fallocate', 3, 0, 0, 10],
    [10, 'lseek', 3, 0, Seek.END],
    [0, 'fallocate', 3, FallocateMode.KEEP_SIZE, 0, 10 * PAGE],
    [10, 'lseek', 3, 0, Seek.END],
    [10, 'pwrite64', 3, 'abcdefghij', 10, 0],
    [0, 'fallocate', 3, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, 2, 3],
    [10, 'pread64', 3, A, 10, 0],
    getText(A, 'ab\0\0\0fghij'),
    [-EOPNOTSUPP, 'fallocate', 3, FallocateMode.PUNCH_HOLE, 0, 10],
    [-EOPNOTSUPP, 'fallocate', 3, FallocateMode.COLLAPSE_RANGE, 0, PAGE],
    [-EINVAL, 'fallocate', 3, 0, 0, 0],
    [-EINVAL, 'fallocate', 3, 0, -1, 10],
    [-EOPNOTSUPP, 'fallocate', 3, 0x800, 0, 10],
    [4, 'open', 'file', RDONLY, 0],
    [-EBADF, 'fallocate', 4, 0, 0, 10],
  ]);

  linuxCase('sendfile: from a place or from where the file is, into pipes and files', [
    file,
    [6, 'write', 3, 'abcdef', 6],
    [0, 'pipe', A],
    put(A, 2, 0),
    [3, 'sendfile', 5, 3, A, 3],
    get(A, 5, 0),
    [3, 'read', 4, A + 8, 10],
    getText(A + 8, 'cde'),
    [6, 'lseek', 3, 0, Seek.CUR],
    [0, 'sendfile', 5, 3, 0, 3],
    [1, 'lseek', 3, 1, Seek.SET],
    [2, 'sendfile', 5, 3, 0, 2],
    [3, 'lseek', 3, 0, Seek.CUR],
    [6, 'open', 'other', RDWR | CREAT, 0o600],
    [6, 'sendfile', 6, 3, A + 16, 100],
    [6, 'lseek', 6, 0, Seek.END],
    [-EBADF, 'sendfile', 4, 3, 0, 1],
    [-EBADF, 'sendfile', 3, 5, 0, 1],
    [-EFAULT, 'sendfile', 5, 3, NOWHERE, 1],
    put(A, -1, -1),
    [-EINVAL, 'sendfile', 5, 3, A, 1],
    [-ESPIPE, 'sendfile', 6, 4, A + 16, 1],
  ]);

  linuxCase('copy_file_range: between regular files, not in itself where it overlaps', [
    file,
    [6, 'write', 3, 'abcdef', 6],
    [4, 'open', 'other', RDWR | CREAT, 0o600],
    put(A, 1, 0, 0, 0),
    [3, 'copy_file_range', 3, A, 4, A + 8, 3, 0],
    get(A, 4, 0, 3, 0),
    [3, 'pread64', 4, A + 16, 10, 0],
    getText(A + 16, 'bcd'),
    [-EINVAL, 'copy_file_range', 3, A, 4, A + 8, 3, 1],
    put(A, 0, 0, 2, 0),
    [-EINVAL, 'copy_file_range', 3, A, 3, A + 8, 3, 0],
    [2, 'copy_file_range', 3, A, 3, A + 8, 2, 0],
    [5, 'open', 'file', RDONLY, 0],
    [-EBADF, 'copy_file_range', 3, A, 5, A + 8, 2, 0],
    [0, 'pipe', A + 0x100],
    [-EINVAL, 'copy_file_range', 6, 0, 4, 0, 2, 0],
    [0, 'mkdir', 'directory', 0o700],
    [8, 'open', 'directory', DIRECTORY, 0],
    [-EISDIR, 'copy_file_range', 8, 0, 4, 0, 2, 0],
  ]);

  linuxCase('a file without a name gets one by a link, unless it was said to have none', [
    [3, 'open', '.', RDWR | TMPFILE | DIRECTORY, 0o640],
    [2, 'write', 3, 'hi', 2],
    [0, 'fstat', 3, A],
    get(A + 16, 0, 0, 0o100640),
    [0, 'linkat', -100, '/proc/self/fd/3', -100, 'named', 0x400],
    [0, 'fstat', 3, A],
    get(A + 16, 1, 0),
    [4, 'open', 'named', RDONLY, 0],
    [2, 'read', 4, A, 10],
    getText(A, 'hi'),
    [5, 'open', '.', RDWR | TMPFILE | DIRECTORY | EXCL, 0o640],
    [-ENOENT, 'linkat', -100, '/proc/self/fd/5', -100, 'other', 0x400],
    [-EINVAL, 'open', '.', RDONLY | TMPFILE | DIRECTORY, 0o640],
  ]);

  linuxCase('a file whose last name is gone lives as long as it is open, mapped or not', [
    file,
    [3, 'write', 3, 'abc', 3],
    [$('map'), 'mmap', 0, PAGE, Prot.READ, 1, 3, 0],
    [0, 'unlink', 'file'],
    [-ENOENT, 'open', 'file', RDONLY, 0],
    [0, 'fstat', 3, A],
    get(A + 16, 0, 0),
    [0, 'lseek', 3, 0, 0],
    [3, 'read', 3, A, 10],
    [0, 'close', 3],
    file,
    [0, 'fstat', 3, A],
    get(A + 16, 1, 0),
    get(A + 48, 0, 0),
  ]);

  linuxCase('advice about a file: none for pipes, and none that is not known', [
    file,
    [0, 'fadvise64', 3, 0, 0, 0],
    [0, 'fadvise64', 3, 0, 100, 5],
    [-EINVAL, 'fadvise64', 3, 0, 0, 6],
    [-EINVAL, 'fadvise64', 3, 0, -1, 0],
    [-EBADF, 'fadvise64', 9, 0, 0, 0],
    [0, 'readahead', 3, 0, 100],
    [-EBADF, 'readahead', 9, 0, 100],
    [0, 'pipe', A],
    [-EINVAL, 'readahead', 4, 0, 100],
    [0, 'sync_file_range', 3, 0, 0, 7],
    [-EINVAL, 'sync_file_range', 3, 0, 0, 8],
    [-EINVAL, 'sync_file_range', 3, -1, 0, 0],
    [-ESPIPE, 'sync_file_range', 4, 0, 0, 0],
  ]);

  linuxCase('what is mapped and what is written are one', [
    file,
    [0, 'ftruncate', 3, PAGE],
    [$('map'), 'mmap', A + 0x20000, PAGE, Prot.READ | Prot.WRITE, 1 | 0x10, 3, 0],
    [3, 'pwrite64', 3, 'abc', 3, 0],
    load(A + 0x20001, 98),
    putText(A + 0x20000, 'XY'),
    [3, 'pread64', 3, A, 3, 0],
    getText(A, 'XYc'),
    fork('child', [0, 'ftruncate', 3, 0], load(A + 0x20000, 'never')),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, Signal.BUS),
  ]);
});
