import { LARGE_PAGE_SIZE, ModelBug, PAGE_SIZE, type PhysicalMemory } from '@rpal/hw-x86';

const CHUNK = 4096;
/** In the count of a frame: a private page that no other process has (Linux: PG_anon_exclusive). */
const EXCLUSIVE = 1 << 30;
const HUGE_PAGE_FRAMES = LARGE_PAGE_SIZE / PAGE_SIZE;

/** Reference counts of frames: how many page tables and kernel users hold each (Linux: `struct page::_refcount`). */
export class PageFrames {
  readonly #memory: PhysicalMemory;
  readonly #counts: Int32Array[] = [];

  /** Frames that are in use in the model but have no bytes in the host yet. */
  reserved = 0;
  /** One byte per frame: it is a page of a file. */
  readonly #file: Uint8Array[] = [];

  /** By the first frame of a huge page: how many of its frames are in use. */
  readonly #huge: Map<number, number> = new Map();

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

  /** The frames of a huge page, with one reference each; -1 if there is no such run. @returns the first */
  allocateHuge(node: number): number {
    const head = this.#memory.allocateLarge(node);
    if (head < 0) return -1;
    const chunk = this.#chunk(head);
    const first = head & (CHUNK - 1);
    chunk.fill(1, first, first + HUGE_PAGE_FRAMES);
    this.#huge.set(head, HUGE_PAGE_FRAMES);
    return head;
  }

  /** One reference more to every frame of a huge page. @param head the first */
  getHuge(head: number): void {
    const chunk = this.#chunk(head);
    const first = head & (CHUNK - 1);
    for (let i = first; i < first + HUGE_PAGE_FRAMES; i++) chunk[i] = (chunk[i] as number) + 1;
  }

  /** Drops a reference to every frame of a huge page. */
  putHuge(head: number): void {
    for (let frame = head; frame < head + HUGE_PAGE_FRAMES; frame++) this.put(frame);
  }

  /** First frame of the huge page that a frame was allocated with, which stays whole until no part of it is in use; else -1. */
  hugeHead(frame: number): number {
    const head = frame - (frame & (HUGE_PAGE_FRAMES - 1));
    return this.#huge.has(head) ? head : -1;
  }

  /** There is some huge page. */
  get anyHuge(): boolean {
    return this.#huge.size > 0;
  }

  /** Every frame of a huge page has one user. */
  solelyUsed(head: number): boolean {
    const chunk = this.#chunk(head);
    const first = head & (CHUNK - 1);
    for (let i = first; i < first + HUGE_PAGE_FRAMES; i++) if (((chunk[i] as number) & ~EXCLUSIVE) !== 1) return false;
    return true;
  }

  /** Takes `count` frames whose bytes have not been read or written. @returns false if the machine does not have that many */
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
    if (count < 0) throw new ModelBug('a frame is put more often than it was taken', { frame });
    chunk[frame & (CHUNK - 1)] = count;
    if ((count & ~EXCLUSIVE) !== 0) return;
    chunk[frame & (CHUNK - 1)] = 0;
    this.#release(frame);
  }

  /** A page of a huge page is freed with the last of them (Linux: a folio is freed as a whole). */
  #release(frame: number): void {
    const head = frame - (frame & (HUGE_PAGE_FRAMES - 1));
    const left = this.#huge.size === 0 ? undefined : this.#huge.get(head);
    if (left === undefined) {
      this.#memory.free(frame);
    } else if (left > 1) {
      this.#huge.set(head, left - 1);
    } else {
      this.#huge.delete(head);
      this.#memory.freeLarge(head);
    }
  }

  count(frame: number): number {
    return (this.#chunk(frame)[frame & (CHUNK - 1)] as number) & ~EXCLUSIVE;
  }

  /**
   * True for a page of private memory that is known to be in one process alone: it may be written without a copy. After a fork it
   * is known again only when a write has found it alone. Of a huge page that is mapped as such the first frame speaks for all.
   */
  exclusive(frame: number): boolean {
    return ((this.#chunk(frame)[frame & (CHUNK - 1)] as number) & EXCLUSIVE) !== 0;
  }

  setExclusive(frame: number): void {
    const chunk = this.#chunk(frame);
    chunk[frame & (CHUNK - 1)] = (chunk[frame & (CHUNK - 1)] as number) | EXCLUSIVE;
  }

  clearExclusive(frame: number): void {
    const chunk = this.#chunk(frame);
    chunk[frame & (CHUNK - 1)] = (chunk[frame & (CHUNK - 1)] as number) & ~EXCLUSIVE;
  }

  /** True for a frame that holds a page of a file; false for a private page. */
  ofFile(frame: number): boolean {
    return this.#file[(frame / CHUNK) | 0]?.[frame & (CHUNK - 1)] === 1;
  }

  /** A file owns the frame from now on. */
  giveToFile(frame: number): void {
    const index = (frame / CHUNK) | 0;
    let chunk = this.#file[index];
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK);
      this.#file[index] = chunk;
    }
    chunk[frame & (CHUNK - 1)] = 1;
  }

  /** The file that owned the frame has given it up. */
  takeFromFile(frame: number): void {
    const chunk = this.#file[(frame / CHUNK) | 0];
    if (chunk !== undefined) chunk[frame & (CHUNK - 1)] = 0;
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
