import type { Cpu } from '@rpal/hw-x86';
import type { Task, WaitTarget } from './task.js';

/** A task's part in locks that pass priorities on; made on first use. */
export interface Inheritance {
  /** Locks that it holds and others wait for. */
  readonly held: RtMutex[];
  /** The lock that it waits for. */
  waitsFor: RtMutex | null;
}

/** Lends priorities to tasks. */
export interface PriorityLender {
  /** Lets `task` run with `priority`, 1 .. 99, as long as that is above its own; 0 ends it. */
  lendPriority(cpu: Cpu, task: Task, priority: number): void;
}

/**
 * A sleeping lock whose owner runs with the priority of the most urgent task that waits for it (Linux: `struct rt_mutex`), and
 * so does whoever that owner waits for, and so on. Waiters get it by real-time priority, and in the order of arrival among equals,
 * which all tasks without one are.
 */
export class RtMutex implements WaitTarget {
  owner: Task;
  /** The next owner first. */
  readonly waiters: Task[] = [];
  readonly #lender: PriorityLender;

  constructor(lender: PriorityLender, owner: Task) {
    this.#lender = lender;
    this.owner = owner;
    inheritance(owner).held.push(this);
  }

  describe(): string {
    return `lock held by task ${this.owner.pid} (${this.owner.name})`;
  }

  /** Would `task` wait for itself, directly or by way of others? */
  wouldDeadlock(task: Task): boolean {
    for (let lock: RtMutex | null = this; lock !== null; lock = lock.owner.inheritance?.waitsFor ?? null)
      if (lock.owner === task) return true;
    return false;
  }

  /** `task` waits; check `wouldDeadlock` before. The caller prepares its sleep. */
  enqueue(cpu: Cpu, task: Task): void {
    let at = this.waiters.length;
    while (at > 0 && (this.waiters[at - 1] as Task).rtPriority < task.rtPriority) at--;
    this.waiters.splice(at, 0, task);
    inheritance(task).waitsFor = this;
    passOn(this.#lender, cpu, this.owner);
  }

  /** `task` does not wait any more. */
  cancel(cpu: Cpu, task: Task): void {
    this.waiters.splice(this.waiters.indexOf(task), 1);
    inheritance(task).waitsFor = null;
    passOn(this.#lender, cpu, this.owner);
  }

  /** The owner lets go of it. @returns the task that owns it now, which the caller wakes; null if nobody has waited */
  handOver(cpu: Cpu): Task | null {
    const before = this.owner;
    const { held } = inheritance(before);
    held.splice(held.indexOf(this), 1);
    const next = this.waiters.shift() ?? null;
    if (next !== null) {
      const state = inheritance(next);
      state.waitsFor = null;
      state.held.push(this);
      this.owner = next;
      passOn(this.#lender, cpu, next);
    }
    passOn(this.#lender, cpu, before);
    return next;
  }
}

function inheritance(task: Task): Inheritance {
  task.inheritance ??= { held: [], waitsFor: null };
  return task.inheritance;
}

/** Gives `task` the highest priority of those who wait for it, and those it waits for theirs (Linux: `rt_mutex_adjust_prio_chain`). */
function passOn(lender: PriorityLender, cpu: Cpu, task: Task): void {
  const { held } = inheritance(task);
  let priority = 0;
  for (const { waiters } of held) priority = Math.max(priority, waiters[0]?.rtPriority ?? 0);
  const before = task.rtPriority;
  lender.lendPriority(cpu, task, priority);
  if (task.rtPriority !== before) priorityChanged(cpu, task);
}

/** The priority of a task that may wait for a lock has changed, and its place among the waiters follows (Linux: `rt_mutex_adjust_pi`). */
export function priorityChanged(cpu: Cpu, task: Task): void {
  const lock = task.inheritance?.waitsFor ?? null;
  if (lock === null) return;
  lock.waiters.splice(lock.waiters.indexOf(task), 1);
  lock.enqueue(cpu, task);
}
