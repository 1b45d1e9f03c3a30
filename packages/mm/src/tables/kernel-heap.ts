import { PAGE_SIZE } from '@rpal/hw-x86';
import type { PageFrames } from './page-frames.js';

/**
 * The kernel's small-object allocator (kmalloc): power-of-two size classes cut from frames, freed objects reused last
 * in, first out, as SLUB does. Objects are named by physical address. What an allocation costs is part of the caller's step.
 */
export class KernelHeap {
  readonly #frames: PageFrames;
  readonly #free: number[][] = Array.from({ length: 13 }, () => []);
  /** Bytes handed out and not returned. */
  inUse = 0;

  constructor(frames: PageFrames) {
    this.#frames = frames;
  }

  /** Physical address of an object of at least `size` bytes (1 .. 4096); -1 if memory is exhausted. */
  allocate(size: number): number {
    const order = orderOf(size);
    const list = this.#free[order] as number[];
    let object = list.pop();
    if (object === undefined) {
      const frame = this.#frames.allocate(0);
      if (frame < 0) return -1;
      object = frame * PAGE_SIZE;
      for (let at = object + PAGE_SIZE - (1 << order); at > object; at -= 1 << order) list.push(at);
    }
    this.inUse += 1 << order;
    return object;
  }

  /** Returns an object. @param size as given to `allocate` */
  free(object: number, size: number): void {
    const order = orderOf(size);
    (this.#free[order] as number[]).push(object);
    this.inUse -= 1 << order;
  }
}

function orderOf(size: number): number {
  return Math.max(5, 32 - Math.clz32(size - 1));
}
