import { type Cpu, Touch } from '@rpal/hw-x86';
import { getUser32, putUser32, userPage, VmFlag } from '@rpal/mm';
import { FUTEX_MATCH_ANY, FutexWaiter, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Errno, Futex } from '@rpal/uapi';
import { OperationKind, Pending } from '@rpal/vfs';
import { FOREVER } from '../process/call-arguments.js';
import type { Key } from '../process/pi-futexes.js';
import type { RestartBlock, Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { KernelStep } from '../steps.js';
import { type FutexParts, lockPi, unlockPi } from './futex-pi.js';

/** Keys of the call being made; calls are atomic up to their sleep. */
const key: Key = { address: 0, space: 0, offset: 0 };
const otherKey: Key = { address: 0, space: 0, offset: 0 };

/** futex(2). The timeouts of FUTEX_WAIT_BITSET and FUTEX_LOCK_PI are points in time, where machine code makes the call. */
export function futex(kernel: FutexParts, cpu: Cpu, thread: Thread, regs: UserContext): number {
  const { args, a0, a1, a2, a3, a4, a5 } = regs;
  const { futexes } = kernel;
  const command = a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
  switch (command) {
    case Futex.WAIT: {
      const timeout = args.timespec(cpu, thread, a3);
      return timeout < FOREVER ? timeout : wait(kernel, cpu, thread, regs, timeout, FUTEX_MATCH_ANY);
    }
    case Futex.WAIT_BITSET: {
      const timeout = args.deadline(cpu, thread, a3);
      return timeout < FOREVER ? timeout : wait(kernel, cpu, thread, regs, timeout, a5);
    }
    case Futex.WAKE:
    case Futex.WAKE_BITSET: {
      const bitset = command === Futex.WAKE ? FUTEX_MATCH_ANY : a5;
      if (bitset === 0) return -Errno.EINVAL;
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key);
      if (failed !== 0) return failed;
      if (kernel.piFutexes.at(key) !== undefined) return -Errno.EINVAL;
      // At least one: the kernel counts before it compares.
      return futexes.wake(cpu, key.space, key.offset, Math.max(1, a2), bitset);
    }
    case Futex.REQUEUE:
    case Futex.CMP_REQUEUE: {
      if (a2 < 0 || a3 < 0) return -Errno.EINVAL;
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key) || findKey(cpu, thread, a4, a1, Touch.STORE, otherKey);
      if (failed !== 0) return failed;
      if (command === Futex.CMP_REQUEUE) {
        const value = getUser32(cpu, thread.memory, a0);
        if (value < 0) return value;
        if (value !== a5 >>> 0) return -Errno.EAGAIN;
      }
      return futexes.requeue(cpu, key.space, key.offset, a2, a3, otherKey.space, otherKey.offset);
    }
    case Futex.LOCK_PI:
    case Futex.TRYLOCK_PI:
    case Futex.UNLOCK_PI: {
      const failed = findKey(cpu, thread, a0, a1, Touch.STORE, key);
      if (failed !== 0) return failed;
      if (command === Futex.UNLOCK_PI) return unlockPi(kernel, cpu, thread, key);
      if (command === Futex.TRYLOCK_PI) return lockPi(kernel, cpu, thread, key, 'trylock');
      const timeout = args.deadline(cpu, thread, a3);
      return timeout < FOREVER ? timeout : lockPi(kernel, cpu, thread, key, 'lock', timeout);
    }
    case Futex.WAKE_OP: {
      const failed = findKey(cpu, thread, a0, a1, Touch.LOAD, key) || findKey(cpu, thread, a4, a1, Touch.STORE, otherKey);
      return failed !== 0 ? failed : wakeOp(kernel, cpu, thread, regs);
    }
    default:
      return -Errno.ENOSYS;
  }
}

/** @param command of it FUTEX_PRIVATE_FLAG @returns 0, -EINVAL for an address that is not a multiple of four, or -EFAULT */
export function findKey(cpu: Cpu, thread: Thread, address: number, command: number, write: boolean, into: Key): number {
  if (address % 4 !== 0) return -Errno.EINVAL;
  const { memory } = thread;
  into.address = address;
  into.space = memory.contextId;
  into.offset = address;
  if ((command & Futex.PRIVATE_FLAG) !== 0) {
    cpu.charge(KernelStep.futexKeyPrivate);
    return 0;
  }
  cpu.charge(KernelStep.futexKeyShared);
  const physical = userPage(cpu, memory, address, write);
  if (physical < 0) return physical;
  // Private memory is a process's own, also where fork has left it in common.
  const area = memory.areas.containing(address);
  if (area !== null && (area.flags & VmFlag.SHARED) !== 0) {
    into.space = 0;
    into.offset = physical;
  }
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
  if (value !== expected >>> 0) return -Errno.EAGAIN;
  const operation = thread.operations.get(FUTEX_WAIT) ?? thread.operations.keep(FUTEX_WAIT, new FutexWait(kernel, thread));
  thread.operation = operation.start(cpu, key, expected, bitset, timeout);
  return Pending.SLEEP;
}

/** FUTEX_WAKE_OP: changes the second word, wakes at the first, and at the second if its old value says so. */
function wakeOp(kernel: FutexParts, cpu: Cpu, thread: Thread, { a2: wake, a3: wakeOther, a4: address, a5: encoded }: UserContext): number {
  const operation = (encoded >>> 28) & 0xf;
  const comparison = (encoded >>> 24) & 0xf;
  const signed = (encoded << 8) >> 20;
  const argument = (operation & 8) !== 0 ? 1 << (signed & 31) : signed;
  const against = (encoded << 20) >> 20;
  const old = getUser32(cpu, thread.memory, address);
  if (old < 0) return old;
  const changed = [argument, old + argument, old | argument, old & ~argument, old ^ argument][operation & 7];
  if (changed === undefined || comparison > 5) return -Errno.ENOSYS;
  const failed = putUser32(cpu, thread.memory, address, changed | 0);
  if (failed < 0) return failed;
  const woken = kernel.futexes.wake(cpu, key.space, key.offset, Math.max(1, wake));
  const value = old | 0;
  const holds = [value === against, value !== against, value < against, value <= against, value > against, value >= against][comparison];
  if (holds !== true) return woken;
  return woken + kernel.futexes.wake(cpu, otherKey.space, otherKey.offset, Math.max(1, wakeOther));
}

const FUTEX_WAIT: OperationKind<FutexWait> = new OperationKind('futex wait');

/** A wait that has begun: ends with a wake-up, the timeout, or a signal. */
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
