import type { Cpu } from '@rpal/hw-x86';
import type { FutexKey as Key, Thread } from '@rpal/kernel';
import { type Handover, type OwnedFutexes, RtMutex, type Scheduler } from '@rpal/sched';

/** A lock whose word says who owns it, while there are waiters (Linux: `struct futex_pi_state`). */
export interface PiFutex {
  readonly name: string;
  readonly mutex: RtMutex;
  /** The owner has ended with the lock: the next one says so in the word. */
  abandoned: boolean;
}

/** Who waits at a word until it can wait for a lock. */
export interface Requeuing {
  readonly thread: Thread;
  /** The word, and the lock. */
  readonly at: Key;
  readonly lock: Key;
  /** The lock is its own: it is woken. */
  grant(cpu: Cpu): void;
  /** It waits for the lock from now on. */
  moveTo(cpu: Cpu, futex: PiFutex): void;
}

/** The futexes of a machine that pass priorities on and are waited for. */
export class PiFutexTable implements OwnedFutexes {
  readonly #scheduler: Scheduler;
  /** From the thread that releases the lock to the one that gets it. */
  readonly #handover: Handover;
  readonly #waited = new Map<string, PiFutex>();
  readonly #requeuing = new Map<string, Requeuing[]>();

  constructor(scheduler: Scheduler, handover: Handover) {
    this.#scheduler = scheduler;
    this.#handover = handover;
  }

  at({ space, offset }: Key): PiFutex | undefined {
    return this.#waited.get(nameOf(space, offset));
  }

  has(space: number, offset: number): boolean {
    if (this.#waited.size === 0 && this.#requeuing.size === 0) return false;
    const name = nameOf(space, offset);
    return this.#waited.has(name) || this.#requeuing.has(name);
  }

  /** Those that wait at a word until they can wait for a lock, the next one first. */
  requeuing({ space, offset }: Key): readonly Requeuing[] {
    return this.#requeuing.get(nameOf(space, offset)) ?? [];
  }

  waitToRequeue(waiter: Requeuing): void {
    const name = nameOf(waiter.at.space, waiter.at.offset);
    const waiters = this.#requeuing.get(name) ?? [];
    this.#requeuing.set(name, waiters);
    let at = waiters.length;
    while (at > 0 && (waiters[at - 1] as Requeuing).thread.rtPriority < waiter.thread.rtPriority) at--;
    waiters.splice(at, 0, waiter);
  }

  /** One of them does not wait there any more. */
  requeued(waiter: Requeuing): void {
    const name = nameOf(waiter.at.space, waiter.at.offset);
    const waiters = this.#requeuing.get(name) ?? [];
    waiters.splice(waiters.indexOf(waiter), 1);
    if (waiters.length === 0) this.#requeuing.delete(name);
  }

  create({ space, offset }: Key, owner: Thread): PiFutex {
    const futex = { name: nameOf(space, offset), mutex: new RtMutex(this.#scheduler, owner), abandoned: false };
    this.#waited.set(futex.name, futex);
    return futex;
  }

  /** The owner releases a lock. @returns the thread that owns it now and is woken; null if there was no waiter */
  handOver(cpu: Cpu, futex: PiFutex): Thread | null {
    const next = futex.mutex.handOver(cpu) as Thread | null;
    if (next === null) this.#waited.delete(futex.name);
    else {
      this.#handover.put(cpu, 0);
      this.#scheduler.wakeUp(cpu, next);
    }
    return next;
  }

  /** Nobody waits any more: what is left is the word. */
  forgetIfIdle(cpu: Cpu, futex: PiFutex): void {
    if (futex.mutex.waiters.length > 0 || this.#waited.get(futex.name) !== futex) return;
    futex.mutex.handOver(cpu);
    this.#waited.delete(futex.name);
  }

  /** A thread ends: its locks go to those who wait (Linux: `exit_pi_state_list`). */
  abandon(cpu: Cpu, thread: Thread): void {
    for (const futex of [...this.#waited.values()]) {
      if (futex.mutex.waiters.includes(thread)) {
        futex.mutex.cancel(cpu, thread);
        this.forgetIfIdle(cpu, futex);
      } else if (futex.mutex.owner === thread) {
        futex.abandoned = true;
        this.handOver(cpu, futex);
      }
    }
  }
}

const nameOf = (space: number, offset: number): string => `${space}:${offset}`;
