import { percentile } from './percentile.js';

/**
 * What an operation takes of the host's heap: `process.memoryUsage().heapUsed` before and after each of many short runs, less
 * what the reading itself takes, in the median of the runs, since a run in which the host collects its garbage ends with less.
 */
export class HeapMeter {
  readonly #grown: number[] = [];
  readonly #reading: number[] = [];
  #used = 0;

  /** A run begins. */
  begin(): void {
    this.#used = heapUsed();
  }

  /** The run is over. */
  end(): void {
    this.#grown.push(heapUsed() - this.#used);
    this.#reading.push(-heapUsed() + heapUsed());
  }

  /** Bytes per operation. @param count operations of a run */
  bytes(count: number): number {
    return Math.max(0, percentile(this.#grown, 0.5) - percentile(this.#reading, 0.5)) / count;
  }
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

/**
 * The addresses of `count` pages in a row, as a program has them: numbers that are on the host's heap already, where they take
 * more than 31 bits, so that to pass one on takes no more of it. An array of numbers alone would contain them, and each use take
 * a new one; this one refers to them, since it has held something else.
 */
export function pageAddresses(start: number, count: number, pageSize: number): readonly number[] {
  const addresses: unknown[] = [''];
  addresses.pop();
  for (let i = 0; i < count; i++) addresses.push(start + i * pageSize);
  return addresses as number[];
}
