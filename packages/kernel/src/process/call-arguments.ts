import type { Cpu } from '@rpal/hw-x86';
import type { MessageQueueAttributes } from '@rpal/ipc';
import type { CpuSet } from '@rpal/sched';
import type { IoVec } from '@rpal/vfs';
import type { Image } from './image.js';
import type { MessageHeader } from './message-header.js';
import type { QueuedSignal, SignalBits } from './pending-signals.js';
import type { SignalAction } from './signal-action.js';
import type { Thread } from './thread.js';

/** No timeout, as a duration. Errors are below it: none of them is -EPERM. */
export const FOREVER = -1;

/** What epoll_ctl is told (`struct epoll_event`). */
export interface EpollEvent {
  events: number;
  /** The user's 64 bits. */
  low: number;
  high: number;
}

/** A time to wait and a period, in nanoseconds (`struct itimerspec`). */
export interface Interval {
  value: number;
  interval: number;
  /** Where the old times are to be stored (`putInterval`); 0: nowhere. */
  old: number;
}

/** A signal and the value that comes with it (`struct sigevent`, `siginfo_t`). */
export interface SignalValue {
  signal: number;
  value: number;
  /** The upper word of a value that is a pointer. */
  valueHigh: number;
}

/** A limit of prlimit (`struct rlimit64`); Infinity: none. */
export interface Limit {
  soft: number;
  hard: number;
}

/** A signal that a process sends with a `siginfo_t` of its own. */
export interface SentSignal extends SignalValue {
  /** How it is said to have come (`si_code`), and from whom. */
  code: number;
  pid: number;
  uid: number;
}

/** In the place of mq_notify's signal: the caller is not to be told any more. Signal 0: it is told by none. */
export const NO_NOTIFICATION = -1000;

/** What clone is asked for. */
export interface CloneRequest {
  /** A process of its own, as by fork; else a thread of the caller's. */
  readonly process: boolean;
  /** FS base of a thread; null: the kernel maps its thread-local storage. */
  readonly tls: number | null;
  /** What a process shares with the caller, in place of a copy of its own. */
  readonly shares?: { readonly memory: boolean; readonly files: boolean };
}

/**
 * The arguments of a system call that are more than numbers, and its results besides the result register. Registers are laid out as in
 * Linux; a register that holds an address there is read through this. There are two readers: `HostArguments` for programs that hand
 * over host objects (the register, or a field of the context, is the value itself), and `GuestArguments` for machine code, whose
 * strings and structures lie in its memory.
 *
 * Everything that reads returns what was read or a negative errno; everything that writes, the result of the call or a negative errno.
 */
export interface CallArguments {
  /** A path or name of at most 4095 bytes. */
  string(cpu: Cpu, thread: Thread, address: number): string | number;
  /** Name of a message queue: without the slash that the C library takes off. */
  queueName(cpu: Cpu, thread: Thread, address: number): string | number;
  /** `struct sockaddr_un`: the name of a socket; empty: none of its own; null: not the name of a Unix socket. @param bytes its length */
  socketName(cpu: Cpu, thread: Thread, address: number, bytes: number): string | null | number;
  /** Gives accept or recvfrom the name of the peer; empty: it has none; null: there is no peer. */
  putSocketName(cpu: Cpu, thread: Thread, address: number, lengthAddress: number, name: string | null): number;
  /** A whole number of 32 bits behind a pointer, as unsigned (sched_param, socket options). */
  word(cpu: Cpu, thread: Thread, address: number): number;
  /** A second result: the status of wait4, the priority of a message. */
  putWord(cpu: Cpu, thread: Thread, address: number, value: number): number;
  /** Room for the value of a socket option, or -EFAULT or -EINVAL. */
  optionRoom(cpu: Cpu, thread: Thread, lengthAddress: number): number;
  /** The value of a socket option. */
  putOption(cpu: Cpu, thread: Thread, address: number, lengthAddress: number, value: number): number;
  /** A word of 64 bits (arch_prctl). */
  putLong(cpu: Cpu, thread: Thread, address: number, value: number): number;
  /** Two descriptors. */
  putPair(cpu: Cpu, thread: Thread, address: number, first: number, second: number): number;

  /** What a call fails with that needs a time and was given none. */
  readonly noTime: number;
  /** `struct timespec`: nanoseconds from now, or `FOREVER`. */
  timespec(cpu: Cpu, thread: Thread, address: number): number;
  /** `struct timeval`, likewise. */
  timeval(cpu: Cpu, thread: Thread, address: number): number;
  /** An absolute time of the real-time clock, as nanoseconds from now, or `FOREVER`. */
  deadline(cpu: Cpu, thread: Thread, address: number): number;
  /** What ppoll (`register` 2) and select (4) leave of their timeout when a signal ends them. */
  putTimeLeft(cpu: Cpu, thread: Thread, register: 2 | 4, ns: number): number;
  interval(cpu: Cpu, thread: Thread, address: number, interval: number, into: Interval): number;
  putInterval(cpu: Cpu, thread: Thread, address: number, value: number, interval: number): number;

  /** Is that the size of a `sigset_t`? */
  isSignalSet(bytes: number): boolean;
  /** `sigset_t`; null: there is none. @param high the upper word, where sets are passed by value @param bytes size of the set */
  signalSet(cpu: Cpu, thread: Thread, address: number, high: number, bytes: number): SignalBits | null | number;
  /** A mask for the time of the call; null: none. */
  callMask(cpu: Cpu, thread: Thread, address: number, bytes: number): SignalBits | null | number;
  /** The old mask, or pending signals. */
  putSignalSet(cpu: Cpu, thread: Thread, address: number, set: SignalBits): number;
  /** The first `bytes` of it, 0 to 8, whatever the address is. */
  putPending(cpu: Cpu, thread: Thread, address: number, bytes: number, set: SignalBits): number;
  /** `struct sigaction`; null: only the old one is asked for. */
  action(cpu: Cpu, thread: Thread, address: number): SignalAction | null | number;
  putAction(cpu: Cpu, thread: Thread, address: number, action: SignalAction): number;
  /** What sigqueue sends along, and `si_code`. */
  signalValue(cpu: Cpu, thread: Thread, address: number, signal: number, into: SentSignal): number;
  /** The signal that sigtimedwait has taken, which is also its result. */
  putSignalInfo(cpu: Cpu, thread: Thread, address: number, taken: QueuedSignal): number;
  /** `struct sigevent` of mq_notify, by address or as signal and value; the signal may be `NO_NOTIFICATION`. */
  notification(cpu: Cpu, thread: Thread, address: number, value: number, into: SignalValue): number;

  /** An array of `struct iovec`. */
  segments(cpu: Cpu, thread: Thread, address: number, count: number): readonly IoVec[] | number;
  /** The second array of process_vm_readv and process_vm_writev. */
  remoteSegments(cpu: Cpu, thread: Thread, address: number, count: number): readonly IoVec[] | number;
  /** `struct msghdr` with its control messages. */
  message(cpu: Cpu, thread: Thread, address: number): MessageHeader | number;
  /** What recvmsg has left in the header. */
  putMessage(cpu: Cpu, thread: Thread, address: number, header: MessageHeader): number;
  epollEvent(cpu: Cpu, thread: Thread, address: number, data: number, into: EpollEvent): number;
  queueAttributes(cpu: Cpu, thread: Thread, address: number): MessageQueueAttributes | null | number;
  /** `struct rlimit64`. @returns 1 if there is one, 0 if the old one is only asked for */
  limit(cpu: Cpu, thread: Thread, address: number, into: Limit): number;
  /** The old limit, if the caller wants it: register 3. */
  putLimit(cpu: Cpu, thread: Thread, old: Limit): number;

  /** @param cpus how many the machine has: others are left out */
  affinity(cpu: Cpu, thread: Thread, address: number, bytes: number, cpus: number): CpuSet | number;
  /** Is there room for the affinity of a machine with so many CPUs? @returns 0 or -EINVAL */
  affinityRoom(bytes: number, cpus: number): number;
  putAffinity(cpu: Cpu, thread: Thread, address: number, bytes: number, set: CpuSet): number;
  clone(cpu: Cpu, thread: Thread): CloneRequest | number;
  /** What exec is to run: an image, or the path of one. */
  image(cpu: Cpu, thread: Thread, address: number): Image | string | number;
}
