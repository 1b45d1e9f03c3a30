import type { PhysicalMemory } from '@rpal/hw-x86';

const CHUNK = 4096;

/** Reference counts of frames: how many page tables and kernel users hold each (Linux: `struct page::_refcount`). */
export class PageFrames {
  readonly #memory: PhysicalMemory;
  readonly #counts: Int32Array[] = [];

  /** Frames that are in use in the model but have no bytes in the host yet. */
  reserved = 0;
  /** One byte per frame: it is a page of a file. */
  readonly #file: Uint8Array[] = [];

  readonly #total: number;

  /** @param total frames of the machine */
  constructor(memory: PhysicalMemory, total: number) {
    this.#total = total;
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

  /** Takes `count` frames whose bytes nobody has asked for. @returns false if the machine does not have that many */
  reserve(count: number): boolean {
    if (this.#memory.framesInUse + this.reserved + count > this.#total) return false;
    this.reserved += count;
    return true;
  }

  /** Gives reserved frames back, or trades them for real ones. */
  unreserve(count: number): void {
    this.reserved -= count;
  }

  /** Frames taken, with bytes and without. */
  get inUse(): number {
    return this.#memory.framesInUse + this.reserved;
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

  /** True for a frame that holds a page of a file; a private page of a process's own is none. */
  ofFile(frame: number): boolean {
    return this.#file[(frame / CHUNK) | 0]?.[frame & (CHUNK - 1)] === 1;
  }

  /** The file that owns the frame says that it does, and again when it gives it up. */
  markFile(frame: number, owned: boolean): void {
    const index = (frame / CHUNK) | 0;
    let chunk = this.#file[index];
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK);
      this.#file[index] = chunk;
    }
    chunk[frame & (CHUNK - 1)] = owned ? 1 : 0;
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
