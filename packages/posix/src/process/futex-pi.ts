import type { Cpu } from '@rpal/hw-x86';
import { FOREVER, KernelStep, type FutexKey as Key, type ProcessTable, type Thread } from '@rpal/kernel';
import { getUser32, putUser32 } from '@rpal/mm';
import { type FutexTable, type Scheduler, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Errno, FutexWord } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import type { PiFutex, PiFutexTable } from './pi-futexes.js';

const { TID_MASK, OWNER_DIED, WAITERS } = FutexWord;

/** What locks of this kind need from a kernel. */
export interface PiFutexParts {
  readonly scheduler: Scheduler;
  readonly futexes: FutexTable;
  readonly piFutexes: PiFutexTable;
  readonly processes: ProcessTable;
}

/** FUTEX_LOCK_PI and FUTEX_TRYLOCK_PI, which does not wait. @param timeout ns from now; negative: none */
export function lockPi(
  kernel: PiFutexParts,
  cpu: Cpu,
  thread: Thread,
  key: Key,
  how: 'lock' | 'trylock',
  timeout: number = FOREVER,
): number {
  const { address } = key;
  const tryOnly = how === 'trylock';
  cpu.charge(KernelStep.futexLockPi);
  const word = getUser32(cpu, thread.memory, address);
  if (word < 0) return word;
  const tid = word & TID_MASK;
  if (tid === thread.pid) return -Errno.EDEADLK;
  let futex = kernel.piFutexes.at(key);
  if (futex === undefined) {
    // An ordinary waiter would never be told.
    if (kernel.futexes.hasWaiters(key.space, key.offset)) return -Errno.EINVAL;
    if (tid === 0) return Math.min(0, putUser32(cpu, thread.memory, address, (word & OWNER_DIED) | thread.pid));
    const failed = putUser32(cpu, thread.memory, address, word | WAITERS);
    if (failed < 0) return failed;
    const owner = ownerOf(kernel, tid);
    if (typeof owner === 'number') return owner;
    if (tryOnly) return -Errno.EAGAIN;
    futex = kernel.piFutexes.create(key, owner);
  } else if (!futex.abandoned && tid !== futex.mutex.owner.pid) {
    return -Errno.EINVAL;
  }
  if (tryOnly) return -Errno.EAGAIN;
  if (futex.mutex.wouldDeadlock(thread)) {
    kernel.piFutexes.forgetIfIdle(cpu, futex);
    return -Errno.EDEADLK;
  }
  futex.mutex.enqueue(cpu, thread);
  thread.operation = new PiWait(kernel, thread, futex, address).begin(cpu, timeout);
  thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, futex.mutex);
  return Pending.SLEEP;
}

/** The thread that a word names; -ESRCH if it has ended. */
export function ownerOf({ processes }: PiFutexParts, tid: number): Thread | number {
  const owner = processes.thread(tid);
  if (owner === undefined || owner.state === TaskState.DEAD) return -Errno.ESRCH;
  return owner;
}

/** May the thread unlock what lies there? @returns 0, -EFAULT, or -EPERM if it does not own the lock */
export function refuseUnlock(cpu: Cpu, thread: Thread, address: number): number {
  const word = getUser32(cpu, thread.memory, address);
  if (word < 0) return word;
  return (word & TID_MASK) !== thread.pid ? -Errno.EPERM : 0;
}

/** FUTEX_UNLOCK_PI, once `refuseUnlock` has nothing against it. */
export function unlockPi(kernel: PiFutexParts, cpu: Cpu, thread: Thread, key: Key): number {
  const { address } = key;
  cpu.charge(KernelStep.futexUnlockPi);
  const futex = kernel.piFutexes.at(key);
  if (futex === undefined) {
    if (kernel.futexes.hasWaiters(key.space, key.offset)) return -Errno.EINVAL;
    return Math.min(0, putUser32(cpu, thread.memory, address, 0));
  }
  if (futex.mutex.owner !== thread) return -Errno.EINVAL;
  const next = kernel.piFutexes.handOver(cpu, futex);
  return Math.min(0, putUser32(cpu, thread.memory, address, next === null ? 0 : next.pid | WAITERS));
}

/** A wait for the lock. It ends with the lock, the timeout or a signal. */
export class PiWait implements Operation {
  readonly #kernel: PiFutexParts;
  readonly #thread: Thread;
  readonly #futex: PiFutex;
  readonly #address: number;
  readonly #timer: SleepTimer;
  #expired = false;

  constructor(kernel: PiFutexParts, thread: Thread, futex: PiFutex, address: number) {
    this.#kernel = kernel;
    this.#thread = thread;
    this.#futex = futex;
    this.#address = address;
    this.#timer = new SleepTimer(kernel.scheduler, (on) => {
      this.expire();
      kernel.scheduler.wakeUp(on, thread);
    });
  }

  begin(cpu: Cpu, timeout: number): this {
    if (timeout >= 0) this.#timer.start(cpu, timeout, sleepSlack(this.#thread));
    return this;
  }

  /** The time is over. */
  expire(): void {
    this.#expired = true;
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const futex = this.#futex;
    const { mutex } = futex;
    if (mutex.owner === thread) return this.#own(cpu);
    if (this.#expired || thread.signalPending) {
      this.#leave();
      mutex.cancel(cpu, thread);
      this.#kernel.piFutexes.forgetIfIdle(cpu, futex);
      return this.#expired ? -Errno.ETIMEDOUT : -Errno.ERESTARTNOINTR;
    }
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, mutex);
    return Pending.SLEEP;
  }

  /** The lock has been handed over. If its owner has died the word still has to be written, and says so. */
  #own(cpu: Cpu): number {
    const thread = this.#thread;
    const futex = this.#futex;
    this.#leave();
    this.#kernel.futexes.handover.take(cpu, thread, 0);
    let failed = 0;
    if (futex.abandoned) {
      futex.abandoned = false;
      failed = putUser32(cpu, thread.memory, this.#address, thread.pid | WAITERS | OWNER_DIED);
    }
    this.#kernel.piFutexes.forgetIfIdle(cpu, futex);
    return Math.min(0, failed);
  }

  #leave(): void {
    this.#timer.stop();
    this.#thread.state = TaskState.RUNNING;
  }
}
