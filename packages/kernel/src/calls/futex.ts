import { type Cpu, Touch } from '@rpal/hw-x86';
import { accessOk, getUser32, putUser32, userPage, VmFlag } from '@rpal/mm';
import { FUTEX_MATCH_ANY, type FutexTable, FutexWaiter, type Scheduler, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Errno, Futex } from '@rpal/uapi';
import { OperationKind, Pending } from '@rpal/vfs';
import { FOREVER } from '../process/call-arguments.js';
import type { RestartBlock, Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { KernelStep } from '../steps.js';

/** What futexes need from a kernel. */
export interface FutexParts {
  readonly scheduler: Scheduler;
  readonly futexes: FutexTable;
}

/** What a futex word is known by: the address space and address of private memory, or 0 and the physical address. */
export interface Key {
  /** Where the caller sees the word. */
  address: number;
  space: number;
  offset: number;
}

/** Keys of the call being made; calls are atomic up to their sleep. */
const key: Key = { address: 0, space: 0, offset: 0 };
const otherKey: Key = { address: 0, space: 0, offset: 0 };

/** In the offset of a word in private memory that was looked up as one that may be shared (Linux: FUT_OFF_MMSHARED). */
const SAID_TO_BE_SHARED = 2;
/** Bytes of a futex. */
const WORD = 4;
/** Of FUTEX_WAKE_OP: XOR, and "greater or equal". */
const LAST_OPERATION = 4;
const LAST_COMPARISON = 5;

/** Commands that may look at the real-time clock. */
const CLOCKED: ReadonlySet<number> = new Set([Futex.WAIT_BITSET]);

/** futex(2). The timeout of FUTEX_WAIT_BITSET is a point in time, where machine code makes the call. */
export function futex(kernel: FutexParts, cpu: Cpu, thread: Thread, regs: UserContext): number {
  const { args, a0, a1, a2, a3, a4, a5 } = regs;
  const { futexes } = kernel;
  const command = a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
  cpu.charge(KernelStep.futexCall);
  const value = a2 | 0;
  const other = a3 | 0;
  if ((a1 & Futex.CLOCK_REALTIME) !== 0 && !CLOCKED.has(command)) return withTimeout(command, args.timespec(cpu, thread, a3));
  switch (command) {
    case Futex.WAIT: {
      const timeout = args.timespec(cpu, thread, a3);
      return timeout < FOREVER ? timeout : wait(kernel, cpu, thread, regs, timeout, FUTEX_MATCH_ANY);
    }
    case Futex.WAIT_BITSET: {
      const timeout = args.deadline(cpu, thread, a3);
      return timeout < FOREVER ? timeout : wait(kernel, cpu, thread, regs, timeout, a5 | 0);
    }
    case Futex.WAKE:
    case Futex.WAKE_BITSET: {
      const bitset = command === Futex.WAKE ? FUTEX_MATCH_ANY : a5 | 0;
      if (bitset === 0) return -Errno.EINVAL;
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key);
      if (failed !== 0) return failed;
      return wake(kernel, cpu, key, value, bitset);
    }
    case Futex.REQUEUE:
    case Futex.CMP_REQUEUE: {
      if (value < 0 || other < 0) return -Errno.EINVAL;
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key) || findKey(cpu, thread, a4, a1, Touch.LOAD, otherKey);
      if (failed !== 0) return failed;
      cpu.charge(KernelStep.futexRequeueCall);
      if (command === Futex.CMP_REQUEUE) {
        const word = getUser32(cpu, thread.memory, a0);
        if (word < 0) return word;
        if (word !== a5 >>> 0) return -Errno.EAGAIN;
      }
      // A waiter for a lock is not moved.
      if (value + other > 0 && futexes.owned?.has(key.space, key.offset)) return -Errno.EINVAL;
      return futexes.requeue(cpu, key.space, key.offset, value, other, otherKey.space, otherKey.offset);
    }
    case Futex.WAKE_OP: {
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key) || findKey(cpu, thread, a4, a1, Touch.STORE, otherKey);
      return failed !== 0 ? failed : wakeOp(kernel, cpu, thread, regs);
    }
    default:
      return -Errno.ENOSYS;
  }
}

/** A clock that the command does not know. A bad timeout is reported first. */
function withTimeout(command: number, timeout: number): number {
  const timed = command === Futex.WAIT || command === Futex.LOCK_PI;
  return timed && timeout < FOREVER ? timeout : -Errno.ENOSYS;
}

/** Wakes who waits at a key. @param count how many; one at least, because the kernel counts before it compares */
export function wake(kernel: FutexParts, cpu: Cpu, at: Key, count: number, bitset: number): number {
  // A waiter for a lock is not woken this way.
  if (kernel.futexes.owned?.has(at.space, at.offset)) return -Errno.EINVAL;
  return kernel.futexes.wake(cpu, at.space, at.offset, Math.max(1, count), bitset);
}

/**
 * Linux: `get_futex_key`.
 * @param command of it FUTEX_PRIVATE_FLAG
 * @param touch a caller that only reads the word may find it in read-only memory
 * @returns 0, -EINVAL for an address that is not a multiple of four, or -EFAULT
 */
export function findKey(cpu: Cpu, thread: Thread, address: number, command: number, touch: boolean, into: Key): number {
  cpu.charge(KernelStep.futexKeyPrivate);
  if (address % WORD !== 0) return -Errno.EINVAL;
  // The very end still passes (Linux: `valid_user_address`): what is there is found out by who looks.
  if (!accessOk(address, 0)) return -Errno.EFAULT;
  const { memory } = thread;
  into.address = address;
  into.space = memory.contextId;
  into.offset = address;
  if ((command & Futex.PRIVATE_FLAG) !== 0) return 0;
  cpu.charge(KernelStep.futexKeyShared);
  const area = memory.areas.containing(address);
  const common = area !== null && (area.flags & VmFlag.MAYSHARE) !== 0;
  // As for writing, where that is allowed: what is found then stays. Private memory that is read-only never changes: nobody waits there.
  let physical = userPage(cpu, memory, address, Touch.STORE);
  if (physical < 0 && touch === Touch.LOAD && common) physical = userPage(cpu, memory, address, Touch.LOAD);
  if (physical < 0) return physical;
  // Private memory belongs to one process, even while fork still shares its pages. Who says that a word is private does not meet who does not.
  into.space = common ? 0 : into.space;
  into.offset = common ? physical : address + SAID_TO_BE_SHARED;
  return 0;
}

function wait(
  kernel: FutexParts,
  cpu: Cpu,
  thread: Thread,
  { a0: address, a1: command, a2: expected }: UserContext,
  timeout: number,
  bitset: number,
): number {
  if (bitset === 0) return -Errno.EINVAL;
  const failed = findKey(cpu, thread, address, command, Touch.LOAD, key);
  if (failed !== 0) return failed;
  const value = getUser32(cpu, thread.memory, address);
  if (value < 0) return value;
  cpu.charge(KernelStep.futexCompare);
  if (value !== expected >>> 0) return -Errno.EAGAIN;
  const operation = thread.operations.get(FUTEX_WAIT) ?? thread.operations.keep(FUTEX_WAIT, new FutexWait(kernel, thread));
  thread.operation = operation.start(cpu, key, expected, bitset, timeout);
  return Pending.SLEEP;
}

/** FUTEX_WAKE_OP: changes the second word, wakes at the first, and at the second if its old value says so. */
function wakeOp(kernel: FutexParts, cpu: Cpu, thread: Thread, { a2, a3, a4: address, a5: encoded }: UserContext): number {
  const operation = (encoded >>> 28) & 0xf;
  const comparison = (encoded >>> 24) & 0xf;
  const signed = (encoded << 8) >> 20;
  const argument = (operation & 8) !== 0 ? 1 << (signed & 31) : signed;
  const against = (encoded << 20) >> 20;
  if ((operation & 7) > LAST_OPERATION) return -Errno.ENOSYS;
  cpu.charge(KernelStep.futexWakeOp);
  const old = getUser32(cpu, thread.memory, address);
  if (old < 0) return old;
  const changed = [argument, old + argument, old | argument, old & ~argument, old ^ argument][operation & 7] as number;
  const failed = putUser32(cpu, thread.memory, address, changed | 0);
  if (failed < 0) return failed;
  // By then the word has been changed, whatever the comparison says.
  if (comparison > LAST_COMPARISON) return -Errno.ENOSYS;
  const woken = wake(kernel, cpu, key, a2 | 0, FUTEX_MATCH_ANY);
  const value = old | 0;
  const holds = [value === against, value !== against, value < against, value <= against, value > against, value >= against][comparison];
  if (woken < 0 || holds !== true) return woken;
  const wokenOther = wake(kernel, cpu, otherKey, a3 | 0, FUTEX_MATCH_ANY);
  return wokenOther < 0 ? wokenOther : woken + wokenOther;
}

const FUTEX_WAIT: OperationKind<FutexWait> = new OperationKind('futex wait');

/** A wait that has begun. It ends with a wake-up, the timeout or a signal. */
export class FutexWait implements RestartBlock {
  readonly #kernel: FutexParts;
  readonly #thread: Thread;
  readonly #waiter: FutexWaiter;
  readonly #timer: SleepTimer;
  readonly #key: Key = { address: 0, space: 0, offset: 0 };
  #expected = 0;
  #bitset = 0;
  #timed = false;
  #expired = false;
  /** A signal has ended the wait, and no handler has run yet. */
  #interrupted = false;

  constructor(kernel: FutexParts, thread: Thread) {
    this.#kernel = kernel;
    this.#thread = thread;
    this.#waiter = new FutexWaiter(thread);
    this.#timer = new SleepTimer(kernel.scheduler, (cpu) => {
      this.#expired = true;
      kernel.scheduler.wakeUp(cpu, thread);
    });
  }

  start(cpu: Cpu, { address, space, offset }: Key, expected: number, bitset: number, timeout: number): this {
    this.#key.address = address;
    this.#key.space = space;
    this.#key.offset = offset;
    this.#expected = expected >>> 0;
    this.#bitset = bitset;
    this.#timed = timeout >= 0;
    this.#expired = false;
    this.#interrupted = false;
    this.#kernel.futexes.wait(cpu, this.#waiter, space, offset, bitset);
    if (this.#timed) this.#timer.start(cpu, timeout, sleepSlack(this.#thread));
    return this;
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    if (this.#interrupted) {
      const failed = this.#waitAgain(cpu);
      if (failed !== 0) return failed;
    }
    if (this.#waiter.bucket === null) {
      this.#timer.stop();
      thread.state = TaskState.RUNNING;
      this.#kernel.futexes.handover.take(cpu, thread, 0);
      return 0;
    }
    if (this.#expired || thread.signalPending) {
      this.#kernel.futexes.cancel(cpu, this.#waiter);
      thread.state = TaskState.RUNNING;
      if (this.#expired) return -Errno.ETIMEDOUT;
      if (!this.#timed) return -Errno.ERESTARTSYS;
      this.#interrupted = true;
      thread.restartBlock = this;
      return -Errno.ERESTART_RESTARTBLOCK;
    }
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this.#waiter);
    return Pending.SLEEP;
  }

  /** The wait begins anew, if the word is still what it was; the time runs on (Linux: `futex_wait_restart`). @returns 0 or a negative errno */
  #waitAgain(cpu: Cpu): number {
    this.#interrupted = false;
    const { address, space, offset } = this.#key;
    const value = getUser32(cpu, this.#thread.memory, address);
    if (value !== this.#expected) {
      this.#timer.stop();
      return value < 0 ? value : -Errno.EAGAIN;
    }
    this.#kernel.futexes.wait(cpu, this.#waiter, space, offset, this.#bitset);
    return 0;
  }

  abandon(): void {
    this.#timer.stop();
  }
}
