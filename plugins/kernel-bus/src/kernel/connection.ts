import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { MappedFile, type MemoryFile, mmap } from '@rpal/mm';
import { type Handover, WaitQueue } from '@rpal/sched';
import { Errno, OpenFlag, Poll } from '@rpal/uapi';
import { type Caller, File, type PollTable, VfsStep } from '@rpal/vfs';
import { BusStep } from '../steps.js';
import type { BusNamespace } from './namespace.js';
import { Pool } from './pool.js';

/** Commands of a connection. @public for programs that make the calls */
export const BusIoctl = {
  /** The argument points to id of the destination (0: a name; -1: whoever has asked for it), address of the name, address of the message, length. */
  SEND: 0x9501,
  /** The first message: sender, offset in the pool and length are stored where the argument points. It stays in the pool until FREE. */
  RECEIVE: 0x9502,
  /** Gives the piece of the pool back that begins at the argument. */
  FREE: 0x9503,
  /** The argument is the address of a name that this connection wants to have. */
  OWN: 0x9504,
  /** This connection wants broadcasts of the connection with the id in the argument; 0: of all. */
  MATCH: 0x9505,
  /** Connections of other users may send to this one. */
  OPEN: 0x9506,
} as const;

/** The destination of a broadcast. @public for programs that make the calls */
export const BROADCAST = -1;

const SEND_BYTES = 32;
const RECEIVED_BYTES = 24;
/** Longest name, with the zero behind it. */
const NAME_BYTES = 256;

/** A message that waits, and is in the pool already. */
interface Waiting {
  readonly from: number;
  readonly offset: number;
  readonly length: number;
}

/** An open connection: a queue of messages, and the pool that they are in, which its owner maps to read them where they are. */
export class Connection extends File {
  readonly id: number;
  readonly uid: number;
  readonly pool: Pool;
  readonly memory: MemoryFile;
  readonly wait: WaitQueue = new WaitQueue('bus connection');
  readonly #bus: BusNamespace;
  readonly #handover: Handover;
  readonly #mapped: MappedFile;
  readonly #queue: Waiting[] = [];
  /** Whom it gets broadcasts from; 0 among them: from all. */
  readonly #wanted = new Set<number>();
  /** Connections that have sent to it and may be answered, whoever they belong to. */
  readonly #asked = new Set<number>();
  #opened = false;

  constructor(bus: BusNamespace, id: number, uid: number, memory: MemoryFile, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.id = id;
    this.uid = uid;
    this.pool = new Pool(memory.size);
    this.memory = memory;
    this.#bus = bus;
    this.#handover = bus.scheduler.handovers.open('bus connection');
    this.#mapped = new MappedFile(memory, OpenFlag.RDONLY);
    memory.get();
  }

  override get canRead(): boolean {
    return false;
  }

  override get canWrite(): boolean {
    return false;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.filePoll);
    table?.register(cpu, this.wait);
    return Poll.OUT | Poll.WRNORM | (this.#queue.length > 0 ? Poll.IN | Poll.RDNORM : 0);
  }

  /** The pool, to be read only. */
  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number, offset: number): number {
    if (offset !== 0) return -Errno.EINVAL;
    return mmap(cpu, caller.memory, hint, length, prot, flags, { object: this.#mapped, offset: 0 });
  }

  override ioctl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    const thread = caller as Thread;
    switch (command) {
      case BusIoctl.SEND:
        return this.#send(cpu, thread, argument);
      case BusIoctl.RECEIVE:
        return this.#receive(cpu, thread, argument);
      case BusIoctl.FREE:
        cpu.charge(BusStep.manage);
        return this.pool.free(argument) ? 0 : -Errno.ENXIO;
      case BusIoctl.OWN: {
        cpu.charge(BusStep.manage);
        const name = nameAt(cpu, thread, argument);
        return typeof name === 'number' ? name : this.#bus.own(name, this);
      }
      case BusIoctl.MATCH:
        cpu.charge(BusStep.manage);
        if (argument < 0) return -Errno.EINVAL;
        this.#wanted.add(argument);
        return 0;
      case BusIoctl.OPEN:
        cpu.charge(BusStep.manage);
        this.#opened = true;
        return 0;
      default:
        return -Errno.ENOTTY;
    }
  }

  /** Does it want broadcasts of the connection with that id? */
  wants(id: number): boolean {
    return id !== this.id && (this.#wanted.has(0) || this.#wanted.has(id));
  }

  #send(cpu: Cpu, thread: Thread, argument: number): number {
    cpu.charge(BusStep.send);
    const buffer = new UserBuffer(SEND_BYTES);
    if (buffer.load(cpu, thread, argument, SEND_BYTES) < 0) return -Errno.EFAULT;
    const [id, name, address, length] = [buffer.i64(0), buffer.u64(8), buffer.u64(16), buffer.u64(24)];
    if (length === 0) return -Errno.EINVAL;
    if (id === BROADCAST) {
      for (const one of this.#bus.wanting(this.id)) {
        // A reader without room misses a broadcast; its sender is not held up.
        const result = one.#put(cpu, thread, this.id, address, length);
        if (result === -Errno.EFAULT) return result;
      }
      return 0;
    }
    const text = id === 0 ? nameAt(cpu, thread, name) : '';
    if (typeof text === 'number') return text;
    const to = id === 0 ? this.#bus.owner(text) : this.#bus.connection(id);
    if (to === undefined) return id === 0 ? -Errno.ESRCH : -Errno.ENXIO;
    if (!to.#takesFrom(this)) return -Errno.EPERM;
    const result = to.#put(cpu, thread, this.id, address, length);
    if (result === 0) this.#asked.add(to.id);
    return result;
  }

  /** Its own user's connections, root's, and those that it has asked something may send to it; all if it has said so. */
  #takesFrom(sender: Connection): boolean {
    return this.#opened || sender.uid === this.uid || sender.uid === 0 || this.#asked.delete(sender.id);
  }

  /** Copies a message once, from the memory of its sender into the pool of its receiver. @returns 0, -ENOBUFS or -EFAULT */
  #put(cpu: Cpu, sender: Thread, from: number, address: number, length: number): number {
    const offset = this.pool.allocate(length);
    if (offset < 0) return -Errno.ENOBUFS;
    const copied = this.memory.write(cpu, sender.memory, address, offset, length);
    if (copied < length) {
      this.pool.free(offset);
      return copied < 0 ? copied : -Errno.EFAULT;
    }
    cpu.chargeBytes(BusStep.copy, length);
    this.#queue.push({ from, offset, length });
    this.#handover.put(cpu, length);
    this.wait.wakeOneSync(cpu, Poll.IN | Poll.RDNORM);
    return 0;
  }

  #receive(cpu: Cpu, thread: Thread, argument: number): number {
    cpu.charge(BusStep.receive);
    const first = this.#queue[0];
    if (first === undefined) return -Errno.EAGAIN;
    const buffer = new UserBuffer(RECEIVED_BYTES).set64(0, first.from).set64(8, first.offset).set64(16, first.length);
    if (buffer.store(cpu, thread, argument, RECEIVED_BYTES) < 0) return -Errno.EFAULT;
    this.#queue.shift();
    this.#handover.take(cpu, thread, first.length);
    return 0;
  }

  override release(_cpu: Cpu): void {
    this.#bus.leave(this);
    this.memory.put();
  }
}

/** A name in user memory, up to its zero. @returns -EFAULT, or -EINVAL for an empty or an endless one */
function nameAt(cpu: Cpu, thread: Thread, address: number): string | number {
  const buffer = new UserBuffer(1);
  let name = '';
  for (let i = 0; i < NAME_BYTES; i++) {
    if (buffer.load(cpu, thread, address + i, 1) < 0) return -Errno.EFAULT;
    const byte = buffer.view.getUint8(0);
    if (byte === 0) return name === '' ? -Errno.EINVAL : name;
    name += String.fromCharCode(byte);
  }
  return -Errno.EINVAL;
}
