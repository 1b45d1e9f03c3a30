import type { KernelHeap } from '@rpal/mm';

/** sizeof(struct sk_buff) with its slab alignment, and of struct skb_shared_info behind the data. */
const SKB_OVERHEAD = 256;
const SHARED_INFO = 320;

/** A message on its way through a socket: bytes in kernel memory, and what they cost the sender's buffer. */
export class Skb {
  /** Physical address of the data. */
  data = 0;
  /** Bytes in it, and how many of them have been read. */
  length = 0;
  consumed = 0;
  /** Memory that the message is charged with (Linux: `truesize`). */
  trueSize = 0;
  capacity = 0;
  next: Skb | null = null;
}

/** Makes and recycles messages. */
export class SkbPool {
  readonly #heap: KernelHeap;
  #spare: Skb | null = null;

  constructor(heap: KernelHeap) {
    this.#heap = heap;
  }

  /** A message of `length` bytes (1 .. 3776), its bytes unset; null if memory is exhausted. */
  allocate(length: number): Skb | null {
    const capacity = sizeClass(align(length, 64) + SHARED_INFO);
    const data = this.#heap.allocate(capacity);
    if (data < 0) return null;
    const skb = this.#spare ?? new Skb();
    this.#spare = skb.next;
    skb.data = data;
    skb.length = length;
    skb.consumed = 0;
    skb.capacity = capacity;
    skb.trueSize = capacity + SKB_OVERHEAD;
    skb.next = null;
    return skb;
  }

  free(skb: Skb): void {
    this.#heap.free(skb.data, skb.capacity);
    skb.next = this.#spare;
    this.#spare = skb;
  }
}

/** Most payload bytes that one linear message holds here; longer writes are cut into several. */
export const SKB_MAX_LINEAR: number = 4096 - SHARED_INFO;

function align(value: number, to: number): number {
  return (value + to - 1) & ~(to - 1);
}

/** kmalloc's size class. */
function sizeClass(size: number): number {
  return 1 << (32 - Math.clz32(size - 1));
}
