import { At, Errno, FileMode, Inotify, OpenFlag, RenameFlag } from '@rpal/uapi';
import { describe } from 'vitest';
import { $, A, asleep, fork, get, getText, long, NOWHERE, put, type Step } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EACCES, EBADF, EBUSY, EEXIST, EFAULT, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, ERANGE, EXDEV } =
  Errno;
const { CREAT, DIRECTORY, RDWR } = OpenFlag;
const make = (name: string, mode = 0o600, fd = 3): Step => [fd, 'open', name, RDWR | CREAT, mode];
/** Words of `struct stat`: links (16), mode (24), user (28), group (32). */
const mode = (name: string, ...words: number[]): Step[] => [[0, 'stat', name, A + 0x800], get(A + 0x818, ...words)];
const links = (name: string, count: number): Step[] => [[0, 'stat', name, A + 0x800], get(A + 0x810, count, 0)];
const become = (uid: number, gid = uid): Step[] => [
  [0, 'setgroups', 0, 0],
  [0, 'setresgid', gid, gid, gid],
  [0, 'setresuid', uid, uid, uid],
];

/** As LTP's mkdir, rmdir, rename, renameat2, link, unlink, symlink, readlink, getcwd and getdents tests, and gVisor's, describe them. */
describe('Names', () => {
  linuxCase('mkdir and rmdir: what they refuse', [
    [0, 'mkdir', 'd', 0o777],
    ...mode('d', FileMode.DIRECTORY | 0o755),
    [-EEXIST, 'mkdir', 'd', 0o777],
    [-EEXIST, 'mkdir', '/', 0o777],
    [-EEXIST, 'mkdir', 'd/.', 0o777],
    [-ENOENT, 'mkdir', 'no/such', 0o777],
    [-ENOENT, 'mkdir', '', 0o777],
    [-EFAULT, 'mkdir', NOWHERE, 0o777],
    [-ENOENT, 'mkdir', '/proc/x', 0o777],
    [-ENOENT, 'symlink', 'x', '/proc/x'],
    [-ENOENT, 'mknod', '/proc/self/x', FileMode.FIFO, 0],
    [-ENOENT, 'open', '/proc/x', RDWR | CREAT, 0o600],
    make('f'),
    [-ENOTDIR, 'mkdir', 'f/x', 0o777],
    [-EEXIST, 'mkdir', 'f', 0o777],
    [0, 'mkdir', 'd/e', 0o777],
    [-ENOTEMPTY, 'rmdir', 'd'],
    [-EINVAL, 'rmdir', 'd/e/.'],
    [-ENOTEMPTY, 'rmdir', 'd/e/..'],
    [-EBUSY, 'rmdir', '/'],
    [-ENOTDIR, 'rmdir', 'f'],
    [-EBUSY, 'rmdir', '/proc'],
    [0, 'rmdir', 'd/e'],
    [0, 'rmdir', 'd/'],
    [-ENOENT, 'rmdir', 'd'],
  ]);

  linuxCase('links of a directory: one for its name, its own and each below', [
    [0, 'mkdir', 'd', 0o755],
    ...links('d', 2),
    [0, 'mkdir', 'd/e', 0o755],
    [0, 'mkdir', 'd/f', 0o755],
    ...links('d', 4),
    make('d/g'),
    ...links('d', 4),
    [0, 'rename', 'd/e', 'e'],
    ...links('d', 3),
    [0, 'rmdir', 'd/f'],
    ...links('d', 2),
  ]);

  linuxCase('rename: over what it may, and not into itself', [
    make('a'),
    make('b', 0o600, 4),
    [1, 'write', 3, 'a', 1],
    [0, 'rename', 'a', 'b'],
    [-ENOENT, 'access', 'a', 0],
    [0, 'fstat', 4, A],
    get(A + 16, 0, 0),
    [0, 'mkdir', 'd', 0o755],
    [0, 'mkdir', 'e', 0o755],
    [-EISDIR, 'rename', 'b', 'd'],
    [-ENOTDIR, 'rename', 'd', 'b'],
    [-EINVAL, 'rename', 'd', 'd/x'],
    [0, 'rename', 'd', 'e'],
    [0, 'mkdir', 'd', 0o755],
    [0, 'mkdir', 'e/full', 0o755],
    [-ENOTEMPTY, 'rename', 'd', 'e'],
    [-ENOTEMPTY, 'rename', 'e/full', 'e'],
    [-ENOENT, 'rename', 'nothing', 'x'],
    [-ENOENT, 'rename', 'b', 'no/such'],
    [-EBUSY, 'rename', '.', 'x'],
    [-EBUSY, 'rename', 'd', 'e/..'],
    [-ENOTDIR, 'rename', 'b/', 'x'],
    [-EXDEV, 'rename', 'b', '/proc/x'],
    [0, 'rename', 'b', 'b'],
    [0, 'link', 'b', 'c'],
    // Two names of one file: nothing happens.
    [0, 'rename', 'b', 'c'],
    [0, 'access', 'b', 0],
  ]);

  linuxCase("renameat2: not over what is there, or each in the other's place", [
    make('a'),
    [1, 'write', 3, 'a', 1],
    [0, 'mkdir', 'd', 0o755],
    [-EEXIST, 'renameat2', At.FDCWD, 'a', At.FDCWD, 'd', RenameFlag.NOREPLACE],
    [0, 'renameat2', At.FDCWD, 'a', At.FDCWD, 'b', RenameFlag.NOREPLACE],
    [0, 'renameat2', At.FDCWD, 'b', At.FDCWD, 'd', RenameFlag.EXCHANGE],
    ...mode('d', FileMode.REGULAR | 0o600),
    ...mode('b', FileMode.DIRECTORY | 0o755),
    [-ENOENT, 'renameat2', At.FDCWD, 'b', At.FDCWD, 'nothing', RenameFlag.EXCHANGE],
    [-EINVAL, 'renameat2', At.FDCWD, 'b', At.FDCWD, 'd', RenameFlag.EXCHANGE | RenameFlag.NOREPLACE],
    [-EINVAL, 'renameat2', At.FDCWD, 'b', At.FDCWD, 'd', 8],
    [-EBADF, 'renameat2', 40, 'b', At.FDCWD, 'd', 0],
    [-ENOTDIR, 'renameat2', 3, 'b', At.FDCWD, 'd', 0],
  ]);

  linuxCase('link: another name of the same, not of directories, not over what is there', [
    make('a'),
    [0, 'link', 'a', 'b'],
    ...links('a', 2),
    [-EEXIST, 'link', 'a', 'b'],
    [0, 'mkdir', 'd', 0o755],
    [-EPERM, 'link', 'd', 'x'],
    [-ENOENT, 'link', 'nothing', 'x'],
    [-ENOENT, 'link', 'a', '/proc/x'],
    [0, 'symlink', 'a', 's'],
    // A symbolic link is linked itself, unless it is to be followed.
    [0, 'link', 's', 't'],
    [0, 'lstat', 't', A],
    get(A + 24, FileMode.SYMLINK | 0o777),
    [0, 'linkat', At.FDCWD, 's', At.FDCWD, 'u', At.SYMLINK_FOLLOW],
    ...links('a', 3),
    [-EINVAL, 'linkat', At.FDCWD, 's', At.FDCWD, 'v', 1],
    [0, 'unlink', 'a'],
    [0, 'unlink', 'b'],
    ...links('u', 1),
  ]);

  linuxCase('unlink: no directories, no such things; unlinkat takes both', [
    make('a'),
    [0, 'mkdir', 'd', 0o755],
    [-EISDIR, 'unlink', 'd'],
    [-ENOENT, 'unlink', 'nothing'],
    [-ENOENT, 'unlink', ''],
    [-ENOTDIR, 'unlink', 'a/x'],
    [-ENOTDIR, 'unlink', 'a/'],
    [-ENOTDIR, 'unlinkat', At.FDCWD, 'a', At.REMOVEDIR],
    [-EISDIR, 'unlinkat', At.FDCWD, 'd', 0],
    [-EINVAL, 'unlinkat', At.FDCWD, 'a', 1],
    [0, 'unlinkat', At.FDCWD, 'd', At.REMOVEDIR],
    [4, 'open', '.', DIRECTORY, 0],
    [0, 'unlinkat', 4, 'a', 0],
    [-ENOTDIR, 'unlinkat', 3, 'x', 0],
    [-EBADF, 'unlinkat', 40, 'x', 0],
  ]);

  linuxCase('symbolic links: read, followed, round in circles', [
    [0, 'symlink', 'target', 's'],
    [6, 'readlink', 's', A, 100],
    getText(A, 'target'),
    [3, 'readlink', 's', A + 0x40, 3],
    getText(A + 0x40, 'tar\0'),
    [-EINVAL, 'readlink', 's', A, 0],
    [-ENOENT, 'readlink', 'nothing', A, 10],
    make('f'),
    [-EINVAL, 'readlink', 'f', A, 10],
    [-EEXIST, 'symlink', 'x', 's'],
    [-ENOENT, 'symlink', '', 'x'],
    [-EFAULT, 'readlink', 's', NOWHERE, 10],
    [0, 'symlink', 'two', 'one'],
    [0, 'symlink', 'one', 'two'],
    [-ELOOP, 'open', 'one', 0, 0],
    [-ELOOP, 'stat', 'one', A],
    [0, 'lstat', 'one', A],
    get(A + 48, 3, 0),
    [0, 'mkdir', 'd', 0o755],
    [0, 'symlink', 'd', 'to-d'],
    [0, 'mkdir', 'to-d/e', 0o755],
    [0, 'access', 'd/e', 0],
    [-ENOTDIR, 'rmdir', 'to-d'],
    [-ENOTDIR, 'open', 'to-d', DIRECTORY | OpenFlag.NOFOLLOW, 0],
    [4, 'open', 's', OpenFlag.PATH | OpenFlag.NOFOLLOW, 0],
    [6, 'readlinkat', 4, '', A, 100],
  ]);

  linuxCase('long names: 255 bytes for a part, 4095 for a path', [
    make('n'.repeat(255)),
    [-ENAMETOOLONG, 'open', 'n'.repeat(256), RDWR | CREAT, 0o600],
    [-ENAMETOOLONG, 'access', `/${'n'.repeat(256)}/x`, 0],
    [-ENAMETOOLONG, 'access', './'.repeat(2048), 0],
    [-ENAMETOOLONG, 'symlink', 'n'.repeat(256), 'n'.repeat(256)],
  ]);

  linuxCase('the working directory: where it is, and when it is gone', [
    [0, 'mkdir', 'd', 0o755],
    [0, 'chdir', 'd'],
    [7, 'getcwd', A, 100],
    getText(A, '/tmp/d\0'),
    [-ERANGE, 'getcwd', A, 6],
    [-EFAULT, 'getcwd', NOWHERE, 100],
    [3, 'open', '.', DIRECTORY, 0],
    [0, 'rmdir', '../d'],
    [-ENOENT, 'getcwd', A, 100],
    [-ENOENT, 'open', 'x', RDWR | CREAT, 0o600],
    [-ENOENT, 'mkdir', 'x', 0o755],
    [0, 'stat', '.', A],
    [-ENOENT, 'stat', 'x', A],
    [0, 'chdir', '..'],
    [5, 'getcwd', A, 100],
    [-ENOENT, 'chdir', 'd'],
    [0, 'fchdir', 3],
    make('/tmp/f', 0o600, 4),
    [-ENOTDIR, 'fchdir', 4],
    [-ENOTDIR, 'chdir', '/tmp/f'],
    [-EBADF, 'fchdir', 40],
  ]);

  linuxCase('chroot: who is outside of the new root climbs to the top of its own tree, and no higher', [
    [0, 'mkdir', 'jail', 0o755],
    [0, 'chroot', 'jail'],
    [0, 'chdir', '../../../../../..'],
    [0, 'access', 'tmp/jail', 0],
    [0, 'access', 'proc', 0],
    [-ENOENT, 'access', 'etc', 0],
  ]);

  linuxCase('chroot: the root is another, and what is above cannot be reached', [
    [0, 'mkdir', 'jail', 0o755],
    [0, 'mkdir', 'jail/in', 0o755],
    [0, 'chroot', 'jail'],
    [0, 'chdir', '/'],
    [0, 'access', '/in', 0],
    [0, 'access', '/../../in', 0],
    [2, 'getcwd', A, 100],
    [-ENOENT, 'access', '/tmp', 0],
    [-ENOENT, 'chroot', 'nothing'],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'chroot', 'in'],
  ]);

  linuxCase('getdents64: what is there, and nothing of what is gone', [
    [0, 'mkdir', 'd', 0o755],
    make('d/f'),
    [0, 'close', 3],
    [3, 'open', 'd', DIRECTORY, 0],
    [72, 'getdents64', 3, A, 1000],
    [0, 'getdents64', 3, A, 1000],
    [0, 'lseek', 3, 0, 0],
    [-EINVAL, 'getdents64', 3, A, 10],
    [24, 'getdents64', 3, A, 30],
    [48, 'getdents64', 3, A, 1000],
    [0, 'unlink', 'd/f'],
    [0, 'lseek', 3, 0, 0],
    [48, 'getdents64', 3, A, 1000],
    [0, 'rmdir', 'd'],
    [0, 'lseek', 3, 0, 0],
    [-ENOENT, 'getdents64', 3, A, 1000],
    make('f', 0o600, 4),
    [-ENOTDIR, 'getdents64', 4, A, 1000],
    [-EBADF, 'getdents64', 40, A, 1000],
    [-EISDIR, 'read', 3, A, 10],
  ]);
});

/** As LTP's access, chmod, chown, umask, open and creat tests, and gVisor's, describe them. */
describe('Rights', () => {
  linuxCase('a mode is what the mask leaves of it', [
    [0o022, 'umask', 0o077],
    make('a', 0o7777),
    ...mode('a', FileMode.REGULAR | 0o7700),
    [0o077, 'umask', 0o1777],
    [0o777, 'umask', 0],
    [0, 'mkdir', 'd', 0o7777],
    ...mode('d', FileMode.DIRECTORY | 0o1777),
    fork('child', [0, 'umask', 0o77]),
    [$('child'), 'wait4', -1, A, 0, 0],
    [0, 'umask', 0],
  ]);

  linuxCase('owner, group and others: the first that fits decides', [
    make('a', 0o077),
    [0, 'fchown', 3, 1000, 2000],
    [0, 'fchmod', 3, 0o077],
    make('b', 0o007, 4),
    [0, 'fchown', 4, 1, 1000],
    [0, 'fchmod', 4, 0o707],
    ...become(1000),
    [-EACCES, 'open', 'a', 0, 0],
    [-EACCES, 'open', 'b', 0, 0],
    [-EACCES, 'access', 'a', 4],
    [0, 'access', 'a', 0],
    [-EINVAL, 'access', 'a', 8],
    [0, 'chmod', 'a', 0o400],
    [5, 'open', 'a', 0, 0],
    [-EACCES, 'open', 'a', 1, 0],
    [-EPERM, 'chmod', 'b', 0o777],
    [-EPERM, 'chown', 'a', 1, -1],
    [-EPERM, 'chown', 'b', -1, 1000],
    [0, 'chown', 'a', 1000, 1000],
    [-EPERM, 'chown', 'a', -1, 5],
  ]);

  linuxCase('access asks for the real user, faccessat2 for the effective one if it is to', [
    make('a', 0o600),
    [0, 'setresuid', 1000, 0, 0],
    [-EACCES, 'access', 'a', 4],
    [0, 'faccessat2', At.FDCWD, 'a', 4, At.EACCESS],
    [4, 'open', 'a', 0, 0],
    [-EINVAL, 'faccessat2', At.FDCWD, 'a', 4, 1],
    [0, 'setresuid', 0, 1000, 0],
    [0, 'access', 'a', 4],
    [-EACCES, 'faccessat2', At.FDCWD, 'a', 4, At.EACCESS],
  ]);

  linuxCase('root may all, but execute only what somebody may', [
    make('a', 0),
    [0, 'access', 'a', 6],
    [-EACCES, 'access', 'a', 1],
    [0, 'chmod', 'a', 0o001],
    [0, 'access', 'a', 1],
    [0, 'mkdir', 'd', 0],
    [0, 'access', 'd', 7],
  ]);

  linuxCase('a directory: x to go through, w to change, r to list', [
    [0, 'mkdir', 'd', 0o777],
    make('d/f', 0o666),
    [0, 'chmod', 'd', 0o444],
    fork('lister', ...become(1000), [-EACCES, 'access', 'd/f', 0], [4, 'open', 'd', DIRECTORY, 0], [-EACCES, 'chdir', 'd']),
    [$('lister'), 'wait4', -1, A, 0, 0],
    [0, 'chmod', 'd', 0o111],
    fork(
      'goer',
      ...become(1000),
      [0, 'access', 'd/f', 0],
      [-EACCES, 'open', 'd', DIRECTORY, 0],
      [-EACCES, 'unlink', 'd/f'],
      [-EACCES, 'open', 'd/g', RDWR | CREAT, 0o600],
    ),
    [$('goer'), 'wait4', -1, A, 0, 0],
    get(A, 0),
  ]);

  linuxCase('a sticky directory: names are removed by their owners', [
    [0, 'mkdir', 'd', 0o777],
    [0, 'chmod', 'd', 0o1777],
    make('d/roots'),
    make('d/mine', 0o600, 4),
    [0, 'fchown', 4, 1000, 1000],
    ...become(1000),
    [-EPERM, 'unlink', 'd/roots'],
    [-EPERM, 'rename', 'd/roots', 'd/x'],
    [-EPERM, 'rename', 'd/mine', 'd/roots'],
    [0, 'rename', 'd/mine', 'd/y'],
    [0, 'unlink', 'd/y'],
  ]);

  linuxCase('set-group-ID of a directory is inherited, with its group', [
    [0, 'mkdir', 'd', 0o777],
    [0, 'chown', 'd', -1, 55],
    [0, 'chmod', 'd', 0o2777],
    make('d/f'),
    ...mode('d/f', FileMode.REGULAR | 0o600, 0, 55),
    [0, 'mkdir', 'd/e', 0o755],
    ...mode('d/e', FileMode.DIRECTORY | 0o2755, 0, 55),
  ]);

  linuxCase('set-user-ID and set-group-ID go when a file is written or given away', [
    make('a', 0o777),
    [0, 'fchmod', 3, 0o6777],
    [0, 'fchown', 3, 1000, 1000],
    ...mode('a', FileMode.REGULAR | 0o777, 1000, 1000),
    [0, 'fchmod', 3, 0o6777],
    // Root keeps them, others do not.
    [1, 'write', 3, 'x', 1],
    ...mode('a', FileMode.REGULAR | 0o6777),
    fork('other', ...become(2000), [1, 'write', 3, 'x', 1]),
    [$('other'), 'wait4', -1, A, 0, 0],
    ...mode('a', FileMode.REGULAR | 0o777),
    [0, 'fchmod', 3, 0o6777],
    fork('owner', ...become(1000, 2000), [0, 'fchmod', 3, 0o6777]),
    [$('owner'), 'wait4', -1, A, 0, 0],
    // Who is not in its group cannot set it.
    ...mode('a', FileMode.REGULAR | 0o4777),
  ]);

  linuxCase('devices and sockets by mknod: who may, and what is no kind', [
    [0, 'mknod', 'plain', FileMode.REGULAR | 0o644, 0],
    [0, 'mknod', 'untyped', 0o644, 0],
    ...mode('untyped', FileMode.REGULAR | 0o644),
    [0, 'mknod', 'null', FileMode.CHARACTER | 0o666, 0x103],
    [0, 'mknod', 'socket', FileMode.SOCKET | 0o600, 0],
    [-EPERM, 'mknod', 'directory', FileMode.DIRECTORY | 0o755, 0],
    [-EINVAL, 'mknod', 'odd', 0o110000, 0],
    [-EEXIST, 'mknod', 'plain', FileMode.REGULAR, 0],
    [-Errno.ENXIO, 'open', 'socket', RDWR, 0],
    ...become(1000),
    [-EPERM, 'mknod', 'mine', FileMode.CHARACTER | 0o666, 0x103],
    [0, 'mknod', 'fifo', FileMode.FIFO | 0o600, 0],
  ]);

  linuxCase('utimensat: moments, now, and leave it; whose they are', [
    make('a'),
    [0, 'fchmod', 3, 0o666],
    put(A, ...long(1000), ...long(7), ...long(2000), ...long(8)),
    [0, 'utimensat', At.FDCWD, 'a', A, 0],
    [0, 'stat', 'a', A + 0x800],
    get(A + 0x848, 1000, 0, 7, 0, 2000, 0, 8, 0),
    put(A, ...long(0), ...long(0x3fff_fffe), ...long(3000), ...long(0)),
    [0, 'utimensat', At.FDCWD, 'a', A, 0],
    [0, 'fstat', 3, A + 0x800],
    get(A + 0x848, 1000, 0, 7, 0, 3000, 0, 0, 0),
    put(A, ...long(0), ...long(1_000_000_000), ...long(0), ...long(0)),
    [-EINVAL, 'utimensat', At.FDCWD, 'a', A, 0],
    [-EFAULT, 'utimensat', At.FDCWD, 'a', NOWHERE, 0],
    [-ENOENT, 'utimensat', At.FDCWD, 'nothing', 0, 0],
    ...become(1000),
    put(A, ...long(1), ...long(0), ...long(1), ...long(0)),
    [-EPERM, 'utimensat', At.FDCWD, 'a', A, 0],
    // Now may be said by who may write.
    [0, 'utimensat', At.FDCWD, 'a', 0, 0],
    [-EPERM, 'chmod', 'a', 0o600],
  ]);
});

/** As LTP's flock, fcntl and inotify tests, and gVisor's, describe them. */
describe('Locks and watches', () => {
  const lock = (at: number, type: number, start: number, length: number): Step => put(at, type, 0, ...long(start), ...long(length), 0, 0);
  const [RDLCK, WRLCK, UNLCK] = [0, 1, 2];
  const [GETLK, SETLK, SETLKW] = [5, 6, 7];

  linuxCase('flock: between open files, not descriptors; given up with the last', [
    make('a'),
    make('a', 0o600, 4),
    [5, 'dup', 3],
    [0, 'flock', 3, 2],
    [-Errno.EAGAIN, 'flock', 4, 2 | 4],
    [-Errno.EAGAIN, 'flock', 4, 1 | 4],
    [0, 'flock', 5, 1],
    [0, 'flock', 4, 1 | 4],
    [-Errno.EAGAIN, 'flock', 4, 2 | 4],
    // To try for more gives up what one had.
    [0, 'flock', 3, 2 | 4],
    [0, 'close', 3],
    [-Errno.EAGAIN, 'flock', 4, 1 | 4],
    [0, 'close', 5],
    [0, 'flock', 4, 2 | 4],
    [-EINVAL, 'flock', 4, 0],
    [-EBADF, 'flock', 40, 1],
  ]);

  linuxCase('locks of fcntl: between processes, by bytes; asked about, taken, split', [
    make('a'),
    lock(A, WRLCK, 10, 20),
    [0, 'fcntl', 3, SETLK, A],
    [$('self'), 'getpid'],
    fork(
      'child',
      lock(A, WRLCK, 0, 0),
      [0, 'fcntl', 3, GETLK, A],
      get(A, WRLCK, 0, 10, 0, 20, 0, $('self')),
      lock(A, RDLCK, 15, 1),
      [-Errno.EAGAIN, 'fcntl', 3, SETLK, A],
      lock(A, WRLCK, 30, 5),
      [0, 'fcntl', 3, SETLK, A],
    ),
    [$('child'), 'wait4', -1, A + 0x100, 0, 0],
    lock(A, UNLCK, 15, 5),
    [0, 'fcntl', 3, SETLK, A],
    fork(
      'second',
      lock(A, WRLCK, 15, 5),
      [0, 'fcntl', 3, SETLK, A],
      lock(A, WRLCK, 20, 1),
      [0, 'fcntl', 3, GETLK, A],
      get(A, WRLCK, 0, 20, 0, 10, 0),
    ),
    [$('second'), 'wait4', -1, A + 0x100, 0, 0],
    get(A + 0x100, 0),
    // One's own are no obstacle.
    lock(A, WRLCK, 0, 0),
    [0, 'fcntl', 3, GETLK, A],
    get(A, UNLCK),
    lock(A, 3, 0, 0),
    [-EINVAL, 'fcntl', 3, SETLK, A],
    lock(A, WRLCK, -1, 5),
    [-EINVAL, 'fcntl', 3, SETLK, A],
    [-EFAULT, 'fcntl', 3, SETLK, NOWHERE],
    [4, 'open', 'a', 0, 0],
    lock(A, WRLCK, 0, 1),
    [-EBADF, 'fcntl', 4, SETLK, A],
  ]);

  linuxCase('locks of fcntl: gone with the first descriptor that is closed, and waited for', [
    make('a'),
    make('a', 0o600, 4),
    lock(A, WRLCK, 0, 0),
    [0, 'fcntl', 3, SETLK, A],
    fork('waiter', lock(A, WRLCK, 0, 0), [0, 'fcntl', 3, SETLKW, A]),
    asleep('waiter'),
    [0, 'wait4', -1, A + 0x100, 1, 0],
    [0, 'close', 4],
    [$('waiter'), 'wait4', -1, A + 0x100, 0, 0],
    get(A + 0x100, 0),
  ]);

  linuxCase('two that wait for each other: EDEADLK for the second', [
    make('a'),
    lock(A, WRLCK, 0, 1),
    [0, 'fcntl', 3, SETLK, A],
    fork('other', lock(A, WRLCK, 1, 1), [0, 'fcntl', 3, SETLK, A], lock(A, WRLCK, 0, 1), [0, 'fcntl', 3, SETLKW, A]),
    asleep('other'),
    lock(A, WRLCK, 1, 1),
    [-Errno.EDEADLK, 'fcntl', 3, SETLKW, A],
    lock(A, UNLCK, 0, 0),
    [0, 'fcntl', 3, SETLK, A],
    [$('other'), 'wait4', -1, A + 0x100, 0, 0],
  ]);

  linuxCase('locks of open files: between these, whichever process', [
    make('a'),
    make('a', 0o600, 4),
    lock(A, WRLCK, 0, 10),
    [0, 'fcntl', 3, 37, A],
    [-Errno.EAGAIN, 'fcntl', 4, 37, A],
    [-Errno.EAGAIN, 'fcntl', 4, SETLK, A],
    [0, 'fcntl', 4, 36, A],
    get(A, WRLCK, 0, 0, 0, 10, 0, -1),
    fork('child', lock(A, UNLCK, 0, 10), [0, 'fcntl', 3, 37, A]),
    [$('child'), 'wait4', -1, A + 0x100, 0, 0],
    lock(A, WRLCK, 0, 10),
    [0, 'fcntl', 4, 37, A],
    put(A, WRLCK, 0, 0, 0, 10, 0, 5, 0),
    [-EINVAL, 'fcntl', 3, 37, A],
  ]);

  const WATCH: Step[] = [[3, 'inotify_init1', 0x800]];
  /** One event without a name. */
  const event = (wd: number, mask: number): Step[] => [[16, 'read', 3, A, 16], get(A, wd, mask, 0, 0)];

  linuxCase('inotify of a file: what is done to it, in order, its end at last', [
    ...WATCH,
    make('a', 0o600, 4),
    [1, 'inotify_add_watch', 3, 'a', Inotify.ALL_EVENTS],
    [1, 'write', 4, 'x', 1],
    ...event(1, Inotify.MODIFY),
    [1, 'pread64', 4, A, 1, 0],
    ...event(1, Inotify.ACCESS),
    [0, 'fchmod', 4, 0o644],
    ...event(1, Inotify.ATTRIB),
    [0, 'close', 4],
    ...event(1, Inotify.CLOSE_WRITE),
    [4, 'open', 'a', 0, 0],
    ...event(1, Inotify.OPEN),
    [0, 'close', 4],
    ...event(1, Inotify.CLOSE_NOWRITE),
    [0, 'truncate', 'a', 0],
    ...event(1, Inotify.MODIFY),
    [0, 'link', 'a', 'b'],
    ...event(1, Inotify.ATTRIB),
    [0, 'unlink', 'b'],
    ...event(1, Inotify.ATTRIB),
    [0, 'unlink', 'a'],
    ...event(1, Inotify.ATTRIB),
    ...event(1, Inotify.DELETE_SELF),
    ...event(1, Inotify.IGNORED),
    [-Errno.EAGAIN, 'read', 3, A, 100],
    [-EINVAL, 'inotify_rm_watch', 3, 1],
  ]);

  linuxCase('inotify: changes of attributes in a row, each told of or one with the other', [
    ...WATCH,
    make('a', 0o600, 4),
    [1, 'inotify_add_watch', 3, 'a', Inotify.ALL_EVENTS],
    [0, 'fchmod', 4, 0o644],
    [0, 'fchown', 4, 1, 1],
    [0, 'utimensat', At.FDCWD, 'a', 0, 0],
    ...event(1, Inotify.ATTRIB),
    [-Errno.EAGAIN, 'read', 3, A, 100],
    // Of a file with two names, watched by one: the other's end is an attribute.
    [0, 'link', 'a', 'b'],
    [0, 'unlink', 'b'],
    ...event(1, Inotify.ATTRIB),
    [-Errno.EAGAIN, 'read', 3, A, 100],
    [0, 'rename', 'a', 'c'],
    ...event(1, Inotify.MOVE_SELF),
    make('d', 0o600, 5),
    [0, 'rename', 'd', 'c'],
    // It is overwritten, and open still.
    ...event(1, Inotify.ATTRIB),
    [-Errno.EAGAIN, 'read', 3, A, 100],
    [0, 'close', 4],
    ...event(1, Inotify.CLOSE_WRITE),
    ...event(1, Inotify.DELETE_SELF),
    ...event(1, Inotify.IGNORED),
  ]);

  linuxCase('inotify of a directory: names, and a move is two events with one cookie', [
    ...WATCH,
    [0, 'mkdir', 'd', 0o755],
    [1, 'inotify_add_watch', 3, 'd', Inotify.CREATE | Inotify.DELETE | Inotify.MOVED_FROM | Inotify.MOVED_TO],
    make('d/f', 0o600, 4),
    [32, 'read', 3, A, 100],
    get(A, 1, Inotify.CREATE, 0, 16, 0x66, 0, 0, 0),
    [0, 'rename', 'd/f', 'd/g'],
    [64, 'read', 3, A, 100],
    get(A, 1, Inotify.MOVED_FROM),
    get(A + 32, 1, Inotify.MOVED_TO),
    get(A + 44, 16, 0x67),
    [0, 'mkdir', 'd/e', 0o755],
    [32, 'read', 3, A, 100],
    get(A, 1, Inotify.CREATE | Inotify.ISDIR, 0, 16, 0x65),
    [0, 'unlink', 'd/g'],
    [-EINVAL, 'read', 3, A, 20],
    [0, 'ioctl', 3, 0x541b, A],
    get(A, 32),
    [32, 'read', 3, A, 100],
    get(A, 1, Inotify.DELETE, 0, 16, 0x67),
  ]);

  linuxCase('inotify: watches are replaced, added to, once only, and end', [
    ...WATCH,
    make('a', 0o600, 4),
    [1, 'inotify_add_watch', 3, 'a', Inotify.MODIFY],
    [1, 'inotify_add_watch', 3, 'a', Inotify.ATTRIB],
    [1, 'write', 4, 'x', 1],
    [-Errno.EAGAIN, 'read', 3, A, 100],
    [1, 'inotify_add_watch', 3, 'a', Inotify.MODIFY | Inotify.MASK_ADD],
    [0, 'fchmod', 4, 0o644],
    [1, 'write', 4, 'x', 1],
    [1, 'write', 4, 'x', 1],
    ...event(1, Inotify.ATTRIB),
    // The same again in a row is one event.
    ...event(1, Inotify.MODIFY),
    [-Errno.EAGAIN, 'read', 3, A, 100],
    [1, 'inotify_add_watch', 3, 'a', Inotify.MODIFY | Inotify.ONESHOT],
    [1, 'write', 4, 'x', 1],
    ...event(1, Inotify.MODIFY),
    ...event(1, Inotify.IGNORED),
    [2, 'inotify_add_watch', 3, 'a', Inotify.MODIFY],
    [0, 'inotify_rm_watch', 3, 2],
    ...event(2, Inotify.IGNORED),
    [-EINVAL, 'inotify_rm_watch', 3, 2],
    [-EINVAL, 'inotify_add_watch', 3, 'a', 0],
    [-EINVAL, 'inotify_add_watch', 0, 'a', 1],
    [-EBADF, 'inotify_add_watch', 40, 'a', 1],
    [-ENOENT, 'inotify_add_watch', 3, 'nothing', 1],
    [-ENOTDIR, 'inotify_add_watch', 3, 'a', 1 | Inotify.ONLYDIR],
    [-EINVAL, 'inotify_init1', 1],
  ]);
});
