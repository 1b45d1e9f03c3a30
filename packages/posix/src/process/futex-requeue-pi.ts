import { type Cpu, Touch } from '@rpal/hw-x86';
import { FOREVER, type FutexKey, futexKey, type Thread, type UserContext } from '@rpal/kernel';
import { getUser32, putUser32 } from '@rpal/mm';
import { SleepTimer, sleepSlack, TaskState, type WaitTarget } from '@rpal/sched';
import { Errno, FutexWord } from '@rpal/uapi';
import { begin, type Operation, Pending } from '@rpal/vfs';
import { ownerOf, type PiFutexParts, PiWait } from './futex-pi.js';
import type { PiFutex, Requeuing } from './pi-futexes.js';

const { TID_MASK, OWNER_DIED, WAITERS } = FutexWord;

/**
 * FUTEX_WAIT_REQUEUE_PI: waits at one word, of a condition, until FUTEX_CMP_REQUEUE_PI has got it the lock at another one.
 * @param timeout ns from now, or `FOREVER`
 */
export function waitRequeuePi(kernel: PiFutexParts, cpu: Cpu, thread: Thread, registers: UserContext, timeout: number): number {
  const { a0: address, a1: command, a2: expected, a4: lock } = registers;
  if (address === lock) return -Errno.EINVAL;
  const at: FutexKey = { address: 0, space: 0, offset: 0 };
  const to: FutexKey = { address: 0, space: 0, offset: 0 };
  const failed = futexKey(cpu, thread, lock, command, Touch.STORE, to) || futexKey(cpu, thread, address, command, Touch.LOAD, at);
  if (failed !== 0) return failed;
  const word = getUser32(cpu, thread.memory, address);
  if (word < 0) return word;
  if (word !== expected >>> 0) return -Errno.EAGAIN;
  return isSame(at, to) ? -Errno.EINVAL : begin(cpu, thread, new RequeueWait(kernel, thread, at, to).start(cpu, timeout));
}

/** FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock, if it is free; others, up to `a3` and one, wait for it from now on. */
export function requeuePi(kernel: PiFutexParts, cpu: Cpu, thread: Thread, { a0, a1, a2, a3, a4, a5 }: UserContext): number {
  const [wake, move] = [a2 | 0, a3 | 0];
  if (wake < 0 || move < 0 || a0 === a4 || wake !== 1) return -Errno.EINVAL;
  const from: FutexKey = { address: 0, space: 0, offset: 0 };
  const to: FutexKey = { address: 0, space: 0, offset: 0 };
  const failed = futexKey(cpu, thread, a0, a1, Touch.LOAD, from) || futexKey(cpu, thread, a4, a1, Touch.STORE, to);
  if (failed !== 0) return failed;
  if (isSame(from, to)) return -Errno.EINVAL;
  const word = getUser32(cpu, thread.memory, a0);
  if (word < 0) return word;
  if (word !== a5 >>> 0) return -Errno.EAGAIN;
  // Who waits for no lock cannot be given one.
  if (kernel.futexes.hasWaiters(from.space, from.offset)) return -Errno.EINVAL;
  const waiters = kernel.piFutexes.requeuing(from);
  const [first] = waiters;
  if (first === undefined) return 0;
  if (!isSame(first.lock, to)) return -Errno.EINVAL;
  const taken = takeFor(kernel, cpu, thread, first, to, move > 0);
  if (taken < 0) return taken;
  let done = taken;
  for (const waiter of [...waiters]) {
    if (done - wake >= move) break;
    if (!isSame(waiter.lock, to)) return -Errno.EINVAL;
    const futex = kernel.piFutexes.at(to);
    if (futex === undefined) break;
    if (futex.mutex.wouldDeadlock(waiter.thread)) return -Errno.EDEADLK;
    waiter.moveTo(cpu, futex);
    done++;
  }
  return done;
}

/** Tries to take the lock for a waiter (Linux: `futex_proxy_trylock_atomic`). @returns 1 if it has it; 0 if somebody else has */
function takeFor(kernel: PiFutexParts, cpu: Cpu, thread: Thread, waiter: Requeuing, to: FutexKey, othersFollow: boolean): number {
  const { piFutexes, futexes } = kernel;
  const word = getUser32(cpu, thread.memory, to.address);
  if (word < 0) return word;
  const tid = word & TID_MASK;
  if (tid === waiter.thread.pid) return -Errno.EDEADLK;
  const futex = piFutexes.at(to);
  if (futex !== undefined) return futex.abandoned || tid === futex.mutex.owner.pid ? 0 : -Errno.EINVAL;
  if (futexes.hasWaiters(to.space, to.offset)) return -Errno.EINVAL;
  if (tid === 0) {
    const failed = putUser32(cpu, thread.memory, to.address, (word & OWNER_DIED) | waiter.thread.pid | (othersFollow ? WAITERS : 0));
    if (failed < 0) return failed;
    const shared = othersFollow ? piFutexes.create(to, waiter.thread) : null;
    waiter.grant(cpu);
    if (shared !== null && piFutexes.requeuing(waiter.at).length === 0) piFutexes.forgetIfIdle(cpu, shared);
    return 1;
  }
  const failed = putUser32(cpu, thread.memory, to.address, word | WAITERS);
  if (failed < 0) return failed;
  const owner = ownerOf(kernel, tid);
  if (typeof owner === 'number') return owner;
  piFutexes.create(to, owner);
  return 0;
}

/** A wait that ends with a lock. */
class RequeueWait implements Operation, WaitTarget, Requeuing {
  readonly #kernel: PiFutexParts;
  readonly thread: Thread;
  /** Where it waits at first, and for which lock. */
  readonly at: FutexKey;
  readonly lock: FutexKey;
  readonly #timer: SleepTimer;
  #expired = false;
  #granted = false;
  /** The wait for the lock, once it has been moved there. */
  #inner: PiWait | null = null;

  constructor(kernel: PiFutexParts, thread: Thread, at: FutexKey, lock: FutexKey) {
    this.#kernel = kernel;
    this.thread = thread;
    this.at = at;
    this.lock = lock;
    this.#timer = new SleepTimer(kernel.scheduler, (on) => {
      this.#expired = true;
      this.#inner?.expire();
      kernel.scheduler.wakeUp(on, thread);
    });
  }

  describe(): string {
    return `futex at 0x${this.at.address.toString(16)}, and then the lock at 0x${this.lock.address.toString(16)}`;
  }

  start(cpu: Cpu, timeout: number): this {
    this.#kernel.piFutexes.waitToRequeue(this);
    if (timeout > FOREVER) this.#timer.start(cpu, timeout, sleepSlack(this.thread));
    return this;
  }

  grant(cpu: Cpu): void {
    this.#granted = true;
    this.#kernel.piFutexes.requeued(this);
    this.#kernel.futexes.handover.put(cpu, 0);
    this.#kernel.scheduler.wakeUp(cpu, this.thread);
  }

  moveTo(cpu: Cpu, futex: PiFutex): void {
    this.#kernel.piFutexes.requeued(this);
    this.#inner = new PiWait(this.#kernel, this.thread, futex, this.lock.address);
    futex.mutex.enqueue(cpu, this.thread);
    this.thread.waitingOn = futex.mutex;
  }

  step(cpu: Cpu): number {
    const { thread } = this;
    if (this.#inner !== null) return this.#lockStep(cpu, this.#inner);
    if (this.#granted) {
      this.#leave();
      this.#kernel.futexes.handover.take(cpu, thread, 0);
      return 0;
    }
    if (this.#expired || thread.signalPending) {
      this.#leave();
      this.#kernel.piFutexes.requeued(this);
      return this.#expired ? -Errno.ETIMEDOUT : -Errno.ERESTARTNOINTR;
    }
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this);
    return Pending.SLEEP;
  }

  #lockStep(cpu: Cpu, inner: PiWait): number {
    const result = inner.step(cpu);
    if (result <= Pending.AGAIN) return result;
    this.#timer.stop();
    // It cannot be begun anew: the condition has been told of.
    return result === -Errno.ERESTARTNOINTR ? -Errno.EAGAIN : result;
  }

  #leave(): void {
    this.#timer.stop();
    this.thread.state = TaskState.RUNNING;
  }
}

function isSame(a: FutexKey, b: FutexKey): boolean {
  return a.space === b.space && a.offset === b.offset;
}
