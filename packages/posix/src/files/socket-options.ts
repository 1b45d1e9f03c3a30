import type { Cpu } from '@rpal/hw-x86';
import { SEND_BUFFER_DEFAULT, SocketState, type UnixSocket } from '@rpal/ipc';
import { type Kernel, type ProcessCredentials, type SyscallHandler, type Thread, UserBuffer } from '@rpal/kernel';
import { AddressFamily, Errno, OpenFlag } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { Cap } from '../identity/capabilities.js';
import { PidFd } from '../process/pidfd.js';
import { SOCKADDR, socketAddress, socketOf } from './socket-names.js';

const SOL_SOCKET = 1;
/** Options of level SOL_SOCKET beside those that the kernel has (include/uapi/asm-generic/socket.h). */
export const Option = {
  DEBUG: 1,
  REUSEADDR: 2,
  DONTROUTE: 5,
  BROADCAST: 6,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  NO_CHECK: 11,
  PRIORITY: 12,
  LINGER: 13,
  BSDCOMPAT: 14,
  REUSEPORT: 15,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  PEERNAME: 28,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  TIMESTAMPNS: 35,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  RXQ_OVFL: 40,
  WIFI_STATUS: 41,
  PEEK_OFF: 42,
  NOFCS: 43,
  LOCK_FILTER: 44,
  SELECT_ERR_QUEUE: 45,
  BPF_EXTENSIONS: 48,
  COOKIE: 57,
  PEERGROUPS: 59,
  ZEROCOPY: 60,
  TIMESTAMP_NEW: 63,
  TIMESTAMPNS_NEW: 64,
  RCVTIMEO_NEW: 66,
  SNDTIMEO_NEW: 67,
  PEERPIDFD: 77,
} as const;

const OPTIONS_MISSING =
  'messages carry no times (TIMESTAMP is kept); TIMESTAMPING, filters, PASSSEC, PEERSEC, PASSPIDFD, MEMINFO, BINDTODEVICE, busy polling, and those of networks';

/** Bytes of `struct timeval`, `struct linger` and `struct ucred`. */
const TIMEVAL = 16;
const LINGER = 8;
const UCRED = 12;
const INT = 4;
/** In place of who nobody is. */
const NOBODY = 0xffff_ffff;
const INT_MAX = 0x7fff_ffff;
/** Smallest receive buffer (SOCK_MIN_RCVBUF). */
const RECEIVE_BUFFER_MIN = 2304;
/** Priorities that anybody may give to packets: 0 to 6. */
const PRIORITY_MAX = 6;
/** Instructions that filters of the kernel know beyond the first (SKF_AD_MAX). */
const FILTER_EXTENSIONS = 64;

/** Options that are kept and read back as 0 or 1, and mean something to networks only. */
const SWITCHES: ReadonlySet<number> = new Set([
  Option.REUSEADDR,
  Option.DONTROUTE,
  Option.BROADCAST,
  Option.KEEPALIVE,
  Option.NO_CHECK,
  Option.RXQ_OVFL,
  Option.WIFI_STATUS,
  Option.NOFCS,
  Option.SELECT_ERR_QUEUE,
]);

/** What the options need of other calls on sockets. */
interface Peers {
  /** Who made the other end. */
  readonly peers: WeakMap<UnixSocket, ProcessCredentials>;
  /** What a socket is called; null: it has no name. */
  readonly nameOf: (socket: UnixSocket) => string | null;
}

/** setsockopt and getsockopt beyond what the kernel knows: net/core/sock.c, as it is for Unix sockets. */
export function defineSocketOptions(calls: Calls, relatives: Peers): void {
  const options = new SocketOptions(calls.kernel, relatives);
  calls.extend('setsockopt', (inner) => options.setting(inner), { missing: OPTIONS_MISSING });
  calls.extend('getsockopt', (inner) => options.getting(inner), { missing: OPTIONS_MISSING });
}

class SocketOptions {
  readonly #kernel: Kernel;
  readonly #relatives: Peers;
  readonly #buffer = new UserBuffer(SOCKADDR);
  /** Nanoseconds of a tick: timeouts are whole ones. */
  readonly #tick: number;
  /** Values that are only kept. */
  readonly #kept = new WeakMap<UnixSocket, Map<number, number>>();
  #cookies = 0;

  constructor(kernel: Kernel, relatives: Peers) {
    this.#kernel = kernel;
    this.#relatives = relatives;
    this.#tick = kernel.scheduler.tickNs;
  }

  setting(inner: SyscallHandler): SyscallHandler {
    return (cpu, thread, registers) => {
      const { args, a0, a1, a2, a3, a4 } = registers;
      const bytes = a4 | 0;
      const socket = (a1 | 0) === SOL_SOCKET && bytes >= INT ? socketOf(cpu, thread, a0) : 0;
      if (typeof socket === 'number') return inner(cpu, thread, registers);
      switch (a2 | 0) {
        case Option.RCVTIMEO:
        case Option.RCVTIMEO_NEW:
        case Option.SNDTIMEO:
        case Option.SNDTIMEO_NEW:
        case Option.LINGER: {
          if (args.word(cpu, thread, a3) < 0) return -Errno.EFAULT;
          return (a2 | 0) === Option.LINGER
            ? this.#setLinger(cpu, thread, socket, a3, bytes)
            : this.#setTimeout(cpu, thread, socket, a2 | 0, a3, bytes);
        }
        default: {
          const known = this.#mayBeSet(a2 | 0);
          if (!known) return inner(cpu, thread, registers);
          const word = args.word(cpu, thread, a3);
          return word < 0 ? word : this.#set(cpu, thread, socket, a2 | 0, word | 0);
        }
      }
    };
  }

  #mayBeSet(option: number): boolean {
    return SWITCHES.has(option) || WORDS.has(option);
  }

  #set(cpu: Cpu, thread: Thread, socket: UnixSocket, option: number, value: number): number {
    const { process } = thread;
    const network = process.capable(Cap.NET_ADMIN);
    switch (option) {
      case Option.DEBUG:
        return value !== 0 && !network ? -Errno.EACCES : this.#keep(socket, option, Number(value !== 0));
      case Option.RCVBUF:
        return this.#keep(socket, option, Math.max(2 * Math.min(value >>> 0, SEND_BUFFER_DEFAULT), RECEIVE_BUFFER_MIN));
      case Option.RCVBUFFORCE:
        if (!network) return -Errno.EPERM;
        return this.#keep(socket, Option.RCVBUF, Math.max(2 * Math.min(Math.max(value, 0), INT_MAX >> 1), RECEIVE_BUFFER_MIN));
      case Option.SNDBUFFORCE:
        if (!network) return -Errno.EPERM;
        socket.setSendBuffer(cpu, Math.max(value, 0));
        return 0;
      case Option.OOBINLINE:
        socket.urgentInline = value !== 0;
        return 0;
      case Option.PRIORITY:
        if ((value < 0 || value > PRIORITY_MAX) && !network && !process.capable(Cap.NET_RAW)) return -Errno.EPERM;
        return this.#keep(socket, option, value);
      case Option.MARK:
        return network || process.capable(Cap.NET_RAW) ? this.#keep(socket, option, value) : -Errno.EPERM;
      case Option.TIMESTAMP:
      case Option.TIMESTAMPNS:
      case Option.TIMESTAMP_NEW:
      case Option.TIMESTAMPNS_NEW:
        // One form at most.
        return this.#keep(socket, Option.TIMESTAMP, value === 0 ? 0 : option);
      case Option.BSDCOMPAT:
        return 0;
      case Option.REUSEPORT:
      case Option.ZEROCOPY:
        return option === Option.ZEROCOPY || value !== 0 ? -Errno.EOPNOTSUPP : 0;
      case Option.RCVLOWAT:
        socket.receiveLow = value < 0 ? INT_MAX : value || 1;
        return 0;
      case Option.PEEK_OFF:
        socket.peekOffset = value;
        return 0;
      case Option.LOCK_FILTER:
        return this.#read(socket, option) !== 0 && value === 0 ? -Errno.EPERM : this.#keep(socket, option, Number(value !== 0));
      default:
        return this.#keep(socket, option, Number(value !== 0));
    }
  }

  #keep(socket: UnixSocket, option: number, value: number): number {
    let kept = this.#kept.get(socket);
    if (kept === undefined) {
      kept = new Map();
      this.#kept.set(socket, kept);
    }
    kept.set(option, value);
    return 0;
  }

  #read(socket: UnixSocket, option: number, unset = 0): number {
    return this.#kept.get(socket)?.get(option) ?? unset;
  }

  /** sock_set_timeout: whole ticks, at least as long as it says; zero stands for ever, and a negative time is over at once. */
  #setTimeout(cpu: Cpu, thread: Thread, socket: UnixSocket, option: number, address: number, bytes: number): number {
    const buffer = this.#buffer;
    if (bytes < TIMEVAL) return -Errno.EINVAL;
    if (buffer.load(cpu, thread, address, TIMEVAL) < 0) return -Errno.EFAULT;
    const [seconds, micros] = [buffer.i64(0), buffer.i64(8)];
    if (micros < 0 || micros >= 1e6) return -Errno.EDOM;
    const ticks = Math.ceil((seconds * 1e9 + micros * 1000) / this.#tick);
    const ns = seconds < 0 ? AT_ONCE : ticks >= TICKS_MAX ? 0 : ticks * this.#tick;
    if (option === Option.RCVTIMEO || option === Option.RCVTIMEO_NEW) socket.receiveTimeout = ns;
    else socket.sendTimeout = ns;
    return 0;
  }

  #setLinger(cpu: Cpu, thread: Thread, socket: UnixSocket, address: number, bytes: number): number {
    const buffer = this.#buffer;
    if (bytes < LINGER) return -Errno.EINVAL;
    if (buffer.load(cpu, thread, address, LINGER) < 0) return -Errno.EFAULT;
    const on = buffer.i32(0) !== 0;
    // A negative time is the longest that there is: what fits of its seconds is read back.
    const longest = Number(BigInt.asUintN(32, (2n ** 63n - 1n) / BigInt(Math.round(1e9 / this.#tick))));
    if (on) this.#keep(socket, LINGER_TIME, buffer.i32(4) < 0 ? longest : buffer.u32(4));
    return this.#keep(socket, Option.LINGER, Number(on));
  }

  getting(inner: SyscallHandler): SyscallHandler {
    return (cpu, thread, registers) => {
      const { args, a0, a1, a2, a3, a4 } = registers;
      const option = a2 | 0;
      const socket = (a1 | 0) === SOL_SOCKET ? socketOf(cpu, thread, a0) : 0;
      if (typeof socket === 'number') return inner(cpu, thread, registers);
      const value = this.#get(socket, option);
      if (value !== undefined) {
        const room = args.optionRoom(cpu, thread, a4);
        return room < 0 ? room : args.putOption(cpu, thread, a3, a4, value);
      }
      if (!STRUCTURES.has(option)) return inner(cpu, thread, registers);
      const buffer = this.#buffer;
      if (buffer.load(cpu, thread, a4, INT) < 0) return -Errno.EFAULT;
      const room = buffer.i32(0);
      if (room < 0) return -Errno.EINVAL;
      if (option === Option.PEERGROUPS) return this.#putGroups(cpu, thread, socket, a3, a4, room);
      if (option === Option.PEERPIDFD) return this.#putPidfd(cpu, thread, socket, a3, a4, room);
      const bytes = this.#fill(socket, option, room);
      if (bytes < 0) return bytes;
      return this.#put(cpu, thread, a3, a4, Math.min(room, bytes));
    };
  }

  /** The value of an option that is a word; undefined: it is none. */
  #get(socket: UnixSocket, option: number): number | undefined {
    if (SWITCHES.has(option)) return this.#read(socket, option);
    switch (option) {
      case Option.DEBUG:
      case Option.PRIORITY:
      case Option.MARK:
      case Option.LOCK_FILTER:
        return this.#read(socket, option);
      case Option.TIMESTAMP:
      case Option.TIMESTAMPNS:
      case Option.TIMESTAMP_NEW:
      case Option.TIMESTAMPNS_NEW:
        return Number(this.#read(socket, Option.TIMESTAMP) === option);
      case Option.RCVBUF:
        return this.#read(socket, option, SEND_BUFFER_DEFAULT);
      case Option.OOBINLINE:
        return Number(socket.urgentInline);
      case Option.BSDCOMPAT:
      case Option.REUSEPORT:
      case Option.PROTOCOL:
      case Option.ZEROCOPY:
        return 0;
      case Option.RCVLOWAT:
        return socket.receiveLow;
      case Option.SNDLOWAT:
        return 1;
      case Option.ACCEPTCONN:
        return Number(socket.state === SocketState.LISTENING);
      case Option.DOMAIN:
        return AddressFamily.UNIX;
      case Option.PEEK_OFF:
        return socket.peekOffset;
      case Option.BPF_EXTENSIONS:
        return FILTER_EXTENSIONS;
      default:
        return undefined;
    }
  }

  /** Puts an option that is a structure into the buffer. @returns its bytes, or a negative errno */
  #fill(socket: UnixSocket, option: number, room: number): number {
    const buffer = this.#buffer;
    switch (option) {
      case Option.PEERCRED: {
        const { pid, euid, egid } = this.#relatives.peers.get(socket) ?? { pid: 0, euid: NOBODY, egid: NOBODY };
        buffer.set32(0, pid).set32(4, euid).set32(8, egid);
        return UCRED;
      }
      case Option.PEERNAME: {
        if (socket.peer === null) return -Errno.ENOTCONN;
        const bytes = socketAddress(buffer, this.#relatives.nameOf(socket.peer));
        return room > bytes ? -Errno.EINVAL : bytes;
      }
      case Option.LINGER:
        buffer.set32(0, this.#read(socket, Option.LINGER)).set32(4, this.#read(socket, LINGER_TIME));
        return LINGER;
      case Option.COOKIE:
        if (room < COOKIE) return -Errno.EINVAL;
        if (this.#read(socket, Option.COOKIE) === 0) this.#keep(socket, Option.COOKIE, ++this.#cookies);
        buffer.set64(0, this.#read(socket, Option.COOKIE));
        return COOKIE;
      default: {
        const receives = option === Option.RCVTIMEO || option === Option.RCVTIMEO_NEW;
        const ns = receives ? socket.receiveTimeout : socket.sendTimeout;
        const micros = ns === AT_ONCE ? 0 : Math.round(ns / 1000);
        buffer.set64(0, Math.floor(micros / 1e6)).set64(8, micros % 1e6);
        return TIMEVAL;
      }
    }
  }

  #put(cpu: Cpu, thread: Thread, address: number, lengthAddress: number, bytes: number): number {
    const buffer = this.#buffer;
    if (buffer.store(cpu, thread, address, bytes) < 0) return -Errno.EFAULT;
    return buffer.set32(0, bytes).store(cpu, thread, lengthAddress, INT) < 0 ? -Errno.EFAULT : 0;
  }

  /** The other groups of the peer; with too little room, how many bytes there would have to be. */
  #putGroups(cpu: Cpu, thread: Thread, socket: UnixSocket, address: number, lengthAddress: number, room: number): number {
    const buffer = this.#buffer;
    const peer = this.#relatives.peers.get(socket);
    if (peer === undefined) return -Errno.ENODATA;
    const bytes = INT * peer.groups.length;
    if (room < bytes) return buffer.set32(0, bytes).store(cpu, thread, lengthAddress, INT) < 0 ? -Errno.EFAULT : -Errno.ERANGE;
    for (const [index, group] of peer.groups.entries())
      if (buffer.set32(0, group).store(cpu, thread, address + INT * index, INT) < 0) return -Errno.EFAULT;
    return buffer.set32(0, bytes).store(cpu, thread, lengthAddress, INT) < 0 ? -Errno.EFAULT : 0;
  }

  /** A descriptor for the process of the peer. */
  #putPidfd(cpu: Cpu, thread: Thread, socket: UnixSocket, address: number, lengthAddress: number, room: number): number {
    const peer = this.#relatives.peers.get(socket);
    if (peer === undefined) return -Errno.ENODATA;
    const leader = this.#kernel.processes.get(peer.pid)?.main ?? null;
    if (leader === null) return -Errno.ESRCH;
    const { files } = thread.process;
    const fd = files.install(cpu, new PidFd(leader, 'process', 0), OpenFlag.CLOEXEC);
    if (fd < 0) return fd;
    this.#buffer.set32(0, fd);
    const failed = this.#put(cpu, thread, address, lengthAddress, Math.min(room, INT));
    if (failed < 0) files.close(cpu, fd);
    return failed;
  }
}

/** Where the time of LINGER is kept, which is no option of its own. */
const LINGER_TIME = -Option.LINGER;
/** Bytes of a socket's number (SO_COOKIE). */
const COOKIE = 8;
/** Timeouts are below so many ticks, or none at all (MAX_SCHEDULE_TIMEOUT). */
const TICKS_MAX = 2 ** 63;
/** A timeout that is over before it begins. */
const AT_ONCE = -1;

const WORDS: ReadonlySet<number> = new Set([
  Option.TIMESTAMP,
  Option.TIMESTAMPNS,
  Option.TIMESTAMP_NEW,
  Option.TIMESTAMPNS_NEW,
  Option.DEBUG,
  Option.RCVBUF,
  Option.RCVBUFFORCE,
  Option.SNDBUFFORCE,
  Option.OOBINLINE,
  Option.PRIORITY,
  Option.MARK,
  Option.BSDCOMPAT,
  Option.REUSEPORT,
  Option.ZEROCOPY,
  Option.RCVLOWAT,
  Option.PEEK_OFF,
  Option.LOCK_FILTER,
]);
const STRUCTURES: ReadonlySet<number> = new Set([
  Option.PEERCRED,
  Option.LINGER,
  Option.COOKIE,
  Option.RCVTIMEO,
  Option.SNDTIMEO,
  Option.RCVTIMEO_NEW,
  Option.SNDTIMEO_NEW,
  Option.PEERNAME,
  Option.PEERGROUPS,
  Option.PEERPIDFD,
]);
