import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import type { KernelHeap, PageFrames } from '@rpal/mm';
import type { File } from './file.js';
import type { Caller } from './operation.js';
import type { Credentials } from './socket-message.js';
import { FileStep } from './steps.js';
import type { UnixSocket } from './unix-socket.js';
import { copyIn, copyOut } from './user-copy.js';

/** sizeof(struct sk_buff) with its slab alignment, and of struct skb_shared_info behind the data. */
const SKB_OVERHEAD = 256;
const SHARED_INFO = 320;

/** Most bytes that a message holds in one object of the small-object allocator; longer ones use pages. */
export const SKB_MAX_LINEAR: number = PAGE_SIZE - SHARED_INFO;
/** Most bytes in the largest linear part of a datagram (Linux: `SKB_MAX_ALLOC`), and in its pages. */
const SKB_MAX_ALLOC = 4 * PAGE_SIZE - SHARED_INFO;
const MAX_SKB_FRAGS = 17;
/** Most bytes of a stream message that are in pages (Linux: `UNIX_SKB_FRAGS_SZ`). */
const STREAM_PAGES = 8 * PAGE_SIZE;
/** Most bytes of a stream that one message takes. */
export const STREAM_MESSAGE_MAX: number = SKB_MAX_LINEAR + STREAM_PAGES;

const NO_FRAMES: readonly number[] = [];

/** A message on its way through a socket: bytes in kernel memory, and what they cost the sender's buffer. */
export class Skb {
  /** Physical address of the data, if it is in one piece. */
  data = 0;
  /** Pages with the data, if it is longer. */
  frames: readonly number[] = NO_FRAMES;
  /** Bytes in it, and how many of them have been read. */
  length = 0;
  consumed = 0;
  /** Memory that the message is charged with (Linux: `truesize`). */
  trueSize = 0;
  capacity = 0;
  /** Descriptors on their way (SCM_RIGHTS); null if there are none. */
  files: File[] | null = null;
  /** In whose queue a message with descriptors is. */
  receiver: UnixSocket | null = null;
  /** Who sent it, if the receiver wants to know (SCM_CREDENTIALS). */
  credentials: Credentials | null = null;
  /** The socket whose send buffer it is charged to. */
  owner: UnixSocket | null = null;
  /** Name of the sender's socket. */
  from: string | null = null;
  next: Skb | null = null;
}

/** Makes and recycles messages. */
export class SkbPool {
  readonly #heap: KernelHeap;
  readonly #frames: PageFrames;
  #spare: Skb | null = null;

  constructor(heap: KernelHeap, frames: PageFrames) {
    this.#heap = heap;
    this.#frames = frames;
  }

  /** A message for a stream of `length` bytes (1 .. 36544), its bytes unset; null if memory is exhausted. */
  allocate(cpu: Cpu, length: number): Skb | null {
    if (length <= SKB_MAX_LINEAR) return this.#linear(length);
    const paged = Math.min(length, pageAlign(length - SKB_MAX_LINEAR));
    return this.#paged(cpu, length, headSize(length - paged), pageAlign(paged));
  }

  /** A datagram of `length` bytes, 0 or more. */
  allocateDatagram(cpu: Cpu, length: number): Skb | null {
    if (length <= SKB_MAX_LINEAR) return this.#linear(length);
    const paged = length <= SKB_MAX_ALLOC ? 0 : Math.min(pageAlign(length - SKB_MAX_ALLOC), MAX_SKB_FRAGS * PAGE_SIZE);
    return this.#paged(cpu, length, headSize(length - paged), paged);
  }

  #linear(length: number): Skb | null {
    const capacity = headSize(length);
    const data = this.#heap.allocate(capacity);
    if (data < 0) return null;
    const skb = this.#take(length, capacity + SKB_OVERHEAD);
    skb.data = data;
    skb.capacity = capacity;
    return skb;
  }

  #paged(cpu: Cpu, length: number, head: number, paged: number): Skb | null {
    const frames: number[] = [];
    for (let bytes = 0; bytes < length; bytes += PAGE_SIZE) {
      const frame = this.#frames.allocate(cpu.socket);
      if (frame < 0) {
        for (const got of frames) this.#frames.put(got);
        return null;
      }
      frames.push(frame);
    }
    cpu.charge(FileStep.skbPages);
    const skb = this.#take(length, head + paged + SKB_OVERHEAD);
    skb.frames = frames;
    return skb;
  }

  #take(length: number, trueSize: number): Skb {
    const skb = this.#spare ?? new Skb();
    this.#spare = skb.next;
    skb.length = length;
    skb.consumed = 0;
    skb.trueSize = trueSize;
    skb.next = null;
    return skb;
  }

  free(skb: Skb): void {
    if (skb.capacity > 0) this.#heap.free(skb.data, skb.capacity);
    for (const frame of skb.frames) this.#frames.put(frame);
    skb.frames = NO_FRAMES;
    skb.capacity = 0;
    skb.files = null;
    skb.receiver = null;
    skb.credentials = null;
    skb.owner = null;
    skb.from = null;
    skb.next = this.#spare;
    this.#spare = skb;
  }
}

/** Fills a message from user memory. @returns 0 or -EFAULT */
export function fillSkb(cpu: Cpu, caller: Caller, skb: Skb, address: number): number {
  cpu.chargeBytes(FileStep.copyFromUser, skb.length);
  if (skb.frames.length === 0) {
    cpu.coherence.touch(cpu, skb.data, true);
    return copyIn(cpu, caller, skb.data, address, skb.length);
  }
  for (let done = 0; done < skb.length; done += PAGE_SIZE) {
    const to = (skb.frames[done / PAGE_SIZE] as number) * PAGE_SIZE;
    cpu.coherence.touch(cpu, to, true);
    const failed = copyIn(cpu, caller, to, address + done, Math.min(PAGE_SIZE, skb.length - done));
    if (failed < 0) return failed;
  }
  return 0;
}

/** Copies `length` bytes of a message, from `offset` on, to user memory. @returns 0 or -EFAULT */
export function drainSkb(cpu: Cpu, caller: Caller, skb: Skb, offset: number, address: number, length: number): number {
  cpu.chargeBytes(FileStep.copyToUser, length);
  if (skb.frames.length === 0) {
    cpu.coherence.touch(cpu, skb.data, false);
    return copyOut(cpu, caller, address, skb.data + offset, length);
  }
  for (let done = 0; done < length; ) {
    const at = offset + done;
    const inPage = at % PAGE_SIZE;
    const from = (skb.frames[(at - inPage) / PAGE_SIZE] as number) * PAGE_SIZE + inPage;
    const part = Math.min(PAGE_SIZE - inPage, length - done);
    cpu.coherence.touch(cpu, from, false);
    const failed = copyOut(cpu, caller, address + done, from, part);
    if (failed < 0) return failed;
    done += part;
  }
  return 0;
}

/** Bytes that kmalloc gives for a head of `length` bytes and the shared info behind it: a power of two. */
function headSize(length: number): number {
  const size = ((length + 63) & ~63) + SHARED_INFO;
  return 1 << (32 - Math.clz32(size - 1));
}

function pageAlign(length: number): number {
  return (length + PAGE_SIZE - 1) & -PAGE_SIZE;
}
