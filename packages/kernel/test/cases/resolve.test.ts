import { At, Errno, OpenFlag, Resolve } from '@rpal/uapi';
import { describe } from 'vitest';
import { A, long, put, type Step } from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EAGAIN, EINVAL, ELOOP, ENOENT, ENOTDIR, EXDEV } = Errno;
const { BENEATH, IN_ROOT, NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, CACHED } = Resolve;
const { CREAT, DIRECTORY, EXCL, NOFOLLOW, PATH, RDWR, TRUNC } = OpenFlag;
const HOW_BYTES = 24;
/** A descriptor of the directory `root`, below which all look-ups begin; the next one is what openat2 returns. */
const ROOT = 3;
const NEXT = 4;

/** openat2(from, path, ...) once; what it opens is closed again. */
function opens(answer: number, path: string, resolve: number, flags = 0, mode = 0, from = ROOT): Step[] {
  const made: Step[] = [put(A, ...long(flags), ...long(mode), ...long(resolve)), [answer, 'openat2', from, path, A, HOW_BYTES]];
  return answer >= 0 ? [...made, [0, 'close', answer]] : made;
}

/** root/sub/file, root/up -> .., root/abs -> /sub/file, root/in -> sub/file, root/out -> ../outside, and outside beside root. */
const TREE: Step[] = [
  [0, 'mkdir', 'root', 0o755],
  [0, 'mkdir', 'root/sub', 0o755],
  [0, 'mknod', 'root/sub/file', 0o100644, 0],
  [0, 'mknod', 'outside', 0o100644, 0],
  [0, 'symlink', '..', 'root/up'],
  [0, 'symlink', '/sub/file', 'root/abs'],
  [0, 'symlink', 'sub/file', 'root/in'],
  [0, 'symlink', '../outside', 'root/out'],
  [0, 'symlink', 'loop', 'root/loop'],
  [ROOT, 'openat', At.FDCWD, 'root', PATH | DIRECTORY, 0],
];

/** As the kernel's selftest of openat2 and its manual page describe what `resolve` asks for. */
describe('openat2', () => {
  linuxCase('RESOLVE_BENEATH: nothing leads out of the directory, whatever lies there', [
    ...TREE,
    ...opens(NEXT, 'sub/file', BENEATH),
    ...opens(NEXT, '.', BENEATH),
    ...opens(NEXT, 'sub/..', BENEATH),
    ...opens(NEXT, 'sub/../in', BENEATH),
    ...opens(-EXDEV, '..', BENEATH),
    ...opens(-EXDEV, 'sub/../..', BENEATH),
    ...opens(-EXDEV, '../root/sub/file', BENEATH),
    ...opens(-EXDEV, '/sub/file', BENEATH),
    ...opens(-EXDEV, '/', BENEATH),
    ...opens(-EXDEV, 'abs', BENEATH),
    ...opens(-EXDEV, 'out', BENEATH),
    ...opens(-EXDEV, 'up', BENEATH),
    ...opens(-EXDEV, 'up/root/in', BENEATH),
    ...opens(NEXT, 'up', BENEATH, PATH | NOFOLLOW),
    ...opens(-ELOOP, 'up', BENEATH, NOFOLLOW),
    ...opens(-ELOOP, 'loop', BENEATH),
    ...opens(-ENOENT, 'sub/none', BENEATH),
    ...opens(-EXDEV, '../new', BENEATH, CREAT | RDWR, 0o600),
    ...opens(-EXDEV, 'up/new', BENEATH, CREAT | RDWR, 0o600),
    ...opens(NEXT, 'sub/new', BENEATH, CREAT | EXCL | RDWR, 0o600),
    [-ENOENT, 'access', 'new', 0],
    ...opens(-ENOTDIR, 'sub/file/..', BENEATH),
    // Descriptors are looked at where no absolute path is.
    ...opens(-Errno.EBADF, 'sub', BENEATH, 0, 0, 40),
    ...opens(-EXDEV, '/sub', BENEATH, 0, 0, 40),
  ]);

  linuxCase('RESOLVE_IN_ROOT: the directory is the root of the way', [
    ...TREE,
    ...opens(NEXT, '/sub/file', IN_ROOT),
    ...opens(NEXT, '/', IN_ROOT),
    ...opens(NEXT, 'abs', IN_ROOT),
    ...opens(NEXT, '../../sub/file', IN_ROOT),
    ...opens(NEXT, '/../sub/../abs', IN_ROOT),
    ...opens(NEXT, 'up', IN_ROOT),
    ...opens(NEXT, 'up/in', IN_ROOT),
    ...opens(-ENOENT, 'out', IN_ROOT),
    ...opens(-ENOENT, '/outside', IN_ROOT),
    ...opens(-ENOENT, '/proc', IN_ROOT),
    ...opens(NEXT, '/../new', IN_ROOT, CREAT | EXCL | RDWR, 0o600),
    [0, 'access', 'root/new', 0],
    [-ENOENT, 'access', 'new', 0],
    ...opens(-Errno.EBADF, '/sub', IN_ROOT, 0, 0, 40),
    ...opens(-EINVAL, 'sub', IN_ROOT | BENEATH),
  ]);

  linuxCase('RESOLVE_NO_SYMLINKS: links of any kind are ELOOP', [
    ...TREE,
    ...opens(NEXT, 'sub/file', NO_SYMLINKS),
    ...opens(NEXT, '../outside', NO_SYMLINKS),
    ...opens(-ELOOP, 'in', NO_SYMLINKS),
    ...opens(-ELOOP, 'abs', NO_SYMLINKS | IN_ROOT),
    ...opens(-ELOOP, 'up/root/sub/file', NO_SYMLINKS),
    ...opens(-ELOOP, 'out', NO_SYMLINKS | BENEATH),
    ...opens(NEXT, 'in', NO_SYMLINKS, PATH | NOFOLLOW),
    ...opens(-ELOOP, 'in', NO_SYMLINKS, CREAT | RDWR, 0o600),
    ...opens(-Errno.EEXIST, 'in', NO_SYMLINKS, CREAT | EXCL | RDWR, 0o600),
    ...opens(-ELOOP, '/proc/self/status', NO_SYMLINKS),
    ...opens(-ELOOP, '/proc/self/cwd', NO_SYMLINKS),
  ]);

  linuxCase('RESOLVE_NO_MAGICLINKS: links of /proc that lead to a place are ELOOP, and those that are texts are not', [
    ...TREE,
    ...opens(NEXT, '/proc/self/status', NO_MAGICLINKS),
    ...opens(NEXT, 'in', NO_MAGICLINKS),
    ...opens(-ELOOP, '/proc/self/cwd', NO_MAGICLINKS),
    ...opens(-ELOOP, '/proc/self/cwd/outside', NO_MAGICLINKS),
    ...opens(-ELOOP, '/proc/self/fd/3', NO_MAGICLINKS),
    ...opens(-EXDEV, '/proc/self/root', NO_MAGICLINKS | NO_XDEV),
    ...opens(NEXT, '/proc/self/cwd', NO_MAGICLINKS, PATH | NOFOLLOW),
    ...opens(NEXT, '/proc/self/fd/3/sub/file', 0),
    // Within a directory they are refused as a way out, even if they lead into it.
    ...opens(4, '/proc/self/fd', 0, DIRECTORY),
    [4, 'openat', At.FDCWD, '/proc/self/fd', DIRECTORY, 0],
    ...opens(-EXDEV, '3', BENEATH, 0, 0, 4),
    ...opens(-EXDEV, '3/sub', IN_ROOT, 0, 0, 4),
    ...opens(-ELOOP, '3', BENEATH | NO_MAGICLINKS, 0, 0, 4),
    ...opens(-EXDEV, '3', NO_XDEV, 0, 0, 4),
    ...opens(5, '4', NO_XDEV, 0, 0, 4),
  ]);

  linuxCase('RESOLVE_NO_XDEV: no way into or out of another file system', [
    ...TREE,
    [0, 'symlink', '/proc', 'root/proc'],
    ...opens(NEXT, 'sub/file', NO_XDEV),
    ...opens(NEXT, 'up', NO_XDEV),
    ...opens(-EXDEV, '/proc', NO_XDEV),
    ...opens(-EXDEV, '/proc/self/status', NO_XDEV),
    ...opens(-EXDEV, 'proc', NO_XDEV),
    ...opens(-EXDEV, 'proc/none', NO_XDEV),
    [4, 'openat', At.FDCWD, '/proc', DIRECTORY, 0],
    ...opens(5, 'self/status', NO_XDEV, 0, 0, 4),
    ...opens(5, '.', NO_XDEV, 0, 0, 4),
    ...opens(-EXDEV, '..', NO_XDEV, 0, 0, 4),
    ...opens(-EXDEV, 'self/../../tmp', NO_XDEV, 0, 0, 4),
    // Where an absolute path begins is no step.
    ...opens(5, '/', NO_XDEV, 0, 0, 4),
  ]);

  linuxCase('RESOLVE_CACHED: what is known is opened, what would have to be asked for is EAGAIN', [
    ...TREE,
    ...opens(NEXT, 'sub/file', CACHED),
    ...opens(NEXT, 'sub/..', CACHED | BENEATH),
    ...opens(-EAGAIN, 'sub/none', CACHED),
    ...opens(-EAGAIN, 'none/none', CACHED),
    ...opens(-EAGAIN, 'sub/file', CACHED, TRUNC | RDWR),
    ...opens(-EAGAIN, 'sub/file', CACHED, CREAT | RDWR, 0o600),
    ...opens(-EAGAIN, '..', CACHED | BENEATH),
    ...opens(-EXDEV, '/', CACHED | BENEATH),
    ...opens(-EAGAIN, 'sub/file/x', CACHED),
    ...opens(-ENOTDIR, 'sub/file', CACHED, DIRECTORY),
    ...opens(-ELOOP, 'in', CACHED | NO_SYMLINKS),
    ...opens(-ELOOP, 'in', CACHED, NOFOLLOW),
    // To read a link for the first time is to write its time of access, which lies before that of its last change.
    put(A + 0x100, ...long(1), ...long(0), ...long(1), ...long(0)),
    [0, 'utimensat', At.FDCWD, 'root/in', A + 0x100, At.SYMLINK_NOFOLLOW],
    ...opens(-EAGAIN, 'in', CACHED),
    put(A + 0x100, ...long(0), ...long(30e6)),
    [0, 'nanosleep', A + 0x100, 0],
    ...opens(NEXT, 'in', 0),
    ...opens(NEXT, 'in', CACHED),
    ...opens(NEXT, 'up', 0),
    ...opens(-EAGAIN, 'up', CACHED | BENEATH),
    ...opens(NEXT, 'up/root/in', CACHED),
    ...opens(-EXDEV, 'abs', BENEATH),
    ...opens(-EXDEV, 'abs', CACHED | BENEATH),
    ...opens(-EAGAIN, '/proc/self/cwd', CACHED),
    ...opens(-EAGAIN, '/proc', CACHED | NO_XDEV),
    ...opens(-EINVAL, 'sub/file', 0x40),
  ]);
});
