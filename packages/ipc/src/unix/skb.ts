import { type Cpu, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { chargeAllocatedPages, chargeFreedObject, chargeFreedPages, chargeLargerObject, type KernelHeap, type PageFrames } from '@rpal/mm';
import { type Caller, type Credentials, chargeCopy, copyIn, copyOut, type File, VfsStep } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

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

/** Pages of the largest block that a message is given, if they can be had (Linux: `PAGE_ALLOC_COSTLY_ORDER`). */
const LARGEST_BLOCK = 8;
/** The object behind a short message: allocation and release have been counted with it. */
const COUNTED_HEAD = 512;

const NO_FRAMES: readonly number[] = [];

/** Part of a page that a message refers to. */
export interface SkbPiece {
  readonly frame: number;
  readonly offset: number;
  readonly length: number;
}

/** Whose send buffer a message is charged to. */
export interface SkbOwner {
  /** A message has been freed: `trueSize` bytes of the buffer are free again. */
  freed(cpu: Cpu, trueSize: number): void;
}

/** A message on its way through a socket: bytes in kernel memory, and what they cost the sender's buffer. */
export class Skb {
  /** Physical address of the data, if it is in one piece. */
  data = 0;
  /** Pages with the data, if it is longer. */
  frames: readonly number[] = NO_FRAMES;
  /** The parts of `frames` that a message spliced from a pipe consists of; null if they are full of it from the first on. */
  pieces: readonly SkbPiece[] | null = null;
  /** Bytes in it, and how many of them have been read. */
  length = 0;
  consumed = 0;
  /** A datagram that somebody has looked at, and left there. */
  peeked = false;
  /** Memory that the message is charged with (Linux: `truesize`). */
  trueSize = 0;
  capacity = 0;
  /** Of the object with its linear part in Linux, bytes, and how long that part is; all else is in pages. */
  head = 0;
  linear = 0;
  /** Descriptors on their way (SCM_RIGHTS); null if there are none. */
  files: File[] | null = null;
  /** Who sent it, if the receiver wants to know (SCM_CREDENTIALS). */
  credentials: Credentials | null = null;
  /** The socket whose send buffer it is charged to. */
  owner: SkbOwner | null = null;
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

  /** Somebody else refers to a page of a message, too. */
  share({ frame }: SkbPiece): void {
    this.#frames.get(frame);
  }

  /** A message for a stream of `length` bytes (1 .. 36544), its bytes unset; null if memory is exhausted. */
  allocate(cpu: Cpu, length: number): Skb | null {
    if (length <= SKB_MAX_LINEAR) return this.#linear(cpu, length);
    const paged = Math.min(length, pageAlign(length - SKB_MAX_LINEAR));
    return this.#paged(cpu, length, length - paged, pageAlign(paged));
  }

  /** A datagram of `length` bytes, 0 or more. */
  allocateDatagram(cpu: Cpu, length: number): Skb | null {
    if (length <= SKB_MAX_LINEAR) return this.#linear(cpu, length);
    const paged = length <= SKB_MAX_ALLOC ? 0 : Math.min(pageAlign(length - SKB_MAX_ALLOC), MAX_SKB_FRAGS * PAGE_SIZE);
    return this.#paged(cpu, length, Math.max(0, length - paged), paged);
  }

  /** A message that refers to pages instead of holding its bytes; the pages are now its own, too. */
  ofPages(pieces: readonly SkbPiece[], length: number): Skb {
    const skb = this.#take(length, headSize(0) + length + SKB_OVERHEAD);
    for (const { frame } of pieces) this.#frames.get(frame);
    skb.frames = pieces.map(({ frame }) => frame);
    skb.pieces = pieces;
    return skb;
  }

  /** A page of its own for the next `length` bytes of a message in one piece; null if memory is exhausted. */
  copyToPage(cpu: Cpu, skb: Skb, length: number): SkbPiece | null {
    const frame = this.#frames.allocate(cpu.socket);
    if (frame < 0) return null;
    chargeAllocatedPages(cpu, 1);
    chargeCopy(cpu, VfsStep.copyFromUser, length);
    cpu.memory.copy(frame * PAGE_SIZE, skb.data + skb.consumed, length);
    return { frame, offset: 0, length };
  }

  #linear(cpu: Cpu, length: number): Skb | null {
    const capacity = headSize(length);
    const data = this.#heap.allocate(capacity);
    if (data < 0) return null;
    chargeLargerObject(cpu, capacity, COUNTED_HEAD);
    const skb = this.#take(length, capacity + SKB_OVERHEAD);
    skb.linear = length;
    skb.head = capacity;
    skb.data = data;
    skb.capacity = capacity;
    return skb;
  }

  #paged(cpu: Cpu, length: number, linear: number, paged: number): Skb | null {
    const frames: number[] = [];
    for (let bytes = 0; bytes < length; bytes += PAGE_SIZE) {
      const frame = this.#frames.allocate(cpu.socket);
      if (frame < 0) {
        for (const got of frames) this.#frames.put(got);
        return null;
      }
      frames.push(frame);
    }
    const head = headSize(linear);
    chargeLargerObject(cpu, head, COUNTED_HEAD);
    for (let left = paged / PAGE_SIZE; left > 0; ) {
      const block = blockOf(left);
      cpu.charge(IpcStep.skbBlock);
      chargeAllocatedPages(cpu, block);
      left -= block;
    }
    const skb = this.#take(length, head + paged + SKB_OVERHEAD);
    skb.linear = linear;
    skb.head = head;
    skb.frames = frames;
    return skb;
  }

  #take(length: number, trueSize: number): Skb {
    const skb = this.#spare ?? new Skb();
    this.#spare = skb.next;
    skb.length = length;
    skb.consumed = 0;
    skb.peeked = false;
    skb.linear = 0;
    skb.head = 0;
    skb.trueSize = trueSize;
    skb.next = null;
    return skb;
  }

  /** @param cpu spends what it takes to give back more than the one object of a short message */
  free(cpu: Cpu, skb: Skb): void {
    if (skb.pieces === null) chargeFreed(cpu, skb);
    else for (const frame of skb.frames) if (this.#frames.count(frame) === 1) chargeFreedPages(cpu, 1);
    if (skb.capacity > 0) this.#heap.free(skb.data, skb.capacity);
    for (const frame of skb.frames) this.#frames.put(frame);
    skb.frames = NO_FRAMES;
    skb.pieces = null;
    skb.capacity = 0;
    skb.files = null;
    skb.credentials = null;
    skb.owner = null;
    skb.from = null;
    skb.next = this.#spare;
    this.#spare = skb;
  }
}

/** Fills a message from user memory. @returns 0 or -EFAULT */
export function fillSkb(cpu: Cpu, caller: Caller, skb: Skb, address: number): number {
  chargeFill(cpu, skb);
  if (skb.frames.length === 0) {
    cpu.coherence.touch(cpu, skb.data, Touch.STORE);
    return copyIn(cpu, caller, skb.data, address, skb.length);
  }
  for (let done = 0; done < skb.length; done += PAGE_SIZE) {
    const to = (skb.frames[done / PAGE_SIZE] as number) * PAGE_SIZE;
    cpu.coherence.touch(cpu, to, Touch.STORE);
    const failed = copyIn(cpu, caller, to, address + done, Math.min(PAGE_SIZE, skb.length - done));
    if (failed < 0) return failed;
  }
  return 0;
}

/** Copies `length` bytes of a message, from `offset` on, to user memory. @returns 0 or -EFAULT */
export function drainSkb(cpu: Cpu, caller: Caller, skb: Skb, offset: number, address: number, length: number): number {
  chargeDrain(cpu, skb, offset, length);
  if (skb.frames.length === 0) {
    cpu.coherence.touch(cpu, skb.data, Touch.LOAD);
    return copyOut(cpu, caller, address, skb.data + offset, length);
  }
  if (skb.pieces !== null) return drainPieces(cpu, caller, skb.pieces, offset, address, length);
  for (let done = 0; done < length; ) {
    const at = offset + done;
    const inPage = at % PAGE_SIZE;
    const from = (skb.frames[(at - inPage) / PAGE_SIZE] as number) * PAGE_SIZE + inPage;
    const part = Math.min(PAGE_SIZE - inPage, length - done);
    cpu.coherence.touch(cpu, from, Touch.LOAD);
    const failed = copyOut(cpu, caller, address + done, from, part);
    if (failed < 0) return failed;
    done += part;
  }
  return 0;
}

function drainPieces(cpu: Cpu, caller: Caller, pieces: readonly SkbPiece[], offset: number, address: number, length: number): number {
  let done = 0;
  for (const { frame, offset: from, length: part } of piecesFrom(pieces, offset, length)) {
    cpu.coherence.touch(cpu, frame * PAGE_SIZE + from, Touch.LOAD);
    const failed = copyOut(cpu, caller, address + done, frame * PAGE_SIZE + from, part);
    if (failed < 0) return failed;
    done += part;
  }
  return 0;
}

/** The parts of pages that hold `length` bytes of a message that is not in one piece, from `offset` on. */
export function pagesOf(skb: Skb, offset: number, length: number): SkbPiece[] {
  return piecesFrom(skb.pieces ?? skb.frames.map((frame) => ({ frame, offset: 0, length: PAGE_SIZE })), offset, length);
}

function piecesFrom(pieces: readonly SkbPiece[], offset: number, length: number): SkbPiece[] {
  const found: SkbPiece[] = [];
  let skip = offset;
  let left = length;
  for (const piece of pieces) {
    if (left === 0) break;
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    const part = Math.min(piece.length - skip, left);
    found.push({ frame: piece.frame, offset: piece.offset + skip, length: part });
    left -= part;
    skip = 0;
  }
  return found;
}

/** The copies into a new message: its linear part, then page by page. */
function chargeFill(cpu: Cpu, skb: Skb): void {
  if (skb.linear > 0 || skb.length === 0) chargeCopy(cpu, VfsStep.copyFromUser, skb.linear);
  else cpu.charge(IpcStep.skbCopyIn);
  for (let left = skb.length - skb.linear; left > 0; left -= PAGE_SIZE) chargeCopy(cpu, IpcStep.skbPageIn, Math.min(PAGE_SIZE, left));
}

/** The copies out of a message: what of its linear part and of each block is in [offset, offset + length). */
function chargeDrain(cpu: Cpu, { linear, length: all, pieces }: Skb, offset: number, length: number): void {
  const end = offset + length;
  if (offset < linear || all === 0) chargeCopy(cpu, VfsStep.copyToUser, Math.min(end, linear) - offset);
  else cpu.charge(IpcStep.skbCopyOut);
  let start = linear;
  for (let left = Math.ceil((all - linear) / PAGE_SIZE); left > 0 && start < end; ) {
    const block = pieces === null ? blockOf(left) : 1;
    const stop = Math.min(end, start + block * PAGE_SIZE, all);
    if (stop > offset) chargeCopy(cpu, IpcStep.skbBlockOut, stop - Math.max(start, offset));
    start += block * PAGE_SIZE;
    left -= block;
  }
}

/** The memory of a message goes back: its pages block by block. */
function chargeFreed(cpu: Cpu, skb: Skb): void {
  chargeFreedObject(cpu, skb.head);
  for (let left = Math.ceil((skb.length - skb.linear) / PAGE_SIZE); left > 0; ) {
    const block = blockOf(left);
    cpu.charge(IpcStep.skbBlockFree);
    chargeFreedPages(cpu, block);
    left -= block;
  }
}

/** Pages of the next block of a message of which `pages` are left: the largest power of two among them (Linux: `alloc_skb_with_frags`). */
function blockOf(pages: number): number {
  return Math.min(LARGEST_BLOCK, 1 << (31 - Math.clz32(pages)));
}

/** Bytes that kmalloc gives for a head of `length` bytes and the shared info behind it: a power of two. */
function headSize(length: number): number {
  const size = ((length + 63) & ~63) + SHARED_INFO;
  return 1 << (32 - Math.clz32(size - 1));
}

function pageAlign(length: number): number {
  return (length + PAGE_SIZE - 1) & -PAGE_SIZE;
}
