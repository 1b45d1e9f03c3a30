import { LinuxCall as Nr } from '@rpal/uapi';
import type { Draw } from '../../../../scripts/testing/draw.ts';

/** Ids that are known at run time only: registers say `v0` to `v6`. The same numbers as in the driver (`enum value`). */
export const Id = { SELF: 0, LIVING: 1, DEAD: 2, OTHER_THREAD: 3, GONE: 4, SHM: 5, PARENT: 6 } as const;
/** What a case needs beside its process: bits, as in the driver (`enum helper`). */
export const Helper = { CHILD: 1, ZOMBIE: 2, THREAD: 4, REAPED: 8, SEGMENT: 16 } as const;
/** How an outcome is compared: what the result is does not matter if it is not an error; what is in memory does not matter. */
export const Mode = { OPAQUE: 1, SCRUB: 2 } as const;

const HELPER_OF: Readonly<Record<number, number>> = {
  [Id.LIVING]: Helper.CHILD,
  [Id.DEAD]: Helper.ZOMBIE,
  [Id.OTHER_THREAD]: Helper.THREAD,
  [Id.GONE]: Helper.REAPED,
  [Id.SHM]: Helper.SEGMENT,
};

/** A register: a number, or an id by name. */
export type Register = bigint | `v${number}`;

export interface EdgeCall {
  readonly mode: number;
  readonly nr: number;
  readonly registers: readonly Register[];
}

export interface EdgeCase {
  readonly helpers: number;
  readonly calls: readonly EdgeCall[];
}

export function lineOf({ helpers, calls }: EdgeCase): string {
  return [helpers, ...calls.map(({ mode, nr, registers }) => [mode, nr, ...registers].join(' '))].join(' ');
}

/** The case of calls that are written down as in a program. */
export function edgeCase(...calls: readonly (readonly [nr: number, ...registers: (number | bigint | `v${number}`)[]])[]): EdgeCase {
  let helpers = 0;
  const made = calls.map(([nr, ...given]): EdgeCall => {
    const registers = Array.from({ length: 6 }, (_, i): Register => {
      const value = given[i] ?? 0;
      return typeof value === 'string' ? value : BigInt(value);
    });
    for (const register of registers) if (typeof register === 'string') helpers |= HELPER_OF[Number(register.slice(1))] ?? 0;
    return { mode: MODES.get(nr) ?? 0, nr, registers };
  });
  return { helpers, calls: made };
}

/** Where the memory of a case is: the same addresses on both sides. */
export const BASE = 0x10_0000_0000;
/** Two pages that may be written, and two that are not there behind them. */
export const B: number = BASE;
/** Two pages each that may only be read, not accessed at all, are not there, are shared, hold `TEMPLATE`. */
export const R: number = BASE + 0x1_0000;
export const N: number = BASE + 0x2_0000;
export const U: number = BASE + 0x3_0000;
export const S: number = BASE + 0x4_0000;
export const T: number = BASE + 0x5_0000;
/** The first address that is not a user's (TASK_SIZE_MAX). */
export const END = 0x7fff_ffff_f000;
const PAGE = 4096;

/** Structures at fixed places: by kind the addresses of those that make sense, or just do not. */
export const TEMPLATE: DataView = new DataView(new ArrayBuffer(2 * PAGE));
const placed = new Map<string, number[]>();
let next = 0;

function place(kind: string, bytes: number, fill: (at: number) => void): number {
  const at = next;
  next += Math.ceil(bytes / 8) * 8;
  if (next > 2 * PAGE - 512) throw new RangeError('the template is full');
  fill(at);
  placed.set(kind, [...(placed.get(kind) ?? []), T + at]);
  return T + at;
}
const longs = (kind: string, ...values: (number | bigint)[]): number =>
  place(kind, 8 * values.length, (at) => {
    for (const [i, value] of values.entries()) TEMPLATE.setBigInt64(at + 8 * i, BigInt.asIntN(64, BigInt(value)), true);
  });
const ints = (kind: string, ...values: number[]): number =>
  place(kind, 4 * values.length, (at) => {
    for (const [i, value] of values.entries()) TEMPLATE.setInt32(at + 4 * i, value, true);
  });
const text = (kind: string, value: string): number =>
  place(kind, value.length + 1, (at) => {
    for (let i = 0; i < value.length; i++) TEMPLATE.setUint8(at + i, value.charCodeAt(i));
  });

const HUGE = 2n ** 63n - 1024n;
// Times: none, short, long, wrong.
for (const time of [
  [0, 0],
  [0, 1000],
  [0, 99_999],
  [4_000_000_000, 5],
  [-1, 0],
  [0, -1],
  [0, 1_000_000],
  [0, 1_000_000_000],
  [HUGE, 0],
  [2n ** 62n, 999_999],
] as const)
  longs('time', ...time);
for (const interval of [
  [0, 0, 0, 0],
  [0, 0, 0, 1000],
  [0, 1000, 4_000_000_000, 0],
  [-1, 0, 0, 1],
  [0, 1_000_000_000, 0, 1],
  [0, 0, 0, -1],
  [0, 0, HUGE, 0],
] as const)
  longs('interval', ...interval);
for (const set of [0n, 1n << 9n, 1n << 8n, -1n, 1n << 63n, 1n << 16n]) longs('sigset', set);
for (const [address, length] of [
  [B, 10],
  [B + 4090, 100],
  [U, 10],
  [R, 8],
  [B, -1],
  [B, 0],
  [-4096, 8],
] as const)
  longs('iov', address, length, B + 100, 20, U, 5);
longs('iov', B, 2n ** 62n, B, 2n ** 62n);
longs('iov', B, 8, 0, 0, B + 8, 8, END, 1);
const iovs = placed.get('iov') as number[];
// sigaction: handler, flags, restorer, mask.
for (const [handler, flags] of [
  [0, 0],
  [1, 0],
  [0, 0x0400_0000],
  [1, 2],
  [0, 0x8000_0000],
] as const)
  longs('action', handler, flags, 0, 0);
const name = (family: number, path: string): number =>
  place('name', 112, (at) => {
    TEMPLATE.setUint16(at, family, true);
    for (let i = 0; i < path.length; i++) TEMPLATE.setUint8(at + 2 + i, path.charCodeAt(i));
  });
const names = [name(1, '\0edge'), name(1, '\0other'), name(2, '\0edge'), name(1, '')];
// msghdr: name, its length, segments, how many, control, its length, flags.
for (const [at, bytes, iov, count, control, controlBytes] of [
  [0, 0, iovs[0], 1, 0, 0],
  [0, 0, iovs[0], 2, 0, 0],
  [0, 0, iovs[2], 1, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [0, 0, iovs[0], 1025, 0, 0],
  [0, 0, iovs[0], -1, 0, 0],
  [names[0], 7, iovs[0], 1, 0, 0],
  [names[1], 8, iovs[0], 1, 0, 0],
  [names[0], -1, iovs[0], 1, 0, 0],
  [0, 0, iovs[0], 1, B, 16],
  [0, 0, iovs[0], 1, U, 24],
  [0, 0, iovs[0], 1, B + 512, -1],
  [0, 0, iovs[0], 1, B + 512, HUGE],
  [0, 0, iovs[4], 1, 0, 0],
] as const)
  longs('message', at ?? 0, bytes, iov ?? 0, count, control, controlBytes, 0);
const rights = ints('control', 20, 0, 1, 1, 9, 0);
longs('message', 0, 0, iovs[0] ?? 0, 1, rights, 24, 0);
const badRights = ints('control', 20, 0, 1, 1, 30, 0);
longs('message', 0, 0, iovs[0] ?? 0, 1, badRights, 24, 0);
const wrongLevel = ints('control', 20, 0, 2, 1, 9, 0);
longs('message', 0, 0, iovs[0] ?? 0, 1, wrongLevel, 24, 0);
const short = ints('control', 15, 0, 1, 1, 9, 0);
longs('message', 0, 0, iovs[0] ?? 0, 1, short, 24, 0);
for (const event of [
  [1, 0x1234, 0x5678],
  [1 | (1 << 31), -1, -1],
  [(1 << 28) | 1, 5, 0],
  [(1 << 28) | 2, 5, 0],
  [0, 0, 0],
  [1 << 30, 1, 0],
] as const)
  ints('event', ...event);
const pollfds = (...fds: number[]): number => ints('pollfd', ...fds.flatMap((fd) => [fd, 5]));
pollfds(1, 3, -1);
pollfds(30, 9, 17);
pollfds(-5, 64, 19);
longs('bits', 0b10, 0);
longs('bits', 0, 0);
longs('bits', (1n << 30n) | 2n, 0);
longs('bits', 1n << 18n, 0);
// mq_attr: flags, messages, size, present.
longs('attributes', 0, 3, 32, 0);
longs('attributes', 0, 0, 32, 0);
longs('attributes', 0, 3, -1, 0);
longs('attributes', 0, 100_000, 32, 0);
longs('attributes', 0, 10, 8192, 0);
// sigevent: value, signal, how.
for (const [signal, how] of [
  [10, 0],
  [0, 0],
  [65, 0],
  [-1, 0],
  [10, 1],
  [10, 77],
] as const)
  place('sigevent', 64, (at) => {
    TEMPLATE.setBigInt64(at, 7n, true);
    TEMPLATE.setInt32(at + 8, signal, true);
    TEMPLATE.setInt32(at + 12, how, true);
  });
// siginfo: signal, errno, code, padding, who, value.
for (const code of [-1, 0, -6, -60, 1]) ints('siginfo', 10, 0, code, 0, 1, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0);
for (const word of [0, 1, 10, 99, 100, -1, 20, 0x7fff_ffff]) ints('word', word);
longs('limit', 10, 64);
longs('limit', 64, 10);
longs('limit', 20, 50);
longs('limit', 64, 64);
longs('limit', 0, 0);
for (const path of ['', '/none', '/none/x', 'edge', '/dev/shm/edge', 'x'.repeat(256)]) text('path', path);
/** A string without an end, up to the end of the pages. */
TEMPLATE.setUint32(2 * PAGE - 4, 0x61616161);
placed.get('path')?.push(T + 2 * PAGE - 4);
for (let at = 2 * PAGE - 500; at < 2 * PAGE - 4; at++) TEMPLATE.setUint8(at, 0x62);
placed.get('path')?.push(T + 2 * PAGE - 500);

const ADDRESSES = [0, 1, 8, B, B + 1, B + 4090, B + 8190, B + 8191, B + 8192, R, R + 4095, N, U, S, END - 8, END - 1, END, END + 1, 2 ** 47]
  .map(BigInt)
  .concat([2n ** 62n, 2n ** 48n, -(2n ** 47n), -4096n, -8n, -1n, -(2n ** 63n)]);
const PAGES = [0, B, B + PAGE, B + 2 * PAGE, R, N, U, S, B + 1, END - PAGE, END, 2 ** 47].map(BigInt).concat([-4096n, -(2n ** 63n), -1n]);
const SIZES = [0, 1, 2, 3, 4, 8, 16, 100, 4095, 4096, 4097, 8192, 2 ** 31 - 1, 2 ** 31, 2 ** 31 - 4096, 2 ** 32 - 1, 2 ** 32, 2 ** 47]
  .map(BigInt)
  .concat([2n ** 62n, HUGE, -(2n ** 63n), -8192n, -4096n, -4095n, -1n]);
/** Lengths of memory: none that reaches from the pages of a case to the rest of the process. */
const SPANS = [0, 1, 4095, 4096, 4097, 8192, 12_288, 2 ** 47]
  .map(BigInt)
  .concat([2n ** 62n, HUGE, -(2n ** 63n), -8192n, -4096n, -4095n, -1n]);
const INTS = [0, 1, 2, 3, 7, 8, 16, 63, 64, 65, 100, 1023, 1024, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]
  .map(BigInt)
  .concat([-1n, -2n, -(2n ** 31n), -(2n ** 31n) - 1n, HUGE, -(2n ** 63n)]);
const FDS = [30, 63, 64, 1000, -1, -100, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 3, 2 ** 32 - 1].map(BigInt).concat([-(2n ** 63n), HUGE]);
const OFFSETS = [0, 1, 4096, 8191, 12_288, 12_289, 2 ** 31, 2 ** 32, 2 ** 40].map(BigInt).concat([HUGE, -1n, -4096n, -(2n ** 63n)]);

/** Something that a register may hold. */
type Kind = (draw: Draw) => Register;

const from =
  (values: readonly (number | bigint)[]): Kind =>
  (draw) =>
    BigInt(values[draw(values.length)] as number | bigint);
/** Mostly `usual`, sometimes at the edge. */
const mostly =
  (usual: Kind, edge: Kind): Kind =>
  (draw) =>
    draw(3) > 0 ? usual(draw) : edge(draw);

const int = from(INTS);
const fd = mostly(from(Array.from({ length: 20 }, (_, i) => i)), from(FDS));
const fdOf = (...fds: number[]): Kind => mostly(from(fds), fd);
const buffer = mostly(from([B, B + 8, B + 4090, S, R]), from(ADDRESSES));
const size = mostly(from([0, 1, 8, 20, 100, 4096]), from(SIZES));
/** Structures that lie where they should, or not in memory at all. */
const aligned =
  (kind: Kind): Kind =>
  (draw) => {
    const register = kind(draw);
    return typeof register === 'bigint' ? register - (((register % 8n) + 8n) % 8n) : register;
  };
const at = (kind: string): Kind => mostly(from(placed.get(kind) as number[]), from(ADDRESSES));
const page = from(PAGES);
const span = mostly(from([4096, 8192, 1]), from(SPANS));
const signal = mostly(from([0, 1, 9, 10, 12, 15, 17, 18, 19, 34, 64]), from([-1, 32, 65, 66, 2 ** 31, 2 ** 32 + 10, 1000]));
const pid: Kind = (draw) => (draw(3) > 0 ? `v${[Id.SELF, Id.LIVING, Id.DEAD, Id.OTHER_THREAD, Id.GONE][draw(5)] ?? 0}` : pids(draw));
const pids = from([0, 4_000_000, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 + 4_000_000, -4_000_000]);
const pidOrGroup = pid;
const offset = from(OFFSETS);
const zero = from([0]);
const option = (...values: number[]): Kind => mostly(from(values), int);
/** Bits: those that are known, alone and in pairs, and any one. */
const flags =
  (...known: number[]): Kind =>
  (draw) => {
    const one = () => BigInt(known[draw(known.length)] ?? 0);
    switch (draw(6)) {
      case 0:
        return 0n;
      case 1:
        return one() | one();
      case 2:
        return 1n << BigInt(draw(34));
      case 3:
        return from([-1, 2 ** 32, 2 ** 31])(draw);
      default:
        return one();
    }
  };

/** Unix sockets, and numbers that no family has. */
const families = from([1, 1, 1, 1, 0, 45, 46, 100, -1, 2 ** 31 - 1, 2 ** 32 + 1]);

const CLOEXEC = 0o2000000;
const NONBLOCK = 0o4000;

interface Signature {
  readonly nr: number;
  readonly mode: number;
  readonly arguments: readonly Kind[];
}
const signatures: Signature[] = [];
const MODES = new Map<number, number>();
function call(nr: number, ...kinds: readonly Kind[]): void {
  signatures.push({ nr, mode: 0, arguments: kinds });
}
function opaque(mode: number, nr: number, ...kinds: readonly Kind[]): void {
  signatures.push({ nr, mode, arguments: kinds });
  MODES.set(nr, mode);
}

call(Nr.read, fd, buffer, size);
call(Nr.write, fd, buffer, size);
call(Nr.open, at('path'), flags(0, 1, 2, 0o100, 0o200), int);
call(Nr.openat, int, at('path'), flags(0, 1, 2, 0o100, 0o200), int);
call(Nr.close, fd);
call(Nr.poll, aligned(at('pollfd')), option(0, 1, 3, 64, 65), from([0, 1, -1, 2 ** 31 - 1, 2 ** 32, 2 ** 32 - 1]));
call(Nr.lseek, fdOf(0), offset, option(0, 1, 2, 3, 4, 5));
opaque(
  Mode.OPAQUE,
  Nr.mmap,
  page,
  span,
  from([0, 1, 2, 3, 3, 3, 8]),
  flags(0x21, 0x22, 0x23, 0x32, 0x100022, 1, 2, 3),
  fdOf(0, 9, 1, -1),
  offset,
);
call(Nr.mprotect, page, span, flags(0, 1, 2, 3, 4, 0x0100_0000));
call(Nr.munmap, page, span);
opaque(Mode.OPAQUE, Nr.brk, page);
call(Nr.rt_sigaction, signal, at('action'), buffer, from([8, 8, 8, 0, 16, -1]));
call(Nr.rt_sigprocmask, option(0, 1, 2, 3), at('sigset'), buffer, from([8, 8, 8, 0, 16, -1]));
call(Nr.ioctl, fd, option(0x541b, 0x5421, 0x5451, 0x5450, 0x5411, 0x5401), buffer);
call(Nr.pread64, fdOf(0), buffer, size, offset);
call(Nr.pwrite64, fdOf(0), buffer, from([0, 1, 100, 4096, -1]), from([0, 1, 4096, 8191, -1, 2n ** 63n - 1024n, -(2n ** 63n)]));
call(Nr.readv, fd, at('iov'), option(0, 1, 2, 3, 1024, 1025));
call(Nr.writev, fd, at('iov'), option(0, 1, 2, 3, 1024, 1025));
opaque(Mode.SCRUB, Nr.select, option(0, 1, 2, 20, 32), aligned(at('bits')), aligned(at('bits')), zero, at('time'));
call(Nr.sched_yield);
opaque(Mode.OPAQUE, Nr.mremap, page, span, span, flags(0, 1, 3, 5, 7), page);
call(
  Nr.madvise,
  page,
  from([0, 1, 4096, 8192, 12_288, 2n ** 47n, -1n]),
  from([4, 10, 11, 14, 15, 22, 23, -1, 5, 100, 2 ** 31 - 1, 2 ** 32 + 4]),
);
opaque(Mode.OPAQUE, Nr.shmget, option(0, 5), size, flags(0o600, 0o1600, 0o3600));
opaque(Mode.OPAQUE, Nr.shmat, () => 'v5', page, flags(0, 0o10000, 0o20000, 0o40000));
call(Nr.shmdt, page);
opaque(Mode.OPAQUE | Mode.SCRUB, Nr.shmctl, (draw) => (draw(3) > 0 ? 'v5' : int(draw)), option(0, 2, 11, 12, 3, 4), buffer);
call(Nr.dup, fd);
call(Nr.dup2, fd, fd);
call(Nr.dup3, fd, fd, flags(CLOEXEC));
call(Nr.pause);
opaque(Mode.SCRUB, Nr.nanosleep, at('time'), buffer);
opaque(Mode.OPAQUE, Nr.getpid);
opaque(Mode.OPAQUE, Nr.gettid);
call(Nr.getuid);
opaque(Mode.OPAQUE, Nr.getppid);
call(Nr.socket, families, flags(1, 2, 5, 3, NONBLOCK, CLOEXEC), option(0, 1));
call(Nr.socketpair, families, flags(1, 2, 5, 3, NONBLOCK, CLOEXEC), option(0, 1), buffer);
call(Nr.connect, fdOf(8, 3, 5, 7), at('name'), from([7, 8, 2, 0, 1, 110, 111, -1, 3]));
call(Nr.bind, fdOf(8, 3, 5, 7), at('name'), from([7, 8, 2, 0, 1, 110, 111, -1, 3]));
call(Nr.listen, fdOf(8, 7, 3, 5, 15), int);
call(Nr.accept, fdOf(7, 8, 3, 5), buffer, at('word'));
call(Nr.accept4, fdOf(7, 8, 3, 5), buffer, at('word'), flags(CLOEXEC, NONBLOCK));
const MSG = [1, 2, 4, 0x10, 0x20, 0x40, 0x80, 0x100, 0x4000, 0x8000, 0x40000000];
call(Nr.sendto, fdOf(3, 4, 5, 6, 8, 15), buffer, size, flags(...MSG), at('name'), from([0, 7, 8, 110, 111, -1]));
call(Nr.recvfrom, fdOf(3, 4, 5, 6, 8, 15), buffer, size, flags(...MSG), buffer, at('word'));
call(Nr.sendmsg, fdOf(3, 4, 5, 6, 8, 15), at('message'), flags(...MSG));
call(Nr.recvmsg, fdOf(3, 4, 5, 6, 8, 15), at('message'), flags(...MSG));
call(Nr.shutdown, fdOf(3, 4, 5, 8, 7), option(0, 1, 2));
call(Nr.setsockopt, fdOf(3, 5, 8), option(1), from([7, 8, 16, 16, 1000, -1, 2 ** 32 + 16]), at('word'), option(0, 3, 4, 8));
call(Nr.getsockopt, fdOf(3, 5, 8, 7), option(1), option(3, 4, 16), buffer, at('word'));
opaque(Mode.OPAQUE | Mode.SCRUB, Nr.fork);
call(Nr.execve, at('path'), zero, zero);
call(Nr.exit, int);
call(Nr.exit_group, int);
opaque(Mode.OPAQUE, Nr.wait4, pidOrGroup, buffer, flags(1, 2, 8, 1, 1), zero);
call(Nr.kill, pidOrGroup, signal);
call(Nr.tgkill, pid, pid, signal);
call(Nr.fcntl, fd, option(0, 1, 2, 3, 4, 1030, 1031, 1032), option(0, 1, 10, 30, 63, 64, 0o4000, 0o40000, 4096));
opaque(Mode.SCRUB, Nr.getrusage, option(0, 1, -1), buffer);
call(Nr.ftruncate, from([0, 0, 1, 3, 9, 30, -1, 2 ** 31]), from([0, 1, 4096, 2 ** 40, -1, -(2n ** 63n)]));
call(Nr.unlink, at('path'));
call(Nr.setuid, from([0, 1000, -1, 2 ** 32 - 1, 2 ** 32]));
call(Nr.getpriority, option(0, 1, 2), pid);
call(Nr.setpriority, option(0), pid, from([0, 5, 19, 20, -20, -21, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 + 3]));
call(Nr.sched_setscheduler, pid, option(0, 1, 2, 3, 5, 0x4000_0000), at('word'));
call(Nr.sched_getscheduler, pid);
call(Nr.sched_get_priority_max, option(0, 1, 2, 3, 5, 6));
call(Nr.sched_get_priority_min, option(0, 1, 2, 3, 5, 6));
opaque(Mode.SCRUB, Nr.sched_rr_get_interval, pid, buffer);
call(Nr.rt_sigpending, buffer, from([8, 8, 0, 4, 9, -1]));
opaque(Mode.SCRUB, Nr.rt_sigtimedwait, at('sigset'), buffer, at('time'), from([8, 8, 8, 0, 16]));
call(Nr.rt_sigqueueinfo, pid, signal, at('siginfo'));
call(Nr.rt_sigsuspend, at('sigset'), from([8, 8, 0, 16]));
call(Nr.mlock, page, span);
call(Nr.munlock, page, span);
call(Nr.prctl, from([29, 30, 1_000_000, -1, 2 ** 32 + 30]), from([0, 1, 50_000]), zero, zero, zero);
opaque(Mode.SCRUB, Nr.arch_prctl, option(0x1003), buffer);
const FUTEX = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x100, 0x101, 0x109, 0x189];
opaque(Mode.SCRUB, Nr.futex, mostly(from([B, S, R, B + 4]), from(ADDRESSES)), option(...FUTEX), int, at('time'), buffer, int);
opaque(0, Nr.sched_setaffinity, pid, from([0, 1, 8, 128, -1]), at('bits'));
opaque(Mode.OPAQUE | Mode.SCRUB, Nr.sched_getaffinity, pid, from([0, 1, 7, 8, 16, 128, -1]), buffer);
call(Nr.epoll_wait, fdOf(11), buffer, option(0, 1, 10, -1, 178_956_970, 178_956_971), from([0, 1, -1, 2 ** 32, 2 ** 31]));
call(Nr.epoll_ctl, fdOf(11), option(1, 2, 3), fd, at('event'));
opaque(Mode.OPAQUE, Nr.mq_open, at('path'), flags(0, 1, 2, 0o100, 0o300, NONBLOCK), from([0o600]), at('attributes'));
call(Nr.mq_unlink, at('path'));
call(Nr.mq_timedsend, fdOf(13), buffer, size, from([0, 1, 32_767, 32_768, -1, 2 ** 32]), at('time'));
call(Nr.mq_timedreceive, fdOf(13), buffer, size, buffer, at('time'));
call(Nr.mq_notify, fdOf(13), at('sigevent'));
opaque(Mode.SCRUB, Nr.ppoll, aligned(at('pollfd')), option(0, 1, 3, 64, 65), at('time'), at('sigset'), from([8, 8, 0, 16]));
const splices = fdOf(0, 1, 2, 3, 4, 17, 18);
call(Nr.splice, splices, from([0, 0, B, U]), splices, from([0, 0, B, U]), size, flags(1, 2, 4, 8));
call(Nr.tee, splices, splices, size, flags(1, 2, 4, 8));
call(Nr.vmsplice, fdOf(2, 18, 1), at('iov'), option(0, 1, 2), flags(1, 2, 4, 8));
call(Nr.timerfd_create, option(0, 1, 7, 8, 9), flags(CLOEXEC, NONBLOCK));
opaque(Mode.SCRUB, Nr.timerfd_settime, fdOf(10), flags(0, 1, 2), at('interval'), buffer);
opaque(Mode.SCRUB, Nr.timerfd_gettime, fdOf(10), buffer);
call(Nr.signalfd4, fdOf(-1, 12), at('sigset'), from([8, 8, 0, 16]), flags(CLOEXEC, NONBLOCK));
call(Nr.eventfd2, int, flags(1, CLOEXEC, NONBLOCK));
call(Nr.epoll_create1, flags(CLOEXEC));
call(Nr.pipe2, buffer, from([0, CLOEXEC, NONBLOCK, 0o40000, CLOEXEC | NONBLOCK, 1, 1 << 25, 2 ** 32]));
opaque(Mode.SCRUB, Nr.prlimit64, pid, option(7, 11, 16), at('limit'), buffer);
call(Nr.process_vm_readv, pid, at('iov'), option(0, 1, 2, 1025), at('iov'), option(0, 1, 2, 1025), from([0, 0, 1]));
call(Nr.process_vm_writev, pid, at('iov'), option(0, 1, 2, 1025), at('iov'), option(0, 1, 2, 1025), from([0, 0, 1]));
call(Nr.memfd_create, at('path'), from([0, 1, 1, 1 << 8, 1 << 20, -1]));
call(Nr.pkey_mprotect, page, span, flags(0, 1, 2, 3), from([-1, 0, 1, 16]));
call(Nr.pkey_alloc, flags(0), flags(1, 2, 4));
call(Nr.pkey_free, int);
call(Nr.pidfd_send_signal, fdOf(14), signal, zero, from([0, 0, 1, 16]));
call(Nr.pidfd_open, pid, flags(0, NONBLOCK));
call(Nr.epoll_pwait2, fdOf(11), buffer, option(0, 1, 10, -1), at('time'), at('sigset'), from([8, 8, 0, 16]));

/** The calls that are drawn. */
export const DRAWN: ReadonlySet<number> = new Set(signatures.map(({ nr }) => nr));

/** A case of so many calls. @param only the numbers of the calls to draw from; all if absent */
export function randomCase(draw: Draw, length: number, only?: ReadonlySet<number>): EdgeCase {
  const choice = only === undefined ? signatures : signatures.filter(({ nr }) => only.has(nr));
  return edgeCase(
    ...Array.from({ length }, () => {
      const { nr, arguments: kinds } = choice[draw(choice.length)] as Signature;
      return [nr, ...kinds.map((kind) => kind(draw))] as const;
    }),
  );
}
