import type { EventSeam } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { type Task, TaskState } from './task.js';

/** The events of hand-overs. */
export interface HandoverEvents {
  readonly messagePut: EventSeam<[cpu: number, time: number, queue: Handover, bytes: number, task: Task]>;
  readonly messageTaken: EventSeam<[cpu: number, time: number, queue: Handover, bytes: number, task: Task]>;
}

/**
 * Where work changes hands: one task puts something there and another takes it. Everything that tasks pass to each other goes through
 * one, so that this is the only place, besides wake-ups, where the critical path goes from task to task (`CriticalPath`):
 *
 * - If the task that it goes to sleeps, it leaves with the wake-up (`carryAway`) and arrives where that task runs (`carryIn`).
 * - If that task is awake on another CPU, it leaves with the put and arrives when the task finds what was put.
 * - If both are on one CPU, it stays there.
 */
export class Handover {
  /** What it is the hand-over of: `pipe`, `Unix stream socket`. */
  readonly kind: string;
  /** Tells those of a kind apart. */
  readonly id: number;
  readonly #events: HandoverEvents;
  readonly #current: (cpu: Cpu) => Task;

  constructor(kind: string, id: number, events: HandoverEvents, current: (cpu: Cpu) => Task) {
    this.kind = kind;
    this.id = id;
    this.#events = events;
    this.#current = current;
  }

  get name(): string {
    return `${this.kind} ${this.id}`;
  }

  /** `cpu` has put something here that others may take without being woken. @param bytes of payload; 0 for a mere notice */
  put(cpu: Cpu, bytes: number): void {
    this.putHere(cpu, bytes);
    this.leave(cpu);
  }

  /** What was put is there for others: as `put`, without saying so. */
  leave(cpu: Cpu): void {
    const { path } = cpu;
    if (path.holder !== cpu) return;
    const task = path.destination as Task;
    const asleep = (task.state & (TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE)) !== 0;
    if (!asleep && task.cpu !== cpu) path.depart(cpu);
  }

  /** As `put`, where the one who takes is called at once on this CPU: the path stays. */
  putHere(cpu: Cpu, bytes: number): void {
    const { messagePut } = this.#events;
    if (messagePut.observed) messagePut.emit(cpu.id, cpu.clock, this, bytes, this.#current(cpu));
  }

  /** `task`, which runs on `cpu`, finds something here and may leave it (MSG_PEEK, poll). It may be there before it is announced. */
  find(cpu: Cpu, task: Task): void {
    const { path } = cpu;
    if (path.destination === task && path.holder !== cpu) path.take(cpu);
  }

  /** `task`, which runs on `cpu`, takes something out of here. */
  take(cpu: Cpu, task: Task, bytes: number): void {
    const { messageTaken } = this.#events;
    if (messageTaken.observed) messageTaken.emit(cpu.id, cpu.clock, this, bytes, task);
    this.find(cpu, task);
  }
}

/** The hand-overs of one machine. */
export class Handovers {
  readonly #events: HandoverEvents;
  readonly #current: (cpu: Cpu) => Task;
  #count = 0;

  constructor(events: HandoverEvents, current: (cpu: Cpu) => Task) {
    this.#events = events;
    this.#current = current;
  }

  /** A new one. @param kind of what: `pipe`, `Unix stream socket` */
  open(kind: string): Handover {
    return new Handover(kind, ++this.#count, this.#events, this.#current);
  }
}

/** `cpu` has made `task` runnable elsewhere: from here on the work that it waits for is its own affair. */
export function carryAway(cpu: Cpu, task: Task): void {
  if (cpu.path.destination === task) cpu.path.depart(cpu);
}

/** `cpu` takes up `task`, perhaps with work for it. @param since when the CPU began to wait idle; its present clock if it did not */
export function carryIn(cpu: Cpu, task: Task, since: number): void {
  if (cpu.path.destination === task) cpu.path.arrive(cpu, since);
}
