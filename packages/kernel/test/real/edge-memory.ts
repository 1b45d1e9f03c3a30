/** Where the memory of a case is, the same addresses on both sides, and the structures that lie in it. */
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
export const PAGE = 4096;

/** Structures at fixed places: by kind the addresses of those that make sense, or just do not. */
export const TEMPLATE: DataView = new DataView(new ArrayBuffer(2 * PAGE));
const found = new Map<string, number[]>();

/** Addresses of the structures of a kind. */
export function placed(kind: string): readonly number[] {
  const list = found.get(kind);
  if (list === undefined) throw new RangeError(`there are no structures of kind ${kind}`);
  return list;
}

let next = 0;

function place(kind: string, bytes: number, fill: (at: number) => void): number {
  const at = next;
  next += Math.ceil(bytes / 8) * 8;
  if (next > 2 * PAGE - 512) throw new RangeError('the template is full');
  fill(at);
  found.set(kind, [...(found.get(kind) ?? []), T + at]);
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

export const HUGE = 2n ** 63n - 1024n;
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
const iovs = placed('iov');
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
for (const path of [
  '.',
  '..',
  '/',
  '/dev/',
  'file',
  '/link',
  '/dangling',
  'loop',
  '/dir',
  'dir/inner',
  'dir/',
  'file/x',
  'fifo',
  'link/',
  'new',
  '/dir/new',
])
  text('path', path);
const shorts = (kind: string, ...values: number[]): number =>
  place(kind, 2 * values.length, (at) => {
    for (const [i, value] of values.entries()) TEMPLATE.setInt16(at + 2 * i, value, true);
  });
// sembuf: number, operation, flags (IPC_NOWAIT).
for (const [number, operation, flags] of [
  [0, 1, 0],
  [0, -1, 0x800],
  [9, 1, 0],
  [1, 32_767, 0x1000],
] as const)
  shorts('semaphores', number, operation, flags, 0, 0, 0x800);
for (const type of [1, 0, -1]) longs('letter', type, 0x6162_6364);
// Interval timers of setitimer: nothing that expires within a case.
for (const interval of [
  [0, 0, 0, 0],
  [0, 1000, 4_000_000_000, 0],
  [-1, 0, 0, 1],
  [0, 1_000_000, 1000, 1],
  [0, 0, 0, -1],
  [0, 0, HUGE, 0],
] as const)
  longs('long interval', ...interval);
// Two times of a file: UTIME_NOW and UTIME_OMIT among them.
for (const times of [
  [1000, 5, 2000, 6],
  [1, 0x3fff_ffff, 1, 0x3fff_fffe],
  [1, 1_000_000_000, 1, 0],
  [1, 5, 1, -1],
  [-5, 1, -6, 999_999],
] as const)
  longs('file times', ...times);
longs('mask argument', T + 8, 8);
longs('mask argument', 0, 8);
longs('mask argument', U, 8);
longs('mask argument', T + 8, 16);
// clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup. All are refused.
for (const wrong of [
  [0x800, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 17, B, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 17, 0, 0, 0, U, 1, 0],
  [0, 0, 0, 0, 17, 0, 0, 0, B, 33, 0],
  [2n ** 40n, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0],
] as const)
  longs('clone', ...wrong);
// open_how: flags, mode, resolve.
for (const how of [
  [0, 0, 0],
  [2, 0, 0],
  [0o100, 0o600, 0],
  [0o100, 0o2_00000, 0],
  [0, 0o600, 0],
  [2n ** 40n, 0, 0],
  [0, 0, 8],
  [0, 0, 4],
  [0, 0, 0x40],
  [0, 0, 0x18],
  [0o20000000, 0, 0],
] as const)
  longs('how', ...how);
// sched_attr: size, policy, flags, nice, priority, runtime, deadline, period.
for (const [size, policy, flags, nice, priority, runtime] of [
  [48, 0, 0, 5, 0, 0],
  [48, 1, 0, 0, 10, 0],
  [48, 1, 0, 0, 0, 0],
  [48, 0, 0, -21, 0, 0],
  [48, 0, 0, 0, 3, 0],
  [48, 0, 1 << 10, 0, 0, 0],
  [48, 6, 0, 0, 0, 0],
  [0, 3, 0, 19, 0, 0],
  [47, 0, 0, 0, 0, 0],
  [4097, 0, 0, 0, 0, 0],
] as const)
  place('scheduling', 56, (at) => {
    for (const [i, value] of [size, policy, flags, 0, nice, priority, runtime, 0, runtime, 0, runtime, 0].entries())
      TEMPLATE.setInt32(at + 4 * i, value, true);
  });
// futex_waitv, two of them: value, address, flags, reserved.
for (const [value, address, flags] of [
  [0x160f_0801, B, 2],
  [5, B, 0x82],
  [5, B + 1, 2],
  [5, U, 2],
  [5, B, 0],
  [5, B, 0x42],
  [2n ** 32n, B, 2],
] as const)
  longs('futexes', value, address, flags, 5, B + 8, 2);
// mmsghdr: a message, and how many bytes of it went.
for (const iov of [iovs[0], iovs[2], iovs[4]]) longs('messages', 0, 0, iov ?? 0, 1, 0, 0, 0, 0, 0, 0, iovs[1] ?? 0, 1, 0, 0, 0, 0);
for (const [version, pid] of [
  [0x2008_0522, 0],
  [0x1998_0330, 0],
  [0x2007_1026, 4_000_000],
  [0, 0],
  [0x2008_0522, -1],
  [0x2008_0522, 1],
] as const)
  ints('capability header', version, pid);
ints('capabilities', 0, 0, 0, 0, 0, 0);
ints('capabilities', 1, 1, 0, 0, 0, 0);
ints('capabilities', 1, 0, 0, 0, 0, 0);
ints('capabilities', 0, 1 << 24, 0, 0, 0, 0);
// stack_t: where, flags, size.
for (const [address, flags, size] of [
  [B, 0, 8192],
  [B, 0, 2047],
  [0, 2, 0],
  [B, 4, 8192],
  [B, -0x8000_0000, 8192],
  [B, 1, 8192],
] as const)
  longs('alternate stack', address, flags, size);
longs('attributes', 0o4000, 3, 32, 0);
longs('attributes', -14, 3, 32, 0);
longs('attributes', 1, 3, 32, 0);
/** A string without an end, up to the end of the pages. */
TEMPLATE.setUint32(2 * PAGE - 4, 0x61616161);
found.get('path')?.push(T + 2 * PAGE - 4);
for (let at = 2 * PAGE - 500; at < 2 * PAGE - 4; at++) TEMPLATE.setUint8(at, 0x62);
found.get('path')?.push(T + 2 * PAGE - 500);
