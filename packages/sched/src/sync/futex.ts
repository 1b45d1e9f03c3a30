import { type Cpu, SpinLock } from '@rpal/hw-x86';
import type { Handover } from '../core/handover.js';
import { type Task, TaskState, type WaitTarget } from '../core/task.js';
import type { Waker } from '../core/wake-up.js';
import { SchedStep } from '../steps.js';

/** Matches every waiter (Linux: FUTEX_BITSET_MATCH_ANY). */
export const FUTEX_MATCH_ANY = 0xffff_ffff;

/** One task's place in a futex queue (Linux: `struct futex_q`). A task waits on one futex at a time and keeps its own. */
export class FutexWaiter implements WaitTarget {
  readonly task: Task;
  /** The key: what the word belongs to, and where in it. 0 is memory shared between processes. */
  space = 0;
  offset = 0;
  bitset: number = FUTEX_MATCH_ANY;
  bucket: FutexBucket | null = null;
  next: FutexWaiter | null = null;
  previous: FutexWaiter | null = null;

  constructor(task: Task) {
    this.task = task;
  }

  describe(): string {
    const word = `0x${this.offset.toString(16)}`;
    return this.space === 0 ? `shared futex word at physical address ${word}` : `futex word at ${word} of address space ${this.space}`;
  }
}

/** Who knows of futexes that have an owner, and pass priorities on. */
export interface OwnedFutexes {
  /** Is the futex one that is waited for with an owner? */
  has(space: number, offset: number): boolean;
}

/** Waiters whose keys hash alike: real-time tasks first, by priority, then the others; equals in the order of arrival. */
class FutexBucket {
  readonly lock: SpinLock = new SpinLock(1, 'futex bucket');
  first: FutexWaiter | null = null;
  last: FutexWaiter | null = null;

  add(waiter: FutexWaiter): void {
    let after = this.last;
    while (after !== null && after.task.rtPriority < waiter.task.rtPriority) after = after.previous;
    waiter.bucket = this;
    waiter.previous = after;
    waiter.next = after === null ? this.first : after.next;
    if (waiter.next === null) this.last = waiter;
    else waiter.next.previous = waiter;
    if (after === null) this.first = waiter;
    else after.next = waiter;
  }

  remove(waiter: FutexWaiter): void {
    if (waiter.previous === null) this.first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === null) this.last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.bucket = null;
    waiter.next = null;
    waiter.previous = null;
  }
}

/**
 * The futex queues of a machine (kernel/futex): a hash table of waiters by key. A key is a pair of numbers: the address
 * space and the address in it for private memory, 0 and the physical address for shared memory. Who waits must have compared
 * the word in the same atomic step.
 */
export class FutexTable {
  /** Waiters of futexes with owners are woken by these alone, and not moved; null: there are none. */
  owned: OwnedFutexes | null = null;
  readonly #waker: Waker;
  /** Made when they are first used: a machine has tens of thousands. */
  readonly #buckets: (FutexBucket | undefined)[];
  /** From who wakes to who was woken. */
  readonly handover: Handover;

  /** @param cpus of the machine: 256 buckets each */
  constructor(waker: Waker, cpus: number, handover: Handover) {
    this.#waker = waker;
    this.handover = handover;
    const size = 256 * 2 ** Math.ceil(Math.log2(cpus));
    this.#buckets = new Array<undefined>(size).fill(undefined);
  }

  /** Tells whether anybody waits for a key. */
  hasWaiters(space: number, offset: number): boolean {
    for (let waiter = this.#bucket(space, offset).first; waiter !== null; waiter = waiter.next) {
      if (waiter.space === space && waiter.offset === offset) return true;
    }
    return false;
  }

  /** Queues `waiter` and prepares its task to sleep; the caller then calls `schedule()`. */
  wait(cpu: Cpu, waiter: FutexWaiter, space: number, offset: number, bitset: number): void {
    cpu.charge(SchedStep.futexWait);
    const bucket = this.#bucket(space, offset);
    bucket.lock.pass(cpu);
    waiter.space = space;
    waiter.offset = offset;
    waiter.bitset = bitset;
    bucket.add(waiter);
    waiter.task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, waiter);
  }

  /** Removes a waiter that was not woken. @returns false if it has been woken */
  cancel(cpu: Cpu, waiter: FutexWaiter): boolean {
    const { bucket } = waiter;
    if (bucket === null) return false;
    bucket.lock.pass(cpu);
    bucket.remove(waiter);
    return true;
  }

  /**
   * Wakes up to `count` waiters of a key whose bitset has a bit in common with `bitset`.
   * @returns how many were woken
   */
  wake(cpu: Cpu, space: number, offset: number, count: number, bitset: number = FUTEX_MATCH_ANY): number {
    cpu.charge(SchedStep.futexWake);
    const bucket = this.#bucket(space, offset);
    if (bucket.first === null) return 0;
    bucket.lock.acquire(cpu);
    let woken = 0;
    for (let waiter = bucket.first as FutexWaiter | null; waiter !== null && woken < count; ) {
      const { next }: FutexWaiter = waiter;
      if (waiter.space === space && waiter.offset === offset && (waiter.bitset & bitset) !== 0) {
        cpu.charge(SchedStep.futexWakeOne);
        bucket.remove(waiter);
        this.handover.put(cpu, 0);
        this.#waker.wakeUp(cpu, waiter.task);
        woken++;
      }
      waiter = next;
    }
    bucket.lock.release(cpu);
    return woken;
  }

  /**
   * Wakes up to `wake` waiters of the first key and moves up to `move` of the others to the second.
   * @returns how many were woken or moved
   */
  requeue(cpu: Cpu, space: number, offset: number, wake: number, move: number, toSpace: number, toOffset: number): number {
    const bucket = this.#bucket(space, offset);
    const target = this.#bucket(toSpace, toOffset);
    bucket.lock.acquire(cpu);
    if (target !== bucket) target.lock.acquire(cpu);
    let done = 0;
    for (let waiter = bucket.first as FutexWaiter | null; waiter !== null && done < wake + move; ) {
      const { next }: FutexWaiter = waiter;
      if (waiter.space === space && waiter.offset === offset) {
        bucket.remove(waiter);
        if (done++ < wake) {
          cpu.charge(SchedStep.futexWakeOne);
          this.handover.put(cpu, 0);
          this.#waker.wakeUp(cpu, waiter.task);
        } else {
          cpu.charge(SchedStep.futexRequeue);
          waiter.space = toSpace;
          waiter.offset = toOffset;
          target.add(waiter);
        }
      }
      waiter = next;
    }
    if (target !== bucket) target.lock.release(cpu);
    bucket.lock.release(cpu);
    return done;
  }

  #bucket(space: number, offset: number): FutexBucket {
    const low = offset >>> 2;
    const high = Math.floor(offset / 0x4_0000_0000) | 0;
    const hash = Math.imul(Math.imul(low ^ (high << 7), 0x9e3779b1) ^ space, 0x85ebca6b);
    const at = (hash >>> 8) & (this.#buckets.length - 1);
    const known = this.#buckets[at];
    if (known !== undefined) return known;
    const bucket = new FutexBucket();
    this.#buckets[at] = bucket;
    return bucket;
  }
}
