import { type Cpu, SpinLock } from '@rpal/hw-x86';
import type { Task, WaitTarget } from '../core/task.js';
import type { Waker } from '../core/wake-up.js';
import { SchedStep } from '../steps.js';

/** What a wake function tells the walk: a positive number counts against the exclusive wake-ups, a negative one ends it. */
export type WakeFunction = (cpu: Cpu, entry: WaitEntry, key: number, sync: boolean) => number;

/** A place in a wait queue (Linux: `wait_queue_entry`). The owner keeps it and re-uses it. */
export class WaitEntry {
  /** The task to wake, for functions that wake one. */
  task: Task | null = null;
  wake: WakeFunction;
  exclusive = false;
  priority = false;
  queue: WaitQueue | null = null;
  next: WaitEntry | null = null;
  previous: WaitEntry | null = null;

  constructor(wake: WakeFunction, task: Task | null = null) {
    this.wake = wake;
    this.task = task;
  }
}

/** How many waiters a walk wakes. Waiters that are not exclusive are woken in any case, as long as the walk gets to them. */
export const Wake = {
  /** One exclusive waiter. */
  ONE: 0,
  /** One exclusive waiter, by a waker that is about to sleep (Linux: WF_SYNC): the waiter may be put on the waker's CPU. */
  ONE_SYNC: 1,
  /** Everybody. */
  ALL: 2,
} as const;

export type Wake = (typeof Wake)[keyof typeof Wake];

/**
 * A list of waiters (Linux: `wait_queue_head`). Non-exclusive entries come first, exclusive ones queue at the end.
 *
 * `wakeOne`, `wakeAll` and `wakeOneSync` cost nothing if nobody waits (Linux: `wq_has_sleeper` before `wake_up`). Where Linux takes the
 * lock without looking first, `walk` takes it, too. `key` says what happened, as poll bits; 0 concerns every waiter.
 */
export class WaitQueue implements WaitTarget {
  /** What its waiters wait for, in a few words: `pipe readers`. */
  readonly name: string;
  readonly lock: SpinLock;
  first: WaitEntry | null = null;
  last: WaitEntry | null = null;

  constructor(name: string) {
    this.name = name;
    this.lock = new SpinLock(1, `waiters: ${name}`);
  }

  describe(): string {
    return `wait queue "${this.name}"`;
  }

  get active(): boolean {
    return this.first !== null;
  }

  /** Adds an entry; an exclusive one goes to the end, another to the front. */
  add(cpu: Cpu, entry: WaitEntry): void {
    cpu.charge(SchedStep.waitEntry);
    this.lock.pass(cpu);
    entry.queue = this;
    if (entry.exclusive && !entry.priority) {
      entry.previous = this.last;
      entry.next = null;
      if (this.last === null) this.first = entry;
      else this.last.next = entry;
      this.last = entry;
    } else {
      entry.next = this.first;
      entry.previous = null;
      if (this.first === null) this.last = entry;
      else this.first.previous = entry;
      this.first = entry;
    }
  }

  /** Adds an entry to the front even if it is exclusive: the last to come is woken first (Linux: `__add_wait_queue_exclusive`). */
  addFirst(cpu: Cpu, entry: WaitEntry): void {
    cpu.charge(SchedStep.waitEntry);
    this.lock.pass(cpu);
    entry.queue = this;
    entry.next = this.first;
    entry.previous = null;
    if (this.first === null) this.last = entry;
    else this.first.previous = entry;
    this.first = entry;
  }

  /** Adds an entry at the end even though it is not exclusive (Linux: `__add_wait_queue_entry_tail`). */
  addTail(cpu: Cpu, entry: WaitEntry): void {
    cpu.charge(SchedStep.waitEntry);
    this.lock.pass(cpu);
    entry.queue = this;
    entry.previous = this.last;
    entry.next = null;
    if (this.last === null) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
  }

  /** Removes an entry if it is queued. */
  remove(cpu: Cpu, entry: WaitEntry): void {
    if (entry.queue !== this) return;
    cpu.charge(SchedStep.waitEntry);
    this.lock.pass(cpu);
    this.unlink(entry);
  }

  /** As `remove`, within a walk or under another lock: costs nothing. */
  unlink(entry: WaitEntry): void {
    if (entry.queue !== this) return;
    if (entry.previous === null) this.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === null) this.last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.queue = null;
    entry.next = null;
    entry.previous = null;
  }

  /** Wakes up to and including the first exclusive waiter, if anybody waits. */
  wakeOne(cpu: Cpu, key = 0): void {
    if (this.first !== null) this.walk(cpu, Wake.ONE, key);
  }

  /** As `wakeOne`, by a waker that is about to sleep. */
  wakeOneSync(cpu: Cpu, key = 0): void {
    if (this.first !== null) this.walk(cpu, Wake.ONE_SYNC, key);
  }

  /** Wakes everybody, if anybody waits. */
  wakeAll(cpu: Cpu, key = 0): void {
    if (this.first !== null) this.walk(cpu, Wake.ALL, key);
  }

  /** Takes the lock and calls the wake functions in order, even if there are none to call (Linux: `__wake_up_common_lock`). */
  walk(cpu: Cpu, how: Wake, key = 0): void {
    cpu.charge(this.first === null ? SchedStep.waitWalkNobody : SchedStep.waitWalk);
    this.lock.acquire(cpu);
    const sync = how === Wake.ONE_SYNC;
    let entry = this.first;
    while (entry !== null) {
      const next: WaitEntry | null = entry.next;
      const { exclusive } = entry;
      const result = entry.wake(cpu, entry, key, sync);
      if (result < 0 || (result > 0 && exclusive && how !== Wake.ALL)) break;
      entry = next;
    }
    this.lock.release(cpu);
  }
}

/** Wakes the entry's task and leaves the entry in place (Linux: `default_wake_function`). */
export function defaultWake(waker: Waker): WakeFunction {
  return (cpu, entry, _key, sync) => (entry.task !== null && waker.wakeUp(cpu, entry.task, undefined, sync) ? 1 : 0);
}

/** Wakes the entry's task and, if that worked, takes the entry out (Linux: `autoremove_wake_function`). */
export function autoremoveWake(waker: Waker): WakeFunction {
  return (cpu, entry, _key, sync) => {
    if (entry.task === null || !waker.wakeUp(cpu, entry.task, undefined, sync)) return 0;
    entry.queue?.unlink(entry);
    return 1;
  };
}
