import type { PhysicalMemory } from '@rpal/hw-x86';

const CHUNK = 4096;

/** Reference counts of frames: how many page tables and kernel users hold each (Linux: `struct page::_refcount`). */
export class PageFrames {
  readonly #memory: PhysicalMemory;
  readonly #counts: Int32Array[] = [];

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  /** A frame with one reference, from `node` if it has one; -1 if memory is exhausted. */
  allocate(node: number): number {
    const frame = this.#memory.allocate(node);
    if (frame >= 0) this.#chunk(frame)[frame & (CHUNK - 1)] = 1;
    return frame;
  }

  /** `count` contiguous frames, aligned to `count`, with one reference each; -1 if there is no such run. */
  allocateRun(count: number, node: number): number {
    const first = this.#memory.allocateRun(count, count, node);
    if (first >= 0) for (let f = first; f < first + count; f++) this.#chunk(f)[f & (CHUNK - 1)] = 1;
    return first;
  }

  get(frame: number): void {
    const chunk = this.#chunk(frame);
    chunk[frame & (CHUNK - 1)] = (chunk[frame & (CHUNK - 1)] as number) + 1;
  }

  /** Drops a reference; the last one returns the frame. */
  put(frame: number): void {
    const chunk = this.#chunk(frame);
    const count = (chunk[frame & (CHUNK - 1)] as number) - 1;
    chunk[frame & (CHUNK - 1)] = count;
    if (count === 0) this.#memory.free(frame);
    if (count < 0) throw new Error(`frame ${frame} was put more often than got`);
  }

  count(frame: number): number {
    return this.#chunk(frame)[frame & (CHUNK - 1)] as number;
  }

  #chunk(frame: number): Int32Array {
    const index = (frame / CHUNK) | 0;
    let chunk = this.#counts[index];
    if (chunk === undefined) {
      chunk = new Int32Array(CHUNK);
      this.#counts[index] = chunk;
    }
    return chunk;
  }
}
