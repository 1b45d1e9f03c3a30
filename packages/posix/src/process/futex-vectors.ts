import { type Cpu, Touch } from '@rpal/hw-x86';
import { FOREVER, type FutexKey, futexKey, futexWake, type Kernel, type Thread, UserBuffer } from '@rpal/kernel';
import { getUser32 } from '@rpal/mm';
import { FutexWaiter, SleepTimer, sleepSlack, TaskState, type WaitTarget } from '@rpal/sched';
import { Errno, Futex } from '@rpal/uapi';
import { begin, type Operation, Pending } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { getTime, Unit } from '../user-memory.js';

/** Flags of a futex of these calls: of the sizes that there may be one day, 32 bits is the one that there is. */
const Size = { MASK: 3, U32: 2 } as const;
const VALID: number = Size.MASK | Futex.PRIVATE_FLAG;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
/** Most futexes that one call waits for (FUTEX_WAITV_MAX), and bytes of a `struct futex_waitv`. */
const WAITERS_MAX = 128;
const WAITER = 24;

/** One futex that a call is about. */
interface Wanted {
  readonly address: number;
  readonly expected: number;
  /** Of futex(2): FUTEX_PRIVATE_FLAG, or 0. */
  readonly command: number;
}

/** futex_waitv, futex_wait, futex_wake and futex_requeue (kernel/futex/syscalls.c). */
export function defineFutexVectors(calls: Calls): void {
  const { kernel } = calls;
  const buffer = new UserBuffer(WAITER);
  const key: FutexKey = { address: 0, space: 0, offset: 0 };
  const other: FutexKey = { address: 0, space: 0, offset: 0 };

  /** The futexes of a `struct futex_waitv[count]`, or -EFAULT or -EINVAL. */
  const parse = (cpu: Cpu, thread: Thread, address: number, count: number): Wanted[] | number => {
    const wanted: Wanted[] = [];
    for (let i = 0; i < count; i++) {
      if (buffer.load(cpu, thread, address + WAITER * i, WAITER) < 0) return -Errno.EFAULT;
      const flags = buffer.u32(16);
      if ((flags & ~VALID) !== 0 || buffer.u32(20) !== 0 || (flags & Size.MASK) !== Size.U32) return -Errno.EINVAL;
      if (buffer.u32(4) !== 0) return -Errno.EINVAL;
      wanted.push({ address: buffer.u64(8), expected: buffer.u32(0), command: flags & Futex.PRIVATE_FLAG });
    }
    return wanted;
  };

  /** An absolute time of one of two clocks, which show the same. @returns nanoseconds from now, or `FOREVER`; -EINVAL, -EFAULT */
  const deadline = (cpu: Cpu, thread: Thread, address: number, clock: number): number => {
    if (address === 0) return FOREVER;
    if (clock !== CLOCK_REALTIME && clock !== CLOCK_MONOTONIC) return -Errno.EINVAL;
    const until = getTime(cpu, thread, address, Unit.TIMESPEC);
    return until < 0 ? until : Math.max(0, until - nowOf(cpu));
  };

  const isSize32 = (flags: number): boolean => (flags & ~VALID) === 0 && (flags & Size.MASK) === Size.U32;

  calls.define('futex_waitv', (cpu, thread, { a0, a1, a2, a3, a4 }) => {
    const count = a1 >>> 0;
    if (a2 >>> 0 !== 0 || count === 0 || count > WAITERS_MAX || a0 === 0) return -Errno.EINVAL;
    const timeout = deadline(cpu, thread, a3, a4 | 0);
    if (timeout < FOREVER) return timeout;
    const wanted = parse(cpu, thread, a0, count);
    if (typeof wanted === 'number') return wanted;
    return new FutexesWait(kernel, thread).begin(cpu, wanted, ALL, timeout);
  });

  calls.define('futex_wait', (cpu, thread, { a0, a1, a2, a3, a4, a5 }) => {
    if (!isSize32(a3 >>> 0)) return -Errno.EINVAL;
    if (!isWord(a1) || !isWord(a2)) return -Errno.EINVAL;
    const timeout = deadline(cpu, thread, a4, a5 | 0);
    if (timeout < FOREVER) return timeout;
    if (a2 === 0) return -Errno.EINVAL;
    const wanted = [{ address: a0, expected: a1, command: a3 & Futex.PRIVATE_FLAG }];
    return new FutexesWait(kernel, thread).begin(cpu, wanted, a2 | 0, timeout);
  });

  calls.define('futex_wake', (cpu, thread, { a0, a1, a2, a3 }) => {
    if (!isSize32(a3 >>> 0) || !isWord(a1) || a1 === 0) return -Errno.EINVAL;
    const failed = futexKey(cpu, thread, a0, a3 & Futex.PRIVATE_FLAG, Touch.LOAD, key);
    if (failed !== 0) return failed;
    const count = a2 | 0;
    if (count === 0) return 0;
    return futexWake(kernel, cpu, key, count, a1 | 0);
  });

  calls.define('futex_requeue', (cpu, thread, { a0, a1, a2, a3 }) => {
    if (a1 >>> 0 !== 0 || a0 === 0) return -Errno.EINVAL;
    const wanted = parse(cpu, thread, a0, 2);
    if (typeof wanted === 'number') return wanted;
    const [wake, move] = [a2 | 0, a3 | 0];
    if (wake < 0 || move < 0) return -Errno.EINVAL;
    const [from, to] = wanted as [Wanted, Wanted];
    // Both of one kind: private or shared.
    if (from.command !== to.command) return -Errno.EINVAL;
    const failed =
      futexKey(cpu, thread, from.address, from.command, Touch.LOAD, key) ||
      futexKey(cpu, thread, to.address, to.command, Touch.LOAD, other);
    if (failed !== 0) return failed;
    const word = getUser32(cpu, thread.memory, from.address);
    if (word < 0) return word;
    if (word !== from.expected) return -Errno.EAGAIN;
    if (wake + move > 0 && kernel.futexes.owned?.has(key.space, key.offset)) return -Errno.EINVAL;
    return kernel.futexes.requeue(cpu, key.space, key.offset, wake, move, other.space, other.offset);
  });
}

const ALL = -1;

/** Fits a word of 32 bits. */
function isWord(register: number): boolean {
  return register >= 0 && register < 2 ** 32;
}

/** A wait for any of several futexes. */
class FutexesWait implements Operation, WaitTarget {
  readonly #kernel: Kernel;
  readonly #thread: Thread;
  readonly #timer: SleepTimer;
  readonly #waiters: FutexWaiter[] = [];
  #expired = false;

  constructor(kernel: Kernel, thread: Thread) {
    this.#kernel = kernel;
    this.#thread = thread;
    this.#timer = new SleepTimer(kernel.scheduler, (cpu) => {
      this.#expired = true;
      kernel.scheduler.wakeUp(cpu, thread);
    });
  }

  /** @param bitset which wake-ups count @param timeout ns from now; negative: none */
  begin(cpu: Cpu, wanted: readonly Wanted[], bitset: number, timeout: number): number {
    const thread = this.#thread;
    const { futexes } = this.#kernel;
    const keys: FutexKey[] = [];
    for (const { address, command } of wanted) {
      const key: FutexKey = { address, space: 0, offset: 0 };
      const failed = futexKey(cpu, thread, address, command, Touch.LOAD, key);
      if (failed !== 0) return failed;
      keys.push(key);
    }
    for (const [i, { address, expected }] of wanted.entries()) {
      const word = getUser32(cpu, thread.memory, address);
      if (word !== expected) {
        this.#leave(cpu);
        return word < 0 ? word : -Errno.EAGAIN;
      }
      const { space, offset } = keys[i] as FutexKey;
      const waiter = new FutexWaiter(thread);
      this.#waiters.push(waiter);
      futexes.wait(cpu, waiter, space, offset, bitset);
    }
    if (timeout >= 0) this.#timer.start(cpu, timeout, sleepSlack(thread));
    return begin(cpu, thread, this);
  }

  describe(): string {
    return this.#waiters.map((waiter) => waiter.describe()).join(', or ');
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const woken = this.#waiters.map(({ bucket }) => bucket === null).lastIndexOf(true);
    if (woken < 0 && !this.#expired && !thread.signalPending) {
      thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this);
      return Pending.SLEEP;
    }
    this.#leave(cpu);
    if (woken < 0) return this.#expired ? -Errno.ETIMEDOUT : -Errno.ERESTARTSYS;
    this.#kernel.futexes.handover.take(cpu, thread, 0);
    return this.#waiters.length === 1 ? 0 : woken;
  }

  #leave(cpu: Cpu): void {
    this.#timer.stop();
    for (const waiter of this.#waiters) this.#kernel.futexes.cancel(cpu, waiter);
    this.#thread.state = TaskState.RUNNING;
  }
}
