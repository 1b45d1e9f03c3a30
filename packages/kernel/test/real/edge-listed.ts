import { Fcntl, LinuxCall, Signal } from '@rpal/uapi';
import { BASE, type EdgeCall, type EdgeCase, Id } from './edge-cases.js';

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
  ...[LinuxCall.splice, LinuxCall.tee, LinuxCall.vmsplice].map((nr) => ({
    nr,
    when: ([from = 0, , to = 0]: readonly number[]) => (from | 0) === 0 || (to | 0) === 0,
    why: 'files of memfd_create are not spliced',
  })),
  {
    nr: LinuxCall.select,
    when: ([, ...sets]) => sets.slice(0, 3).some((set) => set < BASE || set >= BASE + 0x6_0000 || set % 4096 > 4000),
    why: 'sets are read as far as needed: a descriptor that is not open is found before a set that is not there',
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
const LOCKS: ReadonlySet<number> = new Set([Fcntl.GETLK, Fcntl.SETLK, Fcntl.SETLKW, Fcntl.OFD_GETLK, Fcntl.OFD_SETLK, Fcntl.OFD_SETLKW]);

/** Are model and kernel known to differ in a call of a case? @param at which; beyond the last: in how the case ends */
export function isListed(made: EdgeCase, at: number): boolean {
  const { nr, registers } = (made.calls[at] ?? made.calls.at(-1)) as EdgeCall;
  if (stopsItself(made)) return true;
  const values = registers.map((register) => (typeof register === 'string' ? Number.NaN : Number(register)));
  return LISTED.some((listed) => listed.nr === nr && listed.when(values));
}

/** Signals to one thread, or to a process by the id of one. */
const SIGNALS: ReadonlySet<number> = new Set([LinuxCall.kill, LinuxCall.tgkill, LinuxCall.rt_sigqueueinfo]);

/** A signal that another thread of the process may take first: whether the caller still gets to say what came of it is a race. */
function stopsItself({ calls }: EdgeCase): boolean {
  if (calls.some(({ nr, registers }) => SIGNALS.has(nr) && registers.includes(`v${Id.OTHER_THREAD}`))) return true;
  const stops = new Set([Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU].map(BigInt));
  return calls.some(({ registers }) => registers.some((register) => typeof register === 'bigint' && stops.has(register)));
}
