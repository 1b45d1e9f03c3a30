import { HeapMeter } from './heap.js';

/** What an operation takes of the host, of many short runs of so many each. */
export interface Taken {
  /** Nanoseconds, of the least disturbed run. */
  readonly ns: number;
  /** Bytes of the heap. */
  readonly bytes: number;
}

/** Time and heap of many short runs. */
export class Stopwatch {
  readonly #count: number;
  readonly #heap = new HeapMeter();
  #began = 0;
  #least = Number.POSITIVE_INFINITY;

  /** @param count operations of a run */
  constructor(count: number) {
    this.#count = count;
  }

  /** A run begins. */
  begin(): void {
    this.#heap.begin();
    this.#began = performance.now();
  }

  /** The run is over. */
  end(): void {
    const ended = performance.now();
    this.#heap.end();
    this.#least = Math.min(this.#least, ended - this.#began);
  }

  get taken(): Taken {
    return { ns: (this.#least * 1e6) / this.#count, bytes: this.#heap.bytes(this.#count) };
  }
}
