import { Fcntl, LinuxCall, OpenFlag } from '@rpal/uapi';
import type { EdgeCall } from './edge-cases.js';
import { Id } from './edge-kinds.js';
import { BASE, placed } from './edge-memory.js';

/** Where the two are known to differ: in which call, with what arguments, and why. */
interface Listed {
  readonly nr: number;
  readonly when: (registers: readonly number[]) => boolean;
  readonly why: string;
}
const TIB = 2 ** 40;
const LISTED: readonly Listed[] = [
  {
    nr: LinuxCall.shmget,
    when: ([, size = 0]) => size >= 2 ** 30 && size < 2 ** 44,
    why: 'it depends on how much memory there is, which is not the same on both sides',
  },
  {
    nr: LinuxCall.madvise,
    when: ([, length = 0]) => length === 2 ** 47,
    why: 'it reaches from the pages of a case to the rest of the process, which is another one on both sides',
  },
  ...[LinuxCall.getsockopt, LinuxCall.setsockopt].map((nr) => ({
    nr,
    when: ([, , option = 0]: readonly number[]) => FOR_NETWORKS.has(option | 0),
    why: 'an option for networks, filters, or times of messages',
  })),
  ...[LinuxCall.futex_wake, LinuxCall.futex_wait].map((nr) => ({
    nr,
    when: ([, , , flags = 0]: readonly number[]) => (flags & 0x7) === 0x6,
    why: 'futexes by NUMA node, of 6.16, are missing',
  })),
  ...(
    [
      [LinuxCall.open, 1],
      [LinuxCall.openat, 2],
    ] as const
  ).map(([nr, flagsAt]) => ({
    nr,
    when: ({ [flagsAt]: flags = 0 }: readonly number[]) => (flags & OpenFlag.DIRECT) !== 0 || (flags & 0x42_0000) === 0x42_0000,
    why: 'a FIFO is waited for before O_DIRECT is refused; O_TMPFILE and O_NOFOLLOW of a link that leads nowhere',
  })),
  ...[LinuxCall.splice, LinuxCall.copy_file_range].map((nr) => ({
    nr,
    when: ([, , , to = 0]: readonly number[]) => to === BASE,
    why: 'a file in memory ends at 8 TiB, and what is there says more',
  })),
  {
    nr: LinuxCall.recvmmsg,
    when: ([, , count = 0, , time = 0]) => count >>> 0 > 1 && time !== 0,
    why: 'whether a microsecond is over after the first message depends on how fast the computer is',
  },
  {
    nr: LinuxCall.rseq,
    when: ([area = 0, length = 0, flags = 0]) => hasRoom(area) && length >>> 0 >= 32 && (flags | 0) === 0,
    why: 'what is in the area that it takes may kill at the next preemption, whenever that is',
  },
  {
    nr: LinuxCall.clock_nanosleep,
    when: ([clock = 0, flags = 0, time = 0]) => (clock === 2 || clock < 0) && (flags & 1) !== 0 && SHORT.has(time),
    why: 'whether so little CPU time has been used already depends on how fast the computer is',
  },
  {
    nr: LinuxCall.fcntl,
    when: ([, command = 0]) => LEASES.has(command >>> 0),
    why: 'there are no leases, and nobody is told of changes of directories by a signal',
  },
  {
    nr: LinuxCall.sendfile,
    when: ([to = 0, from = 0]) => PIPES.has(to | 0) && SOCKETS.has(from | 0),
    why: 'files are sent into pipes, what comes from sockets is not',
  },
  {
    nr: LinuxCall.splice,
    when: ([from = 0, , to = 0]) => DATAGRAMS.has(from | 0) || DATAGRAMS.has(to | 0),
    why: 'only streams are spliced, of all sockets',
  },
  {
    nr: LinuxCall.lseek,
    when: ([, offset = 0, whence = 0]) => offset > 2 ** 53 && whence > 0,
    why: 'results above 2^53 are rounded',
  },
  { nr: LinuxCall.pwrite64, when: ([, , , offset = 0]) => offset >= 8 * TIB, why: 'a file in memory ends at 8 TiB' },
  {
    nr: LinuxCall.mmap,
    when: ([, , , , , offset = 0]) => offset < 0,
    why: 'of what cannot be mapped Linux says first that the offset is too large, where it is a socket',
  },
  {
    nr: LinuxCall.fcntl,
    when: ([, command = 0]) => LOCKS.has(command >>> 0),
    why: 'only regular files and directories have locks',
  },
];
/** Options of level SOL_SOCKET that the model does not have. */
const FOR_NETWORKS: ReadonlySet<number> = new Set([
  25, 26, 27, 31, 34, 37, 46, 47, 49, 50, 51, 52, 55, 56, 61, 62, 65, 69, 70, 71, 72, 73, 74, 75, 76,
]);
/** F_SETLEASE, F_GETLEASE, F_NOTIFY. */
const LEASES: ReadonlySet<number> = new Set([1024, 1025, 1026]);
/** Descriptors of sockets, and of the writing ends of pipes. */
const SOCKETS: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 15, 16]);
const PIPES: ReadonlySet<number> = new Set([2, 18]);
/** Descriptors of sockets for datagrams and packets. */
const DATAGRAMS: ReadonlySet<number> = new Set([5, 6, 15, 16]);
/** Times below a tenth of a millisecond. */
const SHORT: ReadonlySet<number> = new Set(placed('time').slice(1, 3));
/** May a structure be stored there: in one of the two writable pages of B, S or T? */
function hasRoom(address: number): boolean {
  const at = address - BASE;
  return at >= 0 && [0, 4, 5].includes(Math.floor(at / 0x1_0000)) && at % 0x1_0000 <= 0x2000 - 32;
}
const LOCKS: ReadonlySet<number> = new Set([Fcntl.GETLK, Fcntl.SETLK, Fcntl.SETLKW, Fcntl.OFD_GETLK, Fcntl.OFD_SETLK, Fcntl.OFD_SETLKW]);

/** Are model and kernel known to differ in a call? @param before what its process has called before */
export function isListed({ nr, registers }: EdgeCall, before: readonly EdgeCall[]): boolean {
  if (registers.includes(`v${Id.OTHER_THREAD}`) && (SIGNALS.has(nr) || before.some((call) => CREDENTIALS.has(call.nr)))) return true;
  // How much is left of the longest time there is depends on how long the computer has been on.
  if (nr === LinuxCall.alarm && before.some((call) => call.nr === LinuxCall.setitimer)) return true;
  // A process is larger there, with its libraries, than what users may lock.
  if (nr === LinuxCall.mlockall && before.some((call) => CREDENTIALS.has(call.nr))) return true;
  const values = registers.map((register) => (typeof register === 'string' ? Number.NaN : Number(register)));
  return LISTED.some((listed) => listed.nr === nr && listed.when(values));
}

/**
 * Signals to one thread, or to a process by the id of one, which may take it before its sender: whether the caller still gets to say
 * what came of it is a race.
 */
const SIGNALS: ReadonlySet<number> = new Set([
  LinuxCall.kill,
  LinuxCall.tkill,
  LinuxCall.tgkill,
  LinuxCall.rt_sigqueueinfo,
  LinuxCall.rt_tgsigqueueinfo,
]);

/** Calls after which the caller is somebody else than the other thread; in the model threads have one identity. */
const CREDENTIALS: ReadonlySet<number> = new Set([
  LinuxCall.setuid,
  LinuxCall.setgid,
  LinuxCall.setreuid,
  LinuxCall.setregid,
  LinuxCall.setresuid,
  LinuxCall.setresgid,
  LinuxCall.setfsuid,
  LinuxCall.setfsgid,
  LinuxCall.setgroups,
  LinuxCall.capset,
]);
