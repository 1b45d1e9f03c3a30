import { At, Fcntl, FileLock, Inotify, OpenFlag, RenameFlag } from '@rpal/uapi';
import { type Draw, stream } from '../../../../scripts/testing/draw.ts';

/** A line for the driver: a call and its arguments. */
export type Line = string;

const PATHS = [
  'a',
  'b',
  'c',
  'a',
  'b',
  'c',
  'a/b',
  'b/a',
  'a/b/c',
  'a/c',
  'b/c',
  'c/a',
  'c/b',
  '/a',
  '/b/c',
  './a',
  'a/.',
  'a/..',
  '../b',
  'a/../b',
  'b/',
  'a/b/',
  'c//a',
  '.',
  '..',
  '/',
];
const ODD_PATHS = ['%', '*255', '*256', '*4095', '*4096', 'a/*', '+2040', '+2047', '+2048', 'a/b/c/a', '/a/', 'none', 'a/none', 'none/a'];
const MODES = ['0644', '0600', '0755', '0777', '0400', '0000', '04755', '02755', '01777', '02775', '06711'];
const SIZES = [0, 1, 10, 100, 4095, 4096, 4097, 5000, 10000, 20000];
const OFFSETS = [0, 1, 10, 4095, 4096, 4097, 8192, 10000, 65536, 1 << 20, 2 ** 40 - 5000];
const OPEN_FLAGS = [
  OpenFlag.CREAT,
  OpenFlag.EXCL,
  OpenFlag.TRUNC,
  OpenFlag.APPEND,
  OpenFlag.DIRECTORY,
  OpenFlag.NOFOLLOW,
  OpenFlag.CREAT,
  OpenFlag.CREAT,
  OpenFlag.PATH,
  OpenFlag.NOATIME,
  OpenFlag.NONBLOCK,
  OpenFlag.CLOEXEC,
  OpenFlag.TMPFILE,
  OpenFlag.SYNC,
  OpenFlag.DIRECT,
];

/** One random call. */
export function randomLine(draw: Draw): Line {
  const one = <T>(values: readonly T[]): T => values[draw(values.length)] as T;
  const path = () => (draw(40) === 0 ? one(ODD_PATHS) : one(PATHS));
  const fd = () => (draw(30) === 0 ? one([-1, 63, 12, At.FDCWD]) : 3 + draw(6));
  const directory = () => (draw(4) > 0 ? At.FDCWD : fd());
  const offset = () => (draw(25) === 0 ? -one([1, 4096]) : one(OFFSETS) + draw(3));
  const size = () => one(SIZES);
  const openFlags = () => {
    let flags = draw(3) + (draw(60) === 0 ? 3 : 0);
    for (let i = draw(4); i > 0; i--) flags |= one(OPEN_FLAGS);
    return flags & (draw(2) === 0 ? ~0 : ~(OpenFlag.PATH | OpenFlag.TMPFILE));
  };
  const id = () => one([-1, 0, 1000, 1001]);
  const watcher = () => (draw(20) === 0 ? fd() : 3);
  const calls: readonly (() => string)[] = [
    () => `open ${path()} ${openFlags() | OpenFlag.CREAT} ${one(MODES)}`,
    () => `open ${path()} ${openFlags()} ${one(MODES)}`,
    () => `open ${path()} ${draw(2) === 0 ? OpenFlag.DIRECTORY : OpenFlag.RDWR} 0`,
    () => `openat ${directory()} ${path()} ${openFlags()} ${one(MODES)}`,
    () => `close ${fd()}`,
    () => `write ${fd()} ${size()} ${draw(256)}`,
    () => `pwrite ${fd()} ${size()} ${draw(256)} ${offset()}`,
    () => `read ${fd()} ${size()}`,
    () => `pread ${fd()} ${size()} ${offset()}`,
    () => `writev ${fd()} ${size()} ${size()} ${draw(256)}`,
    () => `readv ${fd()} ${size()} ${size()}`,
    () => `pwritev ${fd()} ${size()} ${size()} ${draw(256)} ${offset()}`,
    () => `preadv ${fd()} ${size()} ${size()} ${offset()}`,
    () => `lseek ${fd()} ${offset()} ${draw(5) + (draw(50) === 0 ? 5 : 0)}`,
    () => `ftruncate ${fd()} ${offset()}`,
    () => `truncate ${path()} ${offset()}`,
    () => `fallocate ${fd()} ${one([0, 1, 3, 3, 2, 0x10, 8, 0x40, 0x200])} ${offset()} ${one([0, -1, 1, 4096, 5000, 20000])}`,
    () => `mkdir ${directory()} ${path()} ${one(MODES)}`,
    () => `mkdir ${At.FDCWD} ${one(PATHS)} 0755`,
    () => `mknod ${directory()} ${path()} ${one([0o100644, 0o100600, 0o140755, 0o644, 0o040755, 0o120777, 0o020666, 0o170000])} ${draw(3)}`,
    () => `unlink ${directory()} ${path()} ${one([0, 0, 0, At.REMOVEDIR, At.REMOVEDIR, 1])}`,
    () => `link ${directory()} ${path()} ${directory()} ${path()} ${one([0, 0, At.SYMLINK_FOLLOW, At.EMPTY_PATH, 1])}`,
    () => `symlink ${path()} ${directory()} ${path()}`,
    () =>
      `rename ${directory()} ${path()} ${directory()} ${path()} ${one([0, 0, 0, 0, RenameFlag.NOREPLACE, RenameFlag.EXCHANGE, RenameFlag.EXCHANGE | RenameFlag.NOREPLACE, 8])}`,
    () => `readlink ${directory()} ${path()} ${one([0, 1, 100, 100, -1])}`,
    () => `stat ${directory()} ${path()} ${one([0, 0, At.SYMLINK_NOFOLLOW, At.SYMLINK_NOFOLLOW, At.EMPTY_PATH, 1])}`,
    () => `stat ${At.FDCWD} ${one(PATHS)} ${At.SYMLINK_NOFOLLOW}`,
    () => `fstat ${fd()}`,
    () =>
      `access ${directory()} ${path()} ${draw(9)} ${one([At.EACCESS, 0, At.EACCESS | At.SYMLINK_NOFOLLOW, At.EACCESS | At.EMPTY_PATH, 1])}`,
    () => `chmod ${path()} ${one(MODES)}`,
    () => `fchmod ${fd()} ${one(MODES)}`,
    () => `chown ${path()} ${id()} ${id()} ${one([0, 0, At.SYMLINK_NOFOLLOW, 1])}`,
    () =>
      `utimens ${path()} ${one(['-1 0 0 0', '100 5 200 6', `0 ${0x3fff_ffff} 0 ${0x3fff_fffe}`, `5 ${0x3fff_fffe} 7 8`, '1 1000000000 1 1', `0 ${0x3fff_fffe} 0 ${0x3fff_fffe}`])}`,
    () => `chdir ${path()}`,
    () => `chdir /`,
    () => `fchdir ${fd()}`,
    () => `getcwd ${one([0, 1, 2, 100, 100, 100])}`,
    () => `umask ${one(['0', '022', '077', '027'])}`,
    () => `list ${fd()}`,
    () => `dup ${fd()}`,
    () => `dup2 ${fd()} ${3 + draw(8)}`,
    () => `fcntl ${fd()} ${one([Fcntl.GETFL, Fcntl.GETFD])} 0`,
    () =>
      `lock ${fd()} ${one([Fcntl.GETLK, Fcntl.SETLK, Fcntl.OFD_GETLK, Fcntl.OFD_SETLK])} ${one([FileLock.RDLCK, FileLock.WRLCK, FileLock.UNLCK, 3])} ${draw(4)} ${draw(6) === 0 ? -draw(20) : draw(20)} ${draw(6) === 0 ? -draw(20) : draw(20)}`,
    () => `flock ${fd()} ${one([1 | 4, 2 | 4, 8, 0, 3])}`,
    () => `fsync ${fd()}`,
    () => 'inotify',
    () =>
      `watch ${watcher()} ${path()} ${one([Inotify.ALL_EVENTS, Inotify.ALL_EVENTS, Inotify.ALL_EVENTS, Inotify.ALL_EVENTS | Inotify.ONLYDIR | Inotify.DONT_FOLLOW, Inotify.MODIFY | Inotify.MASK_ADD, Inotify.CREATE | Inotify.MASK_CREATE, Inotify.ALL_EVENTS | Inotify.EXCL_UNLINK, Inotify.ALL_EVENTS | Inotify.ONESHOT, 0])}`,
    () => `unwatch ${watcher()} ${1 + draw(3)}`,
    () => `events ${watcher()}`,
    () => `events ${watcher()}`,
    () => `user ${one(['0 0', '0 0', '1000 1000', '1001 1000', '1001 1001'])}`,
  ];
  return one(calls)();
}

/** A random program. Half of them begin with an inotify file that watches what they are about to do. */
export function randomProgram(seed: number, length: number): readonly Line[] {
  const draw = stream(seed);
  const watching =
    seed % 2 === 0 ? ['inotify', `watch 3 / ${Inotify.ALL_EVENTS}`, 'mkdir -100 /a 0755', `watch 3 /a ${Inotify.ALL_EVENTS}`] : [];
  return [...watching, ...Array.from({ length }, () => randomLine(draw)), ...(watching.length > 0 ? ['events 3'] : [])];
}
