import type { Cpu } from '@rpal/hw-x86';
import type { MessageQueueAttributes } from '@rpal/ipc';
import { CpuSet } from '@rpal/sched';
import { AddressFamily, Errno, MessageFlag, Signal } from '@rpal/uapi';
import { type IoVec, UIO_MAXIOV } from '@rpal/vfs';
import {
  type CallArguments,
  type CloneRequest,
  type EpollEvent,
  FOREVER,
  type Interval,
  type Limit,
  NO_NOTIFICATION,
  type SentSignal,
  type SignalValue,
} from './call-arguments.js';
import type { Image } from './image.js';
import { UNLIMITED } from './limits.js';
import type { MessageHeader } from './message-header.js';
import type { QueuedSignal, SignalBits } from './pending-signals.js';
import type { SignalAction } from './signal-action.js';
import { SyscallNumber } from './syscall-numbers.js';
import type { Thread } from './thread.js';
import { UserBuffer } from './user-buffer.js';
import type { UserContext } from './user-context.js';

/** A signal handler in machine code. @public for engines of machine code */
export interface GuestHandler {
  readonly address: number;
  /** Where the handler returns to: code that calls rt_sigreturn. */
  readonly restorer: number;
}

const PATH_MAX = 4096;
/** Bytes of `struct sockaddr_storage`, of `struct sockaddr_un`, and of the family that these begin with. */
const SOCKADDR_STORAGE = 128;
const SOCKADDR_UN = 110;
const FAMILY = 2;
/** Of `sigset_t`, in bytes. */
const SIGSET = 8;
const SA_RESTORER = 0x0400_0000;
const SIG_DFL = 0;
const SIG_IGN = 1;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
/** Bytes of a `struct sigevent`. */
const SIGEVENT = 64;
/** Bytes of a `siginfo_t` that the kernel knows the meaning of. */
const SIGINFO_USED = 48;
const SIGINFO = 128;
/** Codes of signals that have some of their own end here (NSIGILL and so on), and those of others (NSIGPOLL). */
const CODES_END: Readonly<Record<number, number>> = {
  [Signal.ILL]: 11,
  [Signal.FPE]: 15,
  [Signal.SEGV]: 10,
  [Signal.BUS]: 5,
  [Signal.TRAP]: 6,
  [Signal.CHLD]: 6,
  [Signal.SYS]: 2,
};
const CODE_END = 6;
const SI_KERNEL = 128;
const SI_DETHREAD = -7;
const SI_ASYNCNL = -60;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
/** Bytes of `struct cmsghdr`, and of `struct ucred`. */
const CMSG = 16;
const UCRED = 12;

const Clone = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  THREAD: 0x1_0000,
  SYSVSEM: 0x4_0000,
  SETTLS: 0x8_0000,
  PARENT_SETTID: 0x10_0000,
  DETACHED: 0x40_0000,
} as const;
const THREAD_FLAGS = Clone.VM | Clone.FS | Clone.FILES | Clone.SIGHAND | Clone.THREAD;

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/**
 * Arguments as machine code passes them: addresses of strings and structures in its memory, laid out as in Linux on x86-64. Its contexts
 * keep one each.
 * @public for engines of machine code
 */
export class GuestArguments implements CallArguments {
  readonly #registers: UserContext;
  readonly noTime: number = -Errno.EFAULT;
  readonly #buffer = new UserBuffer(PATH_MAX);
  readonly #one = new UserBuffer(1);

  constructor(registers: UserContext) {
    this.#registers = registers;
  }

  string(cpu: Cpu, thread: Thread, address: number): string | number {
    const buffer = this.#buffer;
    for (let length = 0; length < PATH_MAX; length++) {
      if (this.#one.load(cpu, thread, address + length, 1) < 0) return -Errno.EFAULT;
      const byte = this.#one.view.getUint8(0);
      if (byte === 0) return buffer.text(0, length);
      buffer.view.setUint8(length, byte);
    }
    return -Errno.ENAMETOOLONG;
  }

  queueName(cpu: Cpu, thread: Thread, address: number): string | number {
    return this.string(cpu, thread, address);
  }

  socketName(cpu: Cpu, thread: Thread, address: number, register: number): string | null | number {
    const buffer = this.#buffer;
    const bytes = register | 0;
    if (bytes < 0 || bytes > SOCKADDR_STORAGE) return -Errno.EINVAL;
    if (buffer.load(cpu, thread, address, bytes) < 0) return -Errno.EFAULT;
    if (bytes < FAMILY || bytes > SOCKADDR_UN || buffer.u16(0) !== AddressFamily.UNIX) return null;
    // An abstract name begins with a zero, and is as long as it is said to be.
    const abstract = bytes > FAMILY && buffer.view.getUint8(FAMILY) === 0;
    return abstract ? `\0${buffer.bytes(FAMILY + 1, bytes - FAMILY - 1)}` : buffer.text(FAMILY, bytes - FAMILY);
  }

  putSocketName(cpu: Cpu, thread: Thread, address: number, lengthAddress: number, name: string | null): number {
    if (address === 0) return 0;
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, lengthAddress, 4) < 0) return -Errno.EFAULT;
    const room = buffer.i32(0);
    if (room < 0) return -Errno.EINVAL;
    buffer.clear(SOCKADDR_UN + 2).set16(0, AddressFamily.UNIX);
    const text = name ?? '';
    for (let i = 0; i < text.length; i++) buffer.view.setUint8(FAMILY + i, text.charCodeAt(i));
    const terminated = text !== '' && !text.startsWith('\0');
    const length = name === null ? 0 : FAMILY + text.length + (terminated ? 1 : 0);
    const failed = buffer.copy(cpu, thread, address, Math.min(room, length));
    return failed < 0 ? failed : buffer.set32(0, length).store(cpu, thread, lengthAddress, 4);
  }

  word(cpu: Cpu, thread: Thread, address: number): number {
    return this.#buffer.load(cpu, thread, address, 4) < 0 ? -Errno.EFAULT : this.#buffer.u32(0);
  }

  putWord(cpu: Cpu, thread: Thread, address: number, value: number): number {
    return address === 0 ? 0 : this.#buffer.set32(0, value).store(cpu, thread, address, 4);
  }

  optionRoom(cpu: Cpu, thread: Thread, lengthAddress: number): number {
    if (this.#buffer.load(cpu, thread, lengthAddress, 4) < 0) return -Errno.EFAULT;
    const room = this.#buffer.i32(0);
    return room < 0 ? -Errno.EINVAL : room;
  }

  putOption(cpu: Cpu, thread: Thread, address: number, lengthAddress: number, value: number): number {
    const buffer = this.#buffer;
    const room = this.optionRoom(cpu, thread, lengthAddress);
    if (room < 0) return room;
    const length = Math.min(room, 4);
    const failed = buffer.set32(0, value).copy(cpu, thread, address, length);
    return failed < 0 ? failed : buffer.set32(0, length).store(cpu, thread, lengthAddress, 4);
  }

  putLong(cpu: Cpu, thread: Thread, address: number, value: number): number {
    return this.#buffer.set64(0, value).store(cpu, thread, address, 8);
  }

  putPair(cpu: Cpu, thread: Thread, address: number, first: number, second: number): number {
    const buffer = this.#buffer.set32(0, first).set32(4, second);
    if (this.#registers.nr !== SyscallNumber.socketpair) return buffer.copy(cpu, thread, address, 8);
    // Two words, each for itself.
    return buffer.store(cpu, thread, address, 4) || buffer.set32(0, second).store(cpu, thread, address + 4, 4);
  }

  timespec(cpu: Cpu, thread: Thread, address: number): number {
    return address === 0 ? FOREVER : this.#time(cpu, thread, address, 1);
  }

  timeval(cpu: Cpu, thread: Thread, address: number): number {
    return address === 0 ? FOREVER : this.#time(cpu, thread, address, 1000);
  }

  /** The real-time clock of the model is that of the machine, and began at its boot. */
  deadline(cpu: Cpu, thread: Thread, address: number): number {
    const until = this.timespec(cpu, thread, address);
    return until < 0 ? until : Math.max(0, until - cpu.clock / cpu.costs.tscPerNs);
  }

  /** Seconds, and `unit` nanoseconds each of a rest. */
  #time(cpu: Cpu, thread: Thread, address: number, unit: number): number {
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 16) < 0) return -Errno.EFAULT;
    // Too many microseconds are seconds more; too many nanoseconds are wrong.
    return unit === 1 ? timeIn(buffer, 0) : timevalIn(buffer);
  }

  putTimeLeft(cpu: Cpu, thread: Thread, register: 2 | 4, ns: number): number {
    const address = this.#registers.argument(register);
    if (address === 0 || ns < 0) return 0;
    const unit = register === 4 ? 1000 : 1;
    setTime(this.#buffer, 0, ns, unit);
    return this.#buffer.store(cpu, thread, address, 16);
  }

  interval(cpu: Cpu, thread: Thread, address: number, old: number, into: Interval): number {
    into.old = old;
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 32) < 0) return -Errno.EFAULT;
    into.interval = timeIn(buffer, 0);
    into.value = timeIn(buffer, 16);
    return Math.min(0, into.interval, into.value);
  }

  putInterval(cpu: Cpu, thread: Thread, address: number, value: number, interval: number): number {
    setTime(this.#buffer, 0, interval, 1);
    setTime(this.#buffer, 16, value, 1);
    return this.#buffer.store(cpu, thread, address, 32);
  }

  isSignalSet(bytes: number): boolean {
    return bytes === SIGSET;
  }

  signalSet(cpu: Cpu, thread: Thread, address: number, _high: number, bytes: number): SignalBits | null | number {
    if (address === 0) return null;
    if (bytes !== SIGSET) return -Errno.EINVAL;
    if (this.#buffer.load(cpu, thread, address, SIGSET) < 0) return -Errno.EFAULT;
    return { low: this.#buffer.i32(0), high: this.#buffer.i32(4) };
  }

  callMask(cpu: Cpu, thread: Thread, address: number, bytes: number): SignalBits | null | number {
    return this.signalSet(cpu, thread, address, 0, bytes);
  }

  putSignalSet(cpu: Cpu, thread: Thread, address: number, { low, high }: SignalBits): number {
    return address === 0 ? 0 : this.#buffer.set32(0, low).set32(4, high).copy(cpu, thread, address, SIGSET);
  }

  putPending(cpu: Cpu, thread: Thread, address: number, bytes: number, { low, high }: SignalBits): number {
    return this.#buffer.set32(0, low).set32(4, high).copy(cpu, thread, address, bytes);
  }

  action(cpu: Cpu, thread: Thread, address: number): SignalAction | null | number {
    if (address === 0) return null;
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 32) < 0) return -Errno.EFAULT;
    const handler = buffer.u64(0);
    const guest: GuestHandler = { address: handler, restorer: buffer.u64(16) };
    return {
      handler: handler === SIG_DFL ? 'default' : handler === SIG_IGN ? 'ignore' : guest,
      flags: buffer.i32(8) & ~SA_RESTORER,
      mask: { low: buffer.i32(24), high: buffer.i32(28) },
    };
  }

  putAction(cpu: Cpu, thread: Thread, address: number, { handler, flags, mask }: SignalAction): number {
    if (address === 0) return 0;
    const guest = handler === 'default' || handler === 'ignore' ? null : (handler as GuestHandler);
    const buffer = this.#buffer.clear(32);
    buffer.set64(0, guest?.address ?? (handler === 'ignore' ? SIG_IGN : SIG_DFL));
    buffer.set64(8, (flags | (guest === null ? 0 : SA_RESTORER)) >>> 0).set64(16, guest?.restorer ?? 0);
    return buffer.set32(24, mask.low).set32(28, mask.high).store(cpu, thread, address, 32);
  }

  signalValue(cpu: Cpu, thread: Thread, address: number, signal: number, into: SentSignal): number {
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, SIGINFO_USED) < 0) return -Errno.EFAULT;
    into.code = buffer.i32(8);
    into.pid = buffer.i32(16);
    into.uid = buffer.i32(20);
    into.value = buffer.i32(24);
    into.valueHigh = buffer.i32(28);
    if (isKnownCode(signal, into.code)) return 0;
    // Of what nobody knows, nothing may lie behind what is known (Linux: `post_copy_siginfo_from_user`).
    if (buffer.load(cpu, thread, address + SIGINFO_USED, SIGINFO - SIGINFO_USED) < 0) return -Errno.EFAULT;
    return buffer.isClear(SIGINFO - SIGINFO_USED) ? 0 : -Errno.E2BIG;
  }

  putSignalInfo(cpu: Cpu, thread: Thread, address: number, { signal, code, pid, uid, value, valueHigh }: QueuedSignal): number {
    if (address === 0) return 0;
    const buffer = this.#buffer.clear(SIGINFO).set32(0, signal).set32(8, code).set32(16, pid).set32(20, uid);
    return buffer.set32(24, value).set32(28, valueHigh).store(cpu, thread, address, SIGINFO);
  }

  notification(cpu: Cpu, thread: Thread, address: number, _value: number, into: SignalValue): number {
    into.signal = NO_NOTIFICATION;
    if (address === 0) return 0;
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, SIGEVENT) < 0) return -Errno.EFAULT;
    const how = buffer.i32(12);
    // Threads are the C library's: it would ask for a message to a socket of its own (SIGEV_THREAD), which is not there.
    if (how !== SIGEV_NONE && how !== SIGEV_SIGNAL) return -Errno.EINVAL;
    into.value = buffer.i32(0);
    into.valueHigh = buffer.i32(4);
    into.signal = how === SIGEV_NONE ? 0 : buffer.i32(8);
    return 0;
  }

  segments(cpu: Cpu, thread: Thread, address: number, register: number): readonly IoVec[] | number {
    const count = register >>> 0;
    if (count > UIO_MAXIOV) return -Errno.EINVAL;
    const segments: IoVec[] = [];
    for (let i = 0; i < count; i++) {
      if (this.#buffer.load(cpu, thread, address + 16 * i, 16) < 0) return -Errno.EFAULT;
      const length = this.#buffer.i64(8);
      if (length < 0) return -Errno.EINVAL;
      segments.push({ address: this.#buffer.i64(0), length });
    }
    return segments;
  }

  /** All 64 bits of the count are looked at, unlike in `segments`. */
  remoteSegments(cpu: Cpu, thread: Thread, address: number, count: number): readonly IoVec[] | number {
    if (count < 0 || count > UIO_MAXIOV) return -Errno.EINVAL;
    return this.segments(cpu, thread, address, count);
  }

  message(cpu: Cpu, thread: Thread, address: number): MessageHeader | number {
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 56) < 0) return -Errno.EFAULT;
    const [name, nameBytes, iov, count, control, controlBytes] = [
      buffer.u64(0),
      buffer.i32(8),
      buffer.u64(16),
      buffer.u64(24),
      buffer.u64(32),
      buffer.u64(40),
    ];
    const sends = this.#registers.nr === SyscallNumber.sendmsg;
    if (name !== 0 && nameBytes < 0) return -Errno.EINVAL;
    // What recvmsg finds there is not read: it is room for what comes.
    const to = sends && name !== 0 && nameBytes > 0 ? this.socketName(cpu, thread, name, Math.min(nameBytes, SOCKADDR_STORAGE)) : '';
    if (typeof to === 'number') return to;
    if (count > UIO_MAXIOV) return -Errno.EMSGSIZE;
    const segments = this.segments(cpu, thread, iov, count);
    if (typeof segments === 'number') return segments;
    const header: MessageHeader = { segments, room: Math.max(0, Math.floor((controlBytes - CMSG) / 4)) };
    if (!sends) return header;
    // Empty: no address of a Unix socket.
    if (name !== 0 && nameBytes > 0) header.name = to ?? '';
    if (controlBytes > 0x7fff_ffff) return -Errno.ENOBUFS;
    const failed = controlBytes === 0 ? 0 : this.#control(cpu, thread, control, controlBytes, header);
    return failed < 0 ? failed : header;
  }

  /** The control messages of sendmsg. */
  #control(cpu: Cpu, thread: Thread, address: number, bytes: number, header: MessageHeader): number {
    const buffer = this.#buffer;
    if (bytes > PATH_MAX) return -Errno.ENOBUFS;
    if (buffer.load(cpu, thread, address, bytes) < 0) return -Errno.EFAULT;
    for (let at = 0; at + CMSG <= bytes; ) {
      const length = buffer.u64(at);
      if (length < CMSG || at + length > bytes) return -Errno.EINVAL;
      const kind = buffer.i32(at + 12);
      if (buffer.i32(at + 8) !== SOL_SOCKET) {
        // Other levels have messages of their own, which mean nothing here.
      } else if (kind === SCM_RIGHTS) {
        const fds = Array.from({ length: Math.floor((length - CMSG) / 4) }, (_, i) => buffer.i32(at + CMSG + 4 * i));
        header.descriptors = [...(header.descriptors ?? []), ...fds];
      } else if (kind === SCM_CREDENTIALS && length === CMSG + UCRED) {
        header.credentials = { pid: buffer.i32(at + CMSG), uid: buffer.i32(at + CMSG + 4), gid: buffer.i32(at + CMSG + 8) };
      } else {
        return -Errno.EINVAL;
      }
      at += aligned(length);
    }
    return 0;
  }

  putMessage(cpu: Cpu, thread: Thread, address: number, header: MessageHeader): number {
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 56) < 0) return -Errno.EFAULT;
    const name = buffer.u64(0);
    const control = buffer.u64(32);
    const room = control === 0 ? 0 : buffer.u64(40);
    const { descriptors = [], credentials = null } = header;
    const rights = descriptors.length === 0 ? 0 : CMSG + 4 * descriptors.length;
    const credits = credentials !== null && aligned(CMSG + UCRED) + rights <= room ? aligned(CMSG + UCRED) : 0;
    let flags = header.flags ?? 0;
    if (credentials !== null && credits === 0) flags |= MessageFlag.CTRUNC;
    if (name !== 0) {
      const failed = this.putSocketName(cpu, thread, name, address + 8, header.name ?? null);
      if (failed < 0) return failed;
    }
    buffer.clear(credits + aligned(rights));
    if (credits > 0 && credentials !== null) {
      buffer
        .set64(0, CMSG + UCRED)
        .set32(8, SOL_SOCKET)
        .set32(12, SCM_CREDENTIALS);
      buffer
        .set32(CMSG, credentials.pid)
        .set32(CMSG + 4, credentials.uid)
        .set32(CMSG + 8, credentials.gid);
    }
    if (rights > 0) {
      buffer
        .set64(credits, rights)
        .set32(credits + 8, SOL_SOCKET)
        .set32(credits + 12, SCM_RIGHTS);
      descriptors.forEach((fd, i) => {
        buffer.set32(credits + CMSG + 4 * i, fd);
      });
    }
    const used = Math.min(room, credits + aligned(rights));
    return (
      buffer.store(cpu, thread, control, used) ||
      buffer
        .set64(0, used)
        .set32(8, flags)
        .store(cpu, thread, address + 40, 12)
    );
  }

  epollEvent(cpu: Cpu, thread: Thread, address: number, _data: number, into: EpollEvent): number {
    if (this.#buffer.load(cpu, thread, address, 12) < 0) return -Errno.EFAULT;
    into.events = this.#buffer.i32(0);
    into.low = this.#buffer.i32(4);
    into.high = this.#buffer.i32(8);
    return 0;
  }

  queueAttributes(cpu: Cpu, thread: Thread, address: number): MessageQueueAttributes | null | number {
    if (address === 0) return null;
    if (this.#buffer.load(cpu, thread, address, 32) < 0) return -Errno.EFAULT;
    return { maxMessages: this.#buffer.i64(8), messageSize: this.#buffer.i64(16) };
  }

  limit(cpu: Cpu, thread: Thread, address: number, into: Limit): number {
    if (address === 0) return 0;
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, address, 16) < 0) return -Errno.EFAULT;
    into.soft = limitAt(buffer, 0);
    into.hard = limitAt(buffer, 8);
    return 1;
  }

  putLimit(cpu: Cpu, thread: Thread, { soft, hard }: Limit): number {
    const address = this.#registers.a3;
    if (address === 0) return 0;
    setLimit(this.#buffer, 0, soft);
    setLimit(this.#buffer, 8, hard);
    return this.#buffer.store(cpu, thread, address, 16);
  }

  affinity(cpu: Cpu, thread: Thread, address: number, bytes: number, cpus: number): CpuSet | number {
    const length = Math.min(bytes >>> 0, aligned(Math.ceil(cpus / 8)));
    if (this.#buffer.load(cpu, thread, address, length) < 0) return -Errno.EFAULT;
    const set = new CpuSet(cpus);
    for (let i = 0; i < cpus && i < 8 * length; i++) if ((this.#buffer.view.getUint8(i >> 3) & (1 << (i & 7))) !== 0) set.add(i);
    return set;
  }

  affinityRoom(bytes: number, cpus: number): number {
    return 8 * (bytes >>> 0) < cpus || bytes % 8 !== 0 ? -Errno.EINVAL : 0;
  }

  putAffinity(cpu: Cpu, thread: Thread, address: number, bytes: number, set: CpuSet): number {
    const length = Math.min(bytes >>> 0, 8 * Math.ceil(set.words.length / 2));
    this.#buffer.clear(length);
    set.words.forEach((word, i) => {
      this.#buffer.set32(4 * i, word);
    });
    const failed = this.#buffer.store(cpu, thread, address, length);
    return failed < 0 ? failed : length;
  }

  /** Threads with all that pthread_create shares, or processes with a copy of everything; nothing in between. */
  clone(_cpu: Cpu, _thread: Thread): CloneRequest | number {
    const flags = this.#registers.a0 & ~0xff;
    const optional = Clone.SETTLS | Clone.PARENT_SETTID | Clone.SYSVSEM | Clone.DETACHED;
    if ((flags & ~(THREAD_FLAGS | optional)) !== 0) return -Errno.EINVAL;
    const shared = flags & THREAD_FLAGS;
    if (shared !== 0 && shared !== THREAD_FLAGS) return -Errno.EINVAL;
    return { process: shared === 0, tls: (flags & Clone.SETTLS) !== 0 ? this.#registers.a4 : 0 };
  }

  image(cpu: Cpu, thread: Thread, address: number): Image | string | number {
    return this.string(cpu, thread, address);
  }
}

/** What a `siginfo_t` with this code looks like is known (Linux: `known_siginfo_layout`). */
function isKnownCode(signal: number, code: number): boolean {
  return code > 0 ? code === SI_KERNEL || code <= (CODES_END[signal] ?? CODE_END) : code >= SI_DETHREAD || code === SI_ASYNCNL;
}

/** RLIM_INFINITY is all ones, which a double rounds up. */
function limitAt(buffer: UserBuffer, offset: number): number {
  const value = buffer.u64(offset);
  return value >= 2 ** 64 ? UNLIMITED : value;
}

function setLimit(buffer: UserBuffer, offset: number, value: number): void {
  if (value === UNLIMITED) buffer.set32(offset, -1).set32(offset + 4, -1);
  else buffer.set64(offset, value);
}

/** Nanoseconds of a `struct timespec`, or -EINVAL. */
function timeIn(buffer: UserBuffer, offset: number): number {
  const seconds = buffer.i64(offset);
  const rest = buffer.i64(offset + 8);
  return seconds < 0 || rest < 0 || rest >= 1e9 ? -Errno.EINVAL : seconds * 1e9 + rest;
}

/** Nanoseconds of a `struct timeval`, or -EINVAL. */
function timevalIn(buffer: UserBuffer): number {
  const rest = buffer.i64(8);
  const seconds = buffer.i64(0) + Math.trunc(rest / 1e6);
  return seconds < 0 || rest < 0 ? -Errno.EINVAL : seconds * 1e9 + (rest % 1e6) * 1000;
}

function setTime(buffer: UserBuffer, offset: number, ns: number, unit: number): void {
  buffer.set64(offset, Math.floor(ns / 1e9)).set64(offset + 8, Math.floor((ns % 1e9) / unit));
}
