/** Flags of open, and of descriptors that other calls make. */
export const OpenFlag = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  ACCMODE: 3,
  CREAT: 0x40,
  EXCL: 0x80,
  NOCTTY: 0x100,
  TRUNC: 0x200,
  APPEND: 0x400,
  NONBLOCK: 0x800,
  DSYNC: 0x1000,
  ASYNC: 0x2000,
  DIRECT: 0x4000,
  LARGEFILE: 0x8000,
  DIRECTORY: 0x1_0000,
  NOFOLLOW: 0x2_0000,
  NOATIME: 0x4_0000,
  CLOEXEC: 0x8_0000,
  SYNC: 0x10_1000,
  PATH: 0x20_0000,
  /** With `DIRECTORY`: a file without a name (O_TMPFILE). */
  TMPFILE: 0x40_0000,
} as const;

/** Where lseek counts from. */
export const Seek = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

/** Flag of splice, tee and vmsplice: do not wait for the pipes. */
export const SPLICE_F_NONBLOCK = 2;
/** All flags of these: MOVE, NONBLOCK, MORE, GIFT. */
export const SPLICE_F_ALL = 0xf;

/** Commands of fcntl. */
export const Fcntl = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  GETLK: 5,
  SETLK: 6,
  SETLKW: 7,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
  DUPFD_CLOEXEC: 1030,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  ADD_SEALS: 1033,
} as const;
export const FD_CLOEXEC = 1;

/** The time of timerfd_settime is a moment, not a duration. */
export const TFD_TIMER_ABSTIME = 1;
/** Flag of timerfd_settime: reads are to fail when the clock is set. */
export const TFD_TIMER_CANCEL_ON_SET = 2;

export const AddressFamily = { UNIX: 1 } as const;
export const SocketType = { STREAM: 1, DGRAM: 2, SEQPACKET: 5, NONBLOCK: 0x800, CLOEXEC: 0x8_0000 } as const;
export const Shutdown = { RD: 0, WR: 1, RDWR: 2 } as const;
export const MessageFlag = {
  OOB: 0x1,
  PEEK: 0x2,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  WAITALL: 0x100,
  NOSIGNAL: 0x4000,
  CMSG_CLOEXEC: 0x4000_0000,
} as const;

/** Options of level SOL_SOCKET. */
export const SocketOption = { TYPE: 3, ERROR: 4, SNDBUF: 7, RCVBUF: 8, PASSCRED: 16 } as const;

/** Event bits of poll and epoll. */
export const Poll = {
  IN: 0x001,
  PRI: 0x002,
  OUT: 0x004,
  ERR: 0x008,
  HUP: 0x010,
  NVAL: 0x020,
  RDNORM: 0x040,
  RDBAND: 0x080,
  WRNORM: 0x100,
  WRBAND: 0x200,
  MSG: 0x400,
  RDHUP: 0x2000,
} as const;

export const Epoll = {
  CTL_ADD: 1,
  CTL_DEL: 2,
  CTL_MOD: 3,
  /** Modifiers of the interest mask. As 32-bit signed numbers, like all masks in the model. */
  EXCLUSIVE: 1 << 28,
  WAKEUP: 1 << 29,
  ONESHOT: 1 << 30,
  ET: 1 << 31,
  CLOEXEC: 0x8_0000,
} as const;

/** ioctl commands of an epoll: set and get its parameters of busy polling. As 32-bit signed numbers. */
export const EpollIoctl = { SPARAMS: 0x4008_8a01, GPARAMS: 0x8008_8a02 | 0 } as const;

/** Size of `struct epoll_event` on x86-64, which is packed: 32-bit events, then 64-bit data. */
export const EPOLL_EVENT_SIZE = 12;
