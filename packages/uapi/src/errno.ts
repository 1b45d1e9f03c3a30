/** Error numbers of Linux (include/uapi/asm-generic/errno*.h). System calls return them negated. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENOMSG: 42,
  EIDRM: 43,
  ENODATA: 61,
  EBADFD: 77,
  EPROTO: 71,
  EOVERFLOW: 75,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETOOMANYREFS: 109,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  ECONNRESET: 104,
  EALREADY: 114,
  EINPROGRESS: 115,
  /** These are never seen by user programs: restart the call, or return EINTR, as the signal's action says; */
  ERESTARTSYS: 512,
  /** restart it in any case; */
  ERESTARTNOINTR: 513,
  /** restart it if no handler runs; */
  ERESTARTNOHAND: 514,
  /** go on with it, in a way of its own, if no handler runs. */
  ERESTART_RESTARTBLOCK: 516,
} as const;

/** Made when a name is first asked for: a program that asks for none need not carry them. */
let names: ReadonlyMap<number, string> | undefined;

/** `EAGAIN` for -11 or 11; `errno 200` for a number without a name. */
export function errnoName(result: number): string {
  names ??= new Map(Object.entries(Errno).map(([name, number]) => [number, name]));
  return names.get(Math.abs(result)) ?? `errno ${Math.abs(result)}`;
}
