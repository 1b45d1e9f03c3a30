import { type Cpu, SpinLock } from '@rpal/hw-x86';
import { getUser32 } from '@rpal/mm';
import { type Handover, type Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, OpenFlag, Poll } from '@rpal/uapi';
import { begin, type Caller, File, OperationKind, Pending, type PollTable, putValue, RetryOperation, VfsStep, Waiter } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** Flags of eventfd2. */
export const EventfdFlag = { SEMAPHORE: 1, NONBLOCK: OpenFlag.NONBLOCK, CLOEXEC: OpenFlag.CLOEXEC } as const;

const WORD = 0x1_0000_0000;
/** Bytes of a value. */
const SIZE = 8;

/** An eventfd (fs/eventfd.c): a 64-bit count, kept as two words. */
export class EventFd extends File {
  readonly scheduler: Scheduler;
  readonly lock: SpinLock = new SpinLock(1, 'eventfd');
  readonly wait: WaitQueue = new WaitQueue('eventfd');
  readonly handover: Handover;
  readonly semaphore: boolean;
  high = 0;
  low: number;

  /** @param initial 32-bit start value */
  constructor(scheduler: Scheduler, initial: number, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.scheduler = scheduler;
    this.handover = scheduler.handovers.open('eventfd');
    this.low = initial >>> 0;
    this.semaphore = (flags & EventfdFlag.SEMAPHORE) !== 0;
  }

  /** The count; exact below 2^53. */
  get value(): number {
    return this.high * WORD + this.low;
  }

  override get description(): string {
    const hex = (word: number) => word.toString(16);
    const count = this.high === 0 ? hex(this.low) : `${hex(this.high)}${hex(this.low).padStart(8, '0')}`;
    return `eventfd-count: ${count.padStart(16)}\neventfd-semaphore: ${this.semaphore ? 1 : 0}\n`;
  }

  override get readsIov(): boolean {
    return true;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    cpu.charge(IpcStep.eventfdFile);
    if (length < SIZE) return -Errno.EINVAL;
    const operation = caller.operations.get(EVENTFD_READ) ?? caller.operations.keep(EVENTFD_READ, new EventfdReadOperation(this, caller));
    return begin(cpu, caller, operation.start(this, address));
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    cpu.charge(IpcStep.eventfdFile);
    if (length !== SIZE) return -Errno.EINVAL;
    const low = getUser32(cpu, caller.memory, address);
    const high = getUser32(cpu, caller.memory, address + 4);
    if (low < 0 || high < 0) return -Errno.EFAULT;
    if (low === WORD - 1 && high === WORD - 1) return -Errno.EINVAL;
    const operation =
      caller.operations.get(EVENTFD_WRITE) ?? caller.operations.keep(EVENTFD_WRITE, new EventfdWriteOperation(this, caller));
    return begin(cpu, caller, operation.start(this, high, low));
  }

  /** noop_llseek: stays where it is. */
  override seek(): number {
    return 0;
  }

  override release(cpu: Cpu): void {
    cpu.charge(VfsStep.anonRelease);
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.filePoll);
    table?.register(cpu, this.wait);
    let mask = 0;
    if (this.high !== 0 || this.low !== 0) mask |= Poll.IN;
    if (this.high === WORD - 1 && this.low === WORD - 1) mask |= Poll.ERR;
    if (this.high < WORD - 1 || this.low < WORD - 2) mask |= Poll.OUT;
    return mask;
  }

  /** Adds to the count, whoever does it (Linux: `eventfd_signal`). @returns false if it would overflow */
  add(cpu: Cpu, high: number, low: number): boolean {
    const sum = this.low + low;
    const carried = this.high + high + (sum >= WORD ? 1 : 0);
    const rest = sum % WORD;
    // The largest value is never reached by adding.
    if (carried >= WORD || (carried === WORD - 1 && rest === WORD - 1)) return false;
    this.high = carried;
    this.low = rest;
    this.handover.put(cpu, SIZE);
    this.wait.wakeOne(cpu, Poll.IN);
    return true;
  }
}

/** A call that waits until the count allows it. */
abstract class EventfdOperation extends RetryOperation {
  protected file: EventFd;
  /** The result of an attempt that the count does not allow. */
  protected refused: number = Pending.NOTHING_YET;
  #slept = false;

  constructor(file: EventFd, caller: Caller) {
    super(caller, file.scheduler, Waiter.NONEXCLUSIVE);
    this.file = file;
  }

  protected begin(file: EventFd): void {
    this.file = file;
    this.refused = file.nonblocking ? -Errno.EAGAIN : Pending.NOTHING_YET;
    this.#slept = false;
  }

  protected override get queue(): WaitQueue {
    return this.file.wait;
  }

  protected override prepare(cpu: Cpu): void {
    cpu.charge(IpcStep.eventfdBlock);
    this.#slept = true;
  }

  /** The price of the call's body, once: what follows a sleep is in the price of that. */
  protected charge(cpu: Cpu, step: number): void {
    if (!this.#slept) cpu.charge(step);
  }
}

/** eventfd_read. */
class EventfdReadOperation extends EventfdOperation {
  #address = 0;

  start(file: EventFd, address: number): this {
    this.begin(file);
    this.#address = address;
    return this;
  }

  protected override attempt(cpu: Cpu): number {
    const { file } = this;
    this.charge(cpu, IpcStep.eventfdRead);
    file.lock.acquire(cpu);
    const { high, low } = file;
    if (high === 0 && low === 0) {
      file.lock.release(cpu);
      return this.refused;
    }
    file.handover.take(cpu, this.caller.task, SIZE);
    if (file.semaphore) {
      file.low = low === 0 ? WORD - 1 : low - 1;
      if (low === 0) file.high = high - 1;
    } else {
      file.high = 0;
      file.low = 0;
    }
    file.wait.wakeOne(cpu, Poll.OUT);
    file.lock.release(cpu);
    const failed = putValue(cpu, this.caller, this.#address, file.semaphore ? 0 : high, file.semaphore ? 1 : low);
    return failed < 0 ? failed : SIZE;
  }
}

/** The `EventfdReadOperation` of each task. */
const EVENTFD_READ: OperationKind<EventfdReadOperation> = new OperationKind('eventfd read');

/** eventfd_write. */
class EventfdWriteOperation extends EventfdOperation {
  #high = 0;
  #low = 0;

  start(file: EventFd, high: number, low: number): this {
    this.begin(file);
    this.#high = high;
    this.#low = low;
    return this;
  }

  protected override attempt(cpu: Cpu): number {
    const { file } = this;
    this.charge(cpu, IpcStep.eventfdWrite);
    file.lock.acquire(cpu);
    const added = file.add(cpu, this.#high, this.#low);
    file.lock.release(cpu);
    return added ? SIZE : this.refused;
  }
}

/** The `EventfdWriteOperation` of each task. */
const EVENTFD_WRITE: OperationKind<EventfdWriteOperation> = new OperationKind('eventfd write');
