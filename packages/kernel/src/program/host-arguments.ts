import type { Cpu } from '@rpal/hw-x86';
import type { MessageQueueAttributes } from '@rpal/ipc';
import { CpuSet } from '@rpal/sched';
import { Errno, SignalCode, utf8 } from '@rpal/uapi';
import type { IoVec } from '@rpal/vfs';
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
} from '../process/call-arguments.js';
import type { Image } from '../process/image.js';
import type { MessageHeader } from '../process/message-header.js';
import type { SignalBits } from '../process/pending-signals.js';
import { DEFAULT_ACTION, type SignalAction } from '../process/signal-action.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';

/** Bytes of a path with the zero at its end, at most. */
const PATH_MAX = 4096;

/** The kernel knows names as bytes: those of a text in UTF-8, one character each. @public for packages that define system calls */
export function bytesOf(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : String.fromCharCode(...utf8(text));
}

/** In a register that has an address in Linux: the second string of a call with two (rename, link, symlink). @public for packages that define system calls */
export const SECOND_TEXT = 0x7465_7874;

/**
 * Arguments as programs of the host hand them over: where Linux has an address, the register is the value itself (a time in nanoseconds, a
 * mask, an option's value), or a field here or of the context holds the object. A second result is left in `second`.
 */
export class HostArguments implements CallArguments {
  readonly noTime: number = -Errno.EINVAL;
  header: MessageHeader = { segments: [] };
  cpus: CpuSet | readonly number[] = [];
  program: Image | string | null = null;
  attributes: MessageQueueAttributes | null = null;
  signalAction: SignalAction = DEFAULT_ACTION;
  /** What `SECOND_TEXT` stands for. */
  secondText = '';
  readonly #registers: UserContext;

  constructor(registers: UserContext) {
    this.#registers = registers;
  }

  string(_cpu: Cpu, _thread: Thread, address: number): string | number {
    const text = address === SECOND_TEXT ? this.secondText : this.#registers.text;
    const bytes = bytesOf(text);
    return bytes.length < PATH_MAX ? bytes : -Errno.ENAMETOOLONG;
  }

  queueName(): string | number {
    const { text } = this.#registers;
    return text.startsWith('/') ? text.slice(1) : -Errno.EINVAL;
  }

  socketName(): string {
    return this.#registers.text;
  }

  putSocketName(): number {
    return 0;
  }

  word(_cpu: Cpu, _thread: Thread, value: number): number {
    return value >>> 0;
  }

  putWord(_cpu: Cpu, _thread: Thread, _address: number, value: number): number {
    this.#registers.second = value;
    return 0;
  }

  optionRoom(): number {
    return 4;
  }

  putOption(_cpu: Cpu, _thread: Thread, _address: number, _lengthAddress: number, value: number): number {
    return value;
  }

  putLong(_cpu: Cpu, _thread: Thread, _address: number, value: number): number {
    return value;
  }

  putPair(_cpu: Cpu, _thread: Thread, _address: number, first: number, second: number): number {
    this.#registers.second = second;
    return first;
  }

  timespec(_cpu: Cpu, _thread: Thread, ns: number): number {
    return ns < 0 ? FOREVER : ns;
  }

  timeval(_cpu: Cpu, _thread: Thread, ns: number): number {
    return ns < 0 ? FOREVER : ns;
  }

  deadline(_cpu: Cpu, _thread: Thread, ns: number): number {
    return ns < 0 ? FOREVER : ns;
  }

  putTimeLeft(_cpu: Cpu, _thread: Thread, register: 2 | 4, ns: number): number {
    if (register === 2) this.#registers.a2 = ns;
    else this.#registers.a4 = ns;
    return 0;
  }

  interval(_cpu: Cpu, _thread: Thread, value: number, interval: number, into: Interval): number {
    into.value = value;
    into.interval = interval;
    into.old = 0;
    return 0;
  }

  putInterval(_cpu: Cpu, _thread: Thread, _address: number, value: number): number {
    return value;
  }

  isSignalSet(): boolean {
    return true;
  }

  signalSet(_cpu: Cpu, _thread: Thread, low: number, high: number): SignalBits {
    return { low, high };
  }

  callMask(_cpu: Cpu, _thread: Thread, mask: number): SignalBits | null {
    return mask < 0 ? null : { low: mask, high: 0 };
  }

  putSignalSet(_cpu: Cpu, _thread: Thread, _address: number, { low, high }: SignalBits): number {
    this.#registers.second = high >>> 0;
    return low >>> 0;
  }

  putPending(cpu: Cpu, thread: Thread, address: number, _bytes: number, set: SignalBits): number {
    return this.putSignalSet(cpu, thread, address, set);
  }

  action(): SignalAction {
    return this.signalAction;
  }

  putAction(): number {
    return 0;
  }

  signalValue(_cpu: Cpu, thread: Thread, value: number, _signal: number, into: SentSignal): number {
    const { pid, uid } = thread.credentials;
    into.value = value;
    into.valueHigh = 0;
    into.code = SignalCode.QUEUE;
    into.pid = pid;
    into.uid = uid;
    return 0;
  }

  putSignalInfo(_cpu: Cpu, _thread: Thread, _address: number, { value }: Pick<SignalValue, 'value'>): number {
    this.#registers.second = value;
    return 0;
  }

  notification(_cpu: Cpu, _thread: Thread, signal: number, value: number, into: SignalValue): number {
    into.signal = signal === 0 ? NO_NOTIFICATION : signal;
    into.value = value;
    into.valueHigh = 0;
    return 0;
  }

  segments(): readonly IoVec[] {
    return this.header.segments;
  }

  remoteSegments(): readonly IoVec[] {
    return this.header.remote ?? [];
  }

  message(): MessageHeader {
    return this.header;
  }

  putMessage(): number {
    return 0;
  }

  epollEvent(_cpu: Cpu, _thread: Thread, events: number, data: number, into: EpollEvent): number {
    into.events = events | 0;
    into.low = data | 0;
    into.high = Math.floor(data / 0x1_0000_0000) | 0;
    return 0;
  }

  queueAttributes(): MessageQueueAttributes | null {
    return this.attributes;
  }

  /** Register 3 is the hard limit; negative: as the soft one. */
  limit(_cpu: Cpu, _thread: Thread, value: number, into: Limit): number {
    if (value < 0) return 0;
    const hard = this.#registers.a3;
    into.soft = value;
    into.hard = hard < 0 ? value : hard;
    return 1;
  }

  putLimit(_cpu: Cpu, _thread: Thread, { soft, hard }: Limit): number {
    this.#registers.second = hard;
    return soft;
  }

  affinity(_cpu: Cpu, _thread: Thread, _address: number, _bytes: number, cpus: number): CpuSet {
    const wanted = this.cpus;
    if (wanted instanceof CpuSet) return wanted;
    return new CpuSet(
      cpus,
      wanted.filter((id) => Number.isInteger(id) && id >= 0 && id < cpus),
    );
  }

  affinityRoom(): number {
    return 0;
  }

  putAffinity(_cpu: Cpu, _thread: Thread, _address: number, _bytes: number, set: CpuSet): number {
    this.cpus = set;
    return 8 * Math.ceil(set.words.length / 2);
  }

  clone(): CloneRequest {
    return { process: false, tls: null };
  }

  image(): Image | string {
    return this.program as Image | string;
  }
}
