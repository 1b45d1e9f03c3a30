/** The type of a file in `st_mode`, and its permissions. */
export const FileMode = {
  TYPE: 0o170000,
  SOCKET: 0o140000,
  SYMLINK: 0o120000,
  REGULAR: 0o100000,
  BLOCK: 0o060000,
  DIRECTORY: 0o040000,
  CHARACTER: 0o020000,
  FIFO: 0o010000,
  SETUID: 0o4000,
  SETGID: 0o2000,
  STICKY: 0o1000,
  GROUP_EXECUTE: 0o010,
  ANY_EXECUTE: 0o111,
  /** What chmod may change. */
  PERMISSIONS: 0o7777,
} as const;

/** Descriptor that stands for the working directory, and flags of calls that take a directory and a path. */
export const At = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  /** Of unlinkat. */
  REMOVEDIR: 0x200,
  /** Of faccessat2: the effective user is asked about. */
  EACCESS: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  STATX_SYNC_TYPE: 0x6000,
} as const;

/** What access(2) asks about. */
export const AccessMode = { EXISTS: 0, EXECUTE: 1, WRITE: 2, READ: 4 } as const;

/** How openat2 goes its way (include/uapi/linux/openat2.h). */
export const Resolve = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 0x10, CACHED: 0x20 } as const;

/** Flags of renameat2. */
export const RenameFlag = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;

/** Modes of fallocate. */
export const FallocateMode = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 0x10,
  INSERT_RANGE: 0x20,
  UNSHARE_RANGE: 0x40,
  WRITE_ZEROES: 0x80,
} as const;

/** Locks of fcntl(2): `l_type`; and of flock(2), where `NONBLOCK` is a bit. */
export const FileLock = { RDLCK: 0, WRLCK: 1, UNLCK: 2 } as const;
export const Flock = { SH: 1, EX: 2, NONBLOCK: 4, UN: 8 } as const;

/** Bits of inotify: events, and how to watch. */
export const Inotify = {
  ACCESS: 0x1,
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  CLOSE_NOWRITE: 0x10,
  OPEN: 0x20,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  ALL_EVENTS: 0xfff,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x100_0000,
  DONT_FOLLOW: 0x200_0000,
  EXCL_UNLINK: 0x400_0000,
  MASK_CREATE: 0x1000_0000,
  MASK_ADD: 0x2000_0000,
  ISDIR: 0x4000_0000,
  ONESHOT: 0x8000_0000,
} as const;
