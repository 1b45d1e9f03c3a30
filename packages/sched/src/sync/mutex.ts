import { type Cpu, type KernelLock, LockKind, ModelBug, tellPassed, tellReleased, tellTaken } from '@rpal/hw-x86';
import { type Task, TaskState, type WaitTarget } from '../core/task.js';
import type { Waker } from '../core/wake-up.js';
import { defaultWake, WaitEntry, WaitQueue } from './wait-queue.js';

/** What a task sleeps for that waits for a mutex: it, and where the task wants it. */
class MutexToCome implements WaitTarget {
  readonly #mutex: Mutex;
  readonly #site: string;

  constructor(mutex: Mutex, site: string) {
    this.#mutex = mutex;
    this.#site = site;
  }

  get owner(): Task | null {
    return this.#mutex.owner;
  }

  describe(): string {
    return this.#mutex.describe(this.#site);
  }
}

/**
 * A sleeping lock (Linux: `struct mutex`). Waiters keep the order in which they came, but whoever comes while it is free takes it,
 * even past a waiter that has been woken and is not there yet. A first waiter to which that has happened gets it next: the owner hands
 * it over (Linux: MUTEX_FLAG_HANDOFF), so that nobody waits for ever.
 */
export class Mutex implements WaitTarget, KernelLock {
  /** What it protects, in a few words. */
  readonly name: string;
  readonly kind = LockKind.SLEEPING;
  owner: Task | null = null;
  /** Where the owner took it, if the system call does not say it. */
  #takenAt = '';
  readonly #wait: WaitQueue;
  readonly #waker: Waker;
  /** The first waiter has once been woken in vain. */
  #handOff = false;
  /** `owner` was given it and has not noticed yet. */
  #handedOver = false;

  constructor(waker: Waker, name: string) {
    this.#waker = waker;
    this.name = name;
    this.#wait = new WaitQueue(name);
  }

  /**
   * Takes the lock, or prepares `task` to wait for it.
   * @param site for reports, and those who observe locks: where, if the system call does not say it
   * @returns true if it was taken; else the caller calls `schedule()` and then tries again
   * @throws ModelBug if `task` holds it already
   */
  lock(cpu: Cpu, task: Task, site: string = ''): boolean {
    const waiter = this.#waiterOf(task);
    if (this.owner === null || (this.owner === task && this.#handedOver)) {
      this.owner = task;
      this.#takenAt = site;
      this.#handedOver = false;
      if (waiter !== null) {
        if (this.#wait.first === waiter) this.#handOff = false;
        this.#wait.remove(cpu, waiter);
      }
      task.state = TaskState.RUNNING;
      tellTaken(cpu, this, site);
      return true;
    }
    if (this.owner === task)
      throw new ModelBug('a task locks a mutex that it holds already', { mutex: this.name, pid: task.pid, task: task.name });
    if (waiter === null) {
      const entry = new WaitEntry(defaultWake(this.#waker), task);
      entry.exclusive = true;
      this.#wait.add(cpu, entry);
    } else if (this.#wait.first === waiter) {
      this.#handOff = true;
    }
    task.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, site === '' ? this : new MutexToCome(this, site));
    return false;
  }

  /** Code of one step that Linux executes under the lock, in a place that cannot wait for it here: observers of locks are told. */
  pass(cpu: Cpu, site: string): void {
    tellPassed(cpu, this, site);
  }

  /** @throws ModelBug if nobody holds it */
  unlock(cpu: Cpu): void {
    if (this.owner === null) throw new ModelBug('a mutex is unlocked that nobody holds', { mutex: this.name });
    tellReleased(cpu, this);
    this.#takenAt = '';
    this.owner = this.#handOff ? (this.#wait.first?.task ?? null) : null;
    this.#handedOver = this.owner !== null;
    this.#wait.wakeOne(cpu);
  }

  /** @param site where it is wanted, if the system call does not say it */
  describe(site: string = ''): string {
    const { owner } = this;
    const what = `mutex "${this.name}"${site === '' ? '' : ` in ${site}`}`;
    if (owner === null) return what;
    return `${what}, held by task ${owner.pid} (${owner.name})${this.#takenAt === '' ? '' : ` since ${this.#takenAt}`}`;
  }

  #waiterOf(task: Task): WaitEntry | null {
    let waiter = this.#wait.first;
    while (waiter !== null && waiter.task !== task) waiter = waiter.next;
    return waiter;
  }
}
