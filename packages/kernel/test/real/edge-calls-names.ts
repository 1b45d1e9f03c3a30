import { LinuxCall as Nr } from '@rpal/uapi';
import { at, buffer, CLOEXEC, directory, fdOf, flags, from, int, mostly, NONBLOCK, option, path, size, user } from './edge-kinds.js';
import { Mode, named, type Signature } from './edge-signatures.js';

const { SCRUB } = Mode;
const mode = mostly(from([0o600, 0o644, 0o755, 0, 0o4711]), int);
const OPEN = [
  0, 1, 2, 3, 0o100, 0o102, 0o300, 0o1002, 0o2001, 0o4000, 0o4_0000, 0o20_0000, 0o40_0000, 0o100_0000, 0o1000_0000, 0o2020_0002,
  0o1020_0000,
];
const AT = [0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000];
const devices = from([0, 0x103, 0x10_3103, -1, 2 ** 32]);
const kinds = mostly(
  from([0o100_644, 0o10_644, 0o140_644, 0o600, 0o20_644, 0o60_644]),
  from([0o40_755, 0o120_777, 0o160_000, -1, 2 ** 32]),
);
const file = fdOf(20, 21, 0);
const EVENTS = [1, 2, 0x100, 0x200, 0xfff, 0x100_0000, 0x200_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/** Calls of @rpal/tmpfs that are about names: 20 is a directory, 21 a file, 22 watches. */
export const nameCalls: readonly Signature[] = [
  named(0, Nr.open, path, flags(...OPEN), mode),
  named(0, Nr.openat, directory, path, flags(...OPEN), mode),
  named(0, Nr.openat2, directory, path, at('how'), from([24, 24, 24, 0, 8, 32, 4096, 4097])),
  named(0, Nr.creat, path, mode),
  named(SCRUB, Nr.stat, path, buffer),
  named(SCRUB, Nr.lstat, path, buffer),
  named(SCRUB, Nr.fstat, file, buffer),
  named(SCRUB, Nr.newfstatat, directory, path, buffer, flags(...AT)),
  named(SCRUB, Nr.statx, directory, path, flags(...AT), flags(0x7ff, 0xfff, 0x1000), buffer),
  named(SCRUB, Nr.statfs, path, buffer),
  named(SCRUB, Nr.fstatfs, file, buffer),
  named(0, Nr.access, path, option(0, 1, 2, 4, 7, 8)),
  named(0, Nr.faccessat, directory, path, option(0, 1, 2, 4, 7, 8)),
  named(0, Nr.faccessat2, directory, path, option(0, 1, 2, 4, 7, 8), flags(...AT)),
  named(0, Nr.truncate, path, from([0, 1, 4096, -1, -(2n ** 63n), 2 ** 40])),
  named(0, Nr.getcwd, buffer, from([0, 1, 2, 4096, -1, 2 ** 32])),
  named(0, Nr.chdir, path),
  named(0, Nr.fchdir, file),
  named(0, Nr.chroot, path),
  named(0, Nr.umask, int),
  named(0, Nr.rename, path, path),
  named(0, Nr.renameat, directory, path, directory, path),
  named(0, Nr.renameat2, directory, path, directory, path, flags(1, 2, 4)),
  named(0, Nr.mkdir, path, mode),
  named(0, Nr.mkdirat, directory, path, mode),
  named(0, Nr.rmdir, path),
  named(0, Nr.unlink, path),
  named(0, Nr.unlinkat, directory, path, flags(...AT)),
  named(0, Nr.link, path, path),
  named(0, Nr.linkat, directory, path, directory, path, flags(...AT)),
  named(0, Nr.symlink, path, path),
  named(0, Nr.symlinkat, path, directory, path),
  named(0, Nr.readlink, path, buffer, size),
  named(0, Nr.readlinkat, directory, path, buffer, size),
  named(0, Nr.mknod, path, kinds, devices),
  named(0, Nr.mknodat, directory, path, kinds, devices),
  named(0, Nr.chmod, path, mode),
  named(0, Nr.fchmod, file, mode),
  named(0, Nr.fchmodat, directory, path, mode),
  named(0, Nr.fchmodat2, directory, path, mode, flags(...AT)),
  named(0, Nr.chown, path, user, user),
  named(0, Nr.lchown, path, user, user),
  named(0, Nr.fchown, file, user, user),
  named(0, Nr.fchownat, directory, path, user, user, flags(...AT)),
  named(0, Nr.utime, path, at('time')),
  named(0, Nr.utimes, path, at('file times')),
  named(0, Nr.futimesat, directory, path, at('file times')),
  named(0, Nr.utimensat, directory, path, at('file times'), flags(...AT)),
  named(SCRUB, Nr.getdents, file, buffer, size),
  named(SCRUB, Nr.getdents64, file, buffer, size),
  named(0, Nr.inotify_init),
  named(0, Nr.inotify_init1, flags(CLOEXEC, NONBLOCK)),
  named(0, Nr.inotify_add_watch, fdOf(22), path, flags(...EVENTS)),
  named(0, Nr.inotify_rm_watch, fdOf(22), int),
];
