/**
 * Something that is due at a moment of machine time: a timer, an interrupt in flight, a device completion.
 * The object is its own heap node, so arming and cancelling allocate nothing; one object is armed at most once at a time.
 */
export abstract class TimedEvent {
  /** When it is due, TSC cycles. Meaningful while armed. */
  time = 0;
  /** Breaks ties: of two events due together the one armed first fires first. */
  sequence = 0;
  /** Position in the queue; -1 while not armed. */
  position = -1;

  get armed(): boolean {
    return this.position >= 0;
  }

  /** Called when the time has come; `this.time` still holds it. The event may be armed again from here. */
  abstract fire(): void;
}

/** All events of a machine, ordered by (time, sequence): a binary heap. */
export class EventQueue {
  readonly #heap: TimedEvent[] = [];
  #sequence = 0;
  /** When the next event is due; Infinity if none is armed. */
  nextTime: number = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#heap.length;
  }

  /** Arms `event` for `time`; an armed event is moved. */
  arm(event: TimedEvent, time: number): void {
    if (event.position >= 0) this.cancel(event);
    event.time = time;
    event.sequence = this.#sequence++;
    event.position = this.#heap.length;
    this.#heap.push(event);
    this.#up(event.position);
    this.nextTime = (this.#heap[0] as TimedEvent).time;
  }

  /** Takes `event` out; nothing happens if it is not armed. */
  cancel(event: TimedEvent): void {
    const at = event.position;
    if (at < 0) return;
    const last = this.#heap.pop() as TimedEvent;
    event.position = -1;
    if (last !== event) {
      this.#place(last, at);
      this.#up(at);
      this.#down(last.position);
    }
    this.nextTime = this.#heap.length > 0 ? (this.#heap[0] as TimedEvent).time : Number.POSITIVE_INFINITY;
  }

  /** Takes the next event out and returns it. Call only while `size` is positive. */
  pop(): TimedEvent {
    const event = this.#heap[0] as TimedEvent;
    this.cancel(event);
    return event;
  }

  #place(event: TimedEvent, at: number): void {
    this.#heap[at] = event;
    event.position = at;
  }

  #up(from: number): void {
    let at = from;
    const event = this.#heap[at] as TimedEvent;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1] as TimedEvent;
      if (!before(event, parent)) break;
      const above = parent.position;
      this.#place(parent, at);
      at = above;
    }
    this.#place(event, at);
  }

  #down(from: number): void {
    let at = from;
    const event = this.#heap[at] as TimedEvent;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) break;
      let child = this.#heap[left] as TimedEvent;
      const right = this.#heap[left + 1];
      if (right !== undefined && before(right, child)) child = right;
      if (!before(child, event)) break;
      const below = child.position;
      this.#place(child, at);
      at = below;
    }
    this.#place(event, at);
  }
}

function before(a: TimedEvent, b: TimedEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}
