import type { Cpu } from '@rpal/hw-x86';
import type { UnixSocket } from '@rpal/ipc';
import { GuestArguments, type Syscall, type Thread, UserBuffer, UserContext } from '@rpal/kernel';
import { Errno, LinuxCall, MessageFlag } from '@rpal/uapi';
import { begin, type Operation, Pending, UIO_MAXIOV } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { getTime, putInt, putTime, Unit } from '../user-memory.js';
import { socketOf } from './socket-names.js';

/** Bytes of a `struct mmsghdr`: a header, and how many bytes of its message went. */
const MMSGHDR = 64;
const LENGTH = 56;
/** Set by the kernel alone, for programs of 32 bits. */
const MSG_CMSG_COMPAT = 1 << 31;
const MSG_WAITFORONE = 0x1_0000;
const MSG_ERRQUEUE = 0x2000;

/** The registers of one message of a series: it is a call like that for one message, and its header lies in memory. */
class MessageRegisters extends UserContext {
  readonly args: GuestArguments = new GuestArguments(this);

  override resume(): void {}
}

/** sendmmsg(2) and recvmmsg(2). */
export function defineMessageSeries(calls: Calls): void {
  const { syscalls } = calls.kernel;

  calls.define(
    'sendmmsg',
    (cpu, thread, { contexts, a0, a1, a2, a3 }) => {
      if ((a3 & MSG_CMSG_COMPAT) !== 0) return -Errno.EINVAL;
      const socket = socketOf(cpu, thread, a0);
      if (typeof socket === 'number') return socket;
      const registers = new MessageRegisters(contexts, cpu, null);
      registers.nr = LinuxCall.sendmsg;
      [registers.a0, registers.a1, registers.a2] = [a0, a1, a3];
      const count = Math.min(a2 >>> 0, UIO_MAXIOV);
      return begin(cpu, thread, new MessageSeries(thread, syscalls.get(LinuxCall.sendmsg) as Syscall, registers, count));
    },
    { holds: [0] },
  );

  calls.define(
    'recvmmsg',
    (cpu, thread, { contexts, a0, a1, a2, a3, a4 }) => {
      if ((a3 & MSG_CMSG_COMPAT) !== 0) return -Errno.EINVAL;
      const timeout = a4 === 0 ? 0 : getTime(cpu, thread, a4, Unit.TIMESPEC);
      if (timeout < 0) return timeout;
      const socket = socketOf(cpu, thread, a0);
      if (typeof socket === 'number') return socket;
      const error = (a3 & MSG_ERRQUEUE) === 0 ? socket.takeError() : 0;
      if (error < 0) return error;
      const registers = new MessageRegisters(contexts, cpu, null);
      registers.nr = LinuxCall.recvmsg;
      [registers.a0, registers.a1, registers.a2] = [a0, a1, a3 & ~MSG_WAITFORONE];
      const until = a4 === 0 ? null : { address: a4, time: nowOf(cpu) + timeout };
      const receive = syscalls.get(LinuxCall.recvmsg) as Syscall;
      return begin(cpu, thread, new ReceivedSeries(thread, receive, registers, a2 >>> 0, socket, a3, until));
    },
    { holds: [0] },
  );
}

/** Messages one after the other, each as by a call of its own, up to the first that fails. */
class MessageSeries implements Operation {
  protected readonly thread: Thread;
  protected readonly registers: MessageRegisters;
  readonly #call: Syscall;
  readonly #count: number;
  /** Messages that are through. */
  protected done = 0;
  /** What the present message is in. */
  #inner: Operation | null = null;

  constructor(thread: Thread, call: Syscall, registers: MessageRegisters, count: number) {
    this.thread = thread;
    this.#call = call;
    this.registers = registers;
    this.#count = count;
  }

  step(cpu: Cpu): number {
    const { thread, registers } = this;
    while (this.done < this.#count) {
      const result = this.#inner === null ? this.#begin(cpu) : this.#inner.step(cpu);
      if (result <= Pending.AGAIN) return result;
      this.#inner = null;
      const error = result < 0 ? result : putInt(cpu, thread, registers.a1 + LENGTH, result);
      if (error < 0) {
        if (this.done === 0) return error;
        this.failed(error);
        break;
      }
      this.done++;
      if (this.ends(cpu, result)) break;
      registers.a1 += MMSGHDR;
    }
    return this.finished(cpu);
  }

  #begin(cpu: Cpu): number {
    const { thread } = this;
    const result = this.#call.handler(cpu, thread, this.registers);
    if (result > Pending.AGAIN) return result;
    this.#inner = thread.operation;
    thread.operation = this;
    return result === Pending.SLEEP ? result : Pending.AGAIN;
  }

  /** A message that is not the first failed. */
  protected failed(_error: number): void {}

  /** Is the message that has just gone through the last one? @param bytes of it that went */
  protected ends(cpu: Cpu, bytes: number): boolean {
    return bytes < bytesOf(cpu, this.thread, this.registers.a1);
  }

  protected finished(_cpu: Cpu): number {
    return this.done;
  }
}

/** Messages that are received: a time may be set after which no further one is begun, and errors are left for the next call. */
class ReceivedSeries extends MessageSeries {
  readonly #socket: UnixSocket;
  readonly #flags: number;
  readonly #until: { readonly address: number; readonly time: number } | null;

  constructor(
    thread: Thread,
    call: Syscall,
    registers: MessageRegisters,
    count: number,
    socket: UnixSocket,
    flags: number,
    until: { readonly address: number; readonly time: number } | null,
  ) {
    super(thread, call, registers, count);
    this.#socket = socket;
    this.#flags = flags;
    this.#until = until;
  }

  protected override failed(error: number): void {
    if (error !== -Errno.EAGAIN && -error < Errno.ERESTARTSYS) this.#socket.error = -error;
  }

  protected override ends(cpu: Cpu): boolean {
    const { registers, thread } = this;
    if ((this.#flags & MSG_WAITFORONE) !== 0) registers.a2 |= MessageFlag.DONTWAIT;
    if (this.#until !== null && nowOf(cpu) >= this.#until.time) return true;
    return word.load(cpu, thread, registers.a1 + FLAGS, 4) === 0 && (word.i32(0) & MessageFlag.OOB) !== 0;
  }

  protected override finished(cpu: Cpu): number {
    const until = this.#until;
    if (until === null || this.done === 0) return this.done;
    const left = Math.max(0, until.time - nowOf(cpu));
    return putTime(cpu, this.thread, until.address, left, Unit.TIMESPEC) < 0 ? -Errno.EFAULT : this.done;
  }
}

/** Where a header has its flags. */
const FLAGS = 48;
const word = new UserBuffer(4);
const header = new UserBuffer(32);
const segment = new UserBuffer(16);

/** Bytes of the segments of a message. */
function bytesOf(cpu: Cpu, thread: Thread, address: number): number {
  if (header.load(cpu, thread, address, 32) < 0) return 0;
  let sum = 0;
  for (let i = 0; i < header.u64(24); i++) if (segment.load(cpu, thread, header.u64(16) + 16 * i, 16) === 0) sum += segment.u64(8);
  return sum;
}
