import { NumberedHeap } from './numbered-heap.js';

/**
 * Something that is due at a moment of machine time: a timer, an interrupt in flight, a device completion.
 * Arming and cancelling allocate nothing; one object is armed at most once at a time.
 */
export abstract class TimedEvent {
  /** When it is due, TSC cycles. Meaningful while armed. */
  time = 0;
  /** Its number in the queue; -1 while not armed. */
  slot = -1;

  get armed(): boolean {
    return this.slot >= 0;
  }

  /** Called when the time has come; `this.time` still holds it. The event may be armed again from here. */
  abstract fire(): void;
}

/** All events of a machine: by time, and of those due together the one armed first is first. */
export class EventQueue {
  readonly #heap = new NumberedHeap(16);
  /** By slot. */
  readonly #events: (TimedEvent | null)[] = [];
  #sequence = 0;
  /** When the next event is due; Infinity if none is armed. */
  nextTime: number = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#heap.size;
  }

  /** Arms `event` for `time`; an armed event is moved. */
  arm(event: TimedEvent, time: number): void {
    if (event.slot >= 0) this.cancel(event);
    const slot = this.#heap.unused();
    event.time = time;
    event.slot = slot;
    this.#events[slot] = event;
    this.#heap.add(slot, time, this.#sequence++);
    this.#look();
  }

  /** Takes `event` out; nothing happens if it is not armed. */
  cancel(event: TimedEvent): void {
    const { slot } = event;
    if (slot < 0) return;
    event.slot = -1;
    this.#events[slot] = null;
    this.#heap.remove(slot);
    this.#look();
  }

  /** Takes the next event out and returns it. Call only while `size` is positive. */
  pop(): TimedEvent {
    const event = this.#events[this.#heap.item(0)] as TimedEvent;
    this.cancel(event);
    return event;
  }

  #look(): void {
    this.nextTime = this.#heap.size > 0 ? this.#heap.key(0) : Number.POSITIVE_INFINITY;
  }
}
