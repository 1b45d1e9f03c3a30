import { Fcntl, LinuxCall, OpenFlag, Signal } from '@rpal/uapi';
import type { EdgeCall, EdgeCase } from './edge-cases.js';
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
  {
    nr: LinuxCall.select,
    when: ([, ...sets]) => sets.slice(0, 3).some((set) => set < BASE || set >= BASE + 0x6_0000 || set % 4096 > 4000),
    why: 'sets are read as far as needed: a descriptor that is not open is found before a set that is not there',
  },
  ...[LinuxCall.fchmod, LinuxCall.fchown].map((nr) => ({
    nr,
    when: ([fd = 0]: readonly number[]) => (fd >= 9 && fd <= 12) || fd === 14 || fd === 19,
    why: 'files of the kernel alone have no attributes of their own since 6.16',
  })),
  ...[LinuxCall.getsockname, LinuxCall.getpeername].map((nr) => ({
    nr,
    when: ([, address = 0, length = 0]: readonly number[]) => !hasRoom(address) || Math.abs(address - length) < 112,
    why: 'the length of a name is stored before it, and though there is no room for it, since 6.17',
  })),
  ...[LinuxCall.futex_wake, LinuxCall.futex_wait].map((nr) => ({
    nr,
    when: ([, , , flags = 0]: readonly number[]) => (flags & 0xc) !== 0,
    why: 'futexes by NUMA node are of 6.16',
  })),
  {
    nr: LinuxCall.ioctl,
    when: ([fd = 0, command = 0]) => (fd | 0) === 14 && (command >>> 0 === 0x5460 || command >>> 0 === 1),
    why: 'a pidfd does not count as a file with a size, or with blocks, since 6.16',
  },
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
  { nr: LinuxCall.rseq, when: () => true, why: 'what is in the area may kill at the next preemption, whenever that is' },
  { nr: LinuxCall.futex_requeue, when: () => true, why: 'futexes by NUMA node are of 6.16' },
  {
    nr: LinuxCall.fcntl,
    when: ([, command = 0]) => LEASES.has(command >>> 0),
    why: 'there are no leases, and nobody is told of changes of directories by a signal',
  },
  {
    nr: LinuxCall.openat2,
    when: ([, , how = 0]) => RESOLVING.has(how),
    why: 'look-ups that stay below a directory, or follow no link, are missing',
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
/** The structures of openat2 in which `resolve` asks for something. */
const RESOLVING: ReadonlySet<number> = new Set(placed('how').slice(6, 10));
/** Descriptors of sockets, and of the writing ends of pipes. */
const SOCKETS: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 15, 16]);
const PIPES: ReadonlySet<number> = new Set([2, 18]);
/** Descriptors of sockets for datagrams and packets. */
const DATAGRAMS: ReadonlySet<number> = new Set([5, 6, 15, 16]);
/** May the name of a socket be stored there: in one of the two writable pages of B, S or T? */
function hasRoom(address: number): boolean {
  const at = address - BASE;
  return at >= 0 && [0, 4, 5].includes(Math.floor(at / 0x1_0000)) && at % 0x1_0000 <= 0x2000 - 112;
}
const LOCKS: ReadonlySet<number> = new Set([Fcntl.GETLK, Fcntl.SETLK, Fcntl.SETLKW, Fcntl.OFD_GETLK, Fcntl.OFD_SETLK, Fcntl.OFD_SETLKW]);

/** Are model and kernel known to differ in a call of a case? @param at which; beyond the last: in how the case ends */
export function isListed(made: EdgeCase, at: number): boolean {
  const { nr, registers } = (made.calls[at] ?? made.calls.at(-1)) as EdgeCall;
  if (stopsItself(made)) return true;
  const values = registers.map((register) => (typeof register === 'string' ? Number.NaN : Number(register)));
  return LISTED.some((listed) => listed.nr === nr && listed.when(values));
}

/** Signals to one thread, or to a process by the id of one. */
const SIGNALS: ReadonlySet<number> = new Set([
  LinuxCall.kill,
  LinuxCall.tkill,
  LinuxCall.tgkill,
  LinuxCall.rt_sigqueueinfo,
  LinuxCall.rt_tgsigqueueinfo,
]);

/** A signal that another thread of the process may take first: whether the caller still gets to say what came of it is a race. */
function stopsItself({ calls }: EdgeCase): boolean {
  if (calls.some(({ nr, registers }) => SIGNALS.has(nr) && registers.includes(`v${Id.OTHER_THREAD}`))) return true;
  const stops = new Set([Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU].map(BigInt));
  return calls.some(({ registers }) => registers.some((register) => typeof register === 'bigint' && stops.has(register)));
}
