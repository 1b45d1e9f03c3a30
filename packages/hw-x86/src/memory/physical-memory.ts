import { HardwareError, ModelBug } from '../errors.js';
import type { Fingerprint } from '../fingerprint.js';
import { grown } from '../grown.js';
import { LARGE_PAGE_SIZE, PAGE_SIZE } from './address.js';
import { DEVICE_BASE, DeviceWindows, isDevice } from './device-windows.js';

/** Memory is given to nodes in sections of 16 MiB. */
const SECTION_FRAMES = 4096;
const LARGE_PAGE_FRAMES = LARGE_PAGE_SIZE / PAGE_SIZE;
/** Host memory to begin with; it doubles as frames are taken. Little, for the host clears it, and most machines of tests take no more. */
const INITIAL_BYTES = 4 * 0x10_0000;
/** Physical addresses stay in 31 bits, where the host computes fastest. */
const HOST_LIMIT = 0x7fff_0000;
/** The first MiB is left to firmware, as on a PC; so no frame has address 0. */
const FIRST_FRAME = 256;

/** The frames of one NUMA node: the rest of its newest section, and a stack of returned frames. */
class Node {
  /** Frames that the node may still be given. */
  left: number;
  next = 0;
  end = 0;
  inUse = 0;
  readonly free: number[] = [];
  /** Returned large pages, by their first frame. */
  readonly freeLarge: number[] = [];

  constructor(frames: number) {
    this.left = frames;
  }
}

/** Observes every access to physical memory, before it happens. */
export interface MemoryObserver {
  /** `length` bytes from physical `address` on are read. */
  read(address: number, length: number): void;
  /** `length` bytes from physical `address` on are written. */
  write(address: number, length: number): void;
}

/** Set in #aside, in addition to misalignment: the addresses of devices. */
const DEVICES = DEVICE_BASE | 0;
/** In #aside: every address but 0, where no frame is. */
const EVERYTHING = -1;

/**
 * Physical memory with real bytes. Frames are 4 KiB; a frame number times 4096 is its address. Sections of the address
 * range are assigned to NUMA nodes as they are first used, so addresses stay small and a terabyte costs the host nothing
 * until it is touched. Values are little-endian, at any address. The addresses from `DEVICE_BASE` on lead to devices.
 */
export class PhysicalMemory {
  /** What lies in the address range of devices. */
  readonly devices: DeviceWindows = new DeviceWindows();
  /** All memory so far, as bytes and as words. Replaced when memory grows. */
  #u8: Uint8Array;
  #i32: Int32Array;
  /**
   * Address bits that take an access off the fast path: those of devices, or all bits while there is an observer. A single test
   * against this and the alignment bits covers all three cases.
   */
  #aside = DEVICES;
  readonly #observers: MemoryObserver[] = [];
  readonly #nodes: readonly Node[];
  /** Node of each section. */
  readonly #sections: number[] = [];

  /** @param nodeBytes size of each NUMA node, bytes; multiples of 16 MiB */
  constructor(nodeBytes: readonly number[]) {
    this.#u8 = new Uint8Array(INITIAL_BYTES);
    this.#i32 = new Int32Array(this.#u8.buffer);
    this.#nodes = nodeBytes.map((bytes) => {
      const frames = bytes / PAGE_SIZE;
      if (frames <= 0 || frames % SECTION_FRAMES !== 0) {
        throw new HardwareError('INVALID_ARGUMENT', `nodeBytes: ${bytes} is not a positive multiple of 16 MiB`);
      }
      return new Node(frames);
    });
  }

  /**
   * Takes a frame, from `node` while it has any, then from the others. Its bytes are what its last user left.
   * @returns the frame number, or -1 when no node has a frame left
   */
  allocate(node = 0): number {
    for (let i = 0; i < this.#nodes.length; i++) {
      const number = (node + i) % this.#nodes.length;
      const from = this.#nodes[number] as Node;
      let frame = from.free.pop();
      if (frame === undefined) {
        if (from.next === from.end && !this.#refill(number)) continue;
        this.#back((from.next + 1) * PAGE_SIZE);
        frame = from.next++;
      }
      from.inUse++;
      return frame;
    }
    return -1;
  }

  /** Takes `count` contiguous frames aligned to `align` frames (at most a section); -1 when no node has them. */
  allocateRun(count: number, align = 1, node = 0): number {
    if (count > SECTION_FRAMES) return -1;
    for (let i = 0; i < this.#nodes.length; i++) {
      const number = (node + i) % this.#nodes.length;
      const from = this.#nodes[number] as Node;
      let start = Math.ceil(from.next / align) * align;
      if (start + count > from.end) {
        const { next, end } = from;
        if (!this.#extend(number)) continue;
        for (let frame = next; frame < end; frame++) from.free.push(frame);
        start = Math.ceil(from.next / align) * align;
      }
      for (let frame = from.next; frame < start; frame++) from.free.push(frame);
      // What went on the stack is below.
      this.#back((start + count) * PAGE_SIZE);
      from.next = start + count;
      from.inUse += count;
      return start;
    }
    return -1;
  }

  /** Takes the frames of a 2 MiB page, aligned to their number. @returns the first, or -1 when no node has as many in a row */
  allocateLarge(node = 0): number {
    for (let i = 0; i < this.#nodes.length; i++) {
      const from = this.#nodes[(node + i) % this.#nodes.length] as Node;
      const frame = from.freeLarge.pop();
      if (frame === undefined) continue;
      from.inUse += LARGE_PAGE_FRAMES;
      return frame;
    }
    return this.allocateRun(LARGE_PAGE_FRAMES, LARGE_PAGE_FRAMES, node);
  }

  /** Returns all frames of a large page at once, so that they stay together. @param frame the first */
  freeLarge(frame: number): void {
    const node = this.#nodes[this.nodeOf(frame)];
    if (node === undefined || frame % LARGE_PAGE_FRAMES !== 0) {
      throw new HardwareError('INVALID_ARGUMENT', `frame ${frame} is not the first of a large page in any memory node`);
    }
    node.freeLarge.push(frame);
    node.inUse -= LARGE_PAGE_FRAMES;
  }

  /** Returns a frame. */
  free(frame: number): void {
    const node = this.#nodes[this.#sections[Math.floor(frame / SECTION_FRAMES)] ?? -1];
    if (node === undefined) throw new HardwareError('INVALID_ARGUMENT', `frame ${frame} is not in any memory node`);
    node.free.push(frame);
    node.inUse--;
  }

  /** NUMA node of a frame; -1 for one that no node has been given yet. */
  nodeOf(frame: number): number {
    return this.#sections[Math.floor(frame / SECTION_FRAMES)] ?? -1;
  }

  /** Frames taken and not returned. */
  get framesInUse(): number {
    return this.#nodes.reduce((sum, node) => sum + node.inUse, 0);
  }

  /** Bytes of host memory that stand behind the modelled memory so far. */
  get hostBytes(): number {
    return this.#u8.length;
  }

  /** Tells `observer` of every access from now on. Without observers this costs nothing. @returns a function that ends it */
  observe(observer: MemoryObserver): () => void {
    this.#observers.push(observer);
    this.#aside = EVERYTHING;
    return () => {
      const at = this.#observers.indexOf(observer);
      if (at >= 0) this.#observers.splice(at, 1);
      if (this.#observers.length === 0) this.#aside = DEVICES;
    };
  }

  read8(address: number): number {
    if ((address & this.#aside) !== 0) return this.#readAside(address, 1);
    return this.#u8[address] as number;
  }

  /** @param value its low eight bits count */
  write8(address: number, value: number): void {
    if ((address & this.#aside) !== 0) this.#writeAside(address, 1, value);
    else this.#u8[address] = value;
  }

  /** An unsigned 16-bit word. */
  read16(address: number): number {
    if ((address & (this.#aside | 3)) !== 0) return this.#readAside(address, 2);
    return (this.#i32[address >>> 2] as number) & 0xffff;
  }

  /** @param value its low sixteen bits count */
  write16(address: number, value: number): void {
    if ((address & (this.#aside | 3)) !== 0) {
      this.#writeAside(address, 2, value);
    } else {
      const at = address >>> 2;
      this.#i32[at] = ((this.#i32[at] as number) & ~0xffff) | (value & 0xffff);
    }
  }

  /** A signed 32-bit word. */
  read32(address: number): number {
    if ((address & (this.#aside | 3)) !== 0) return this.#readAside(address, 4);
    return this.#i32[address >>> 2] as number;
  }

  /** @param value its low 32 bits count */
  write32(address: number, value: number): void {
    if ((address & (this.#aside | 3)) !== 0) this.#writeAside(address, 4, value);
    else this.#i32[address >>> 2] = value;
  }

  /** A signed 64-bit value; exact while its magnitude stays below 2^53. */
  read64(address: number): number {
    if ((address & (this.#aside | 3)) !== 0) {
      const low = this.#readAside(address, 4);
      return this.#readAside(address + 4, 4) * 0x1_0000_0000 + (low >>> 0);
    }
    const at = address >>> 2;
    return (this.#i32[at + 1] as number) * 0x1_0000_0000 + ((this.#i32[at] as number) >>> 0);
  }

  /** @param value an integer below 2^53 in magnitude */
  write64(address: number, value: number): void {
    if ((address & (this.#aside | 3)) !== 0) {
      this.#writeAside(address, 4, value);
      this.#writeAside(address + 4, 4, Math.floor(value * (1 / 0x1_0000_0000)));
      return;
    }
    const at = address >>> 2;
    this.#i32[at] = value | 0;
    this.#i32[at + 1] = Math.floor(value * (1 / 0x1_0000_0000));
  }

  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: number, from: number, length: number): void {
    if (((to | from) & this.#aside) !== 0) {
      this.#copyAside(to, from, length);
    } else if (((to | from | length) & 3) === 0 && length <= 128 && (to < from || to >= from + length)) {
      this.#copyWords(to >>> 2, from >>> 2, length >>> 2);
    } else {
      this.#u8.copyWithin(to, from, from + length);
    }
  }

  /** From the first word to the last. Four at a time: each time round, V8 looks anew where the words are. */
  #copyWords(to: number, from: number, count: number): void {
    const i32 = this.#i32;
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      i32[to + i] = i32[from + i] as number;
      i32[to + i + 1] = i32[from + i + 1] as number;
      i32[to + i + 2] = i32[from + i + 2] as number;
      i32[to + i + 3] = i32[from + i + 3] as number;
    }
    for (; i < count; i++) i32[to + i] = i32[from + i] as number;
  }

  /** True if two ranges hold the same bytes. */
  equal(a: number, b: number, length: number): boolean {
    if (((a | b) & this.#aside) !== 0) return this.#equalAside(a, b, length);
    let done = 0;
    if (((a | b) & 3) === 0) {
      done = length & ~3;
      if (!this.#equalWords(a >>> 2, b >>> 2, length >>> 2)) return false;
    }
    const u8 = this.#u8;
    for (; done < length; done++) if (u8[a + done] !== u8[b + done]) return false;
    return true;
  }

  /** Four at a time, as `#copyWords`. */
  #equalWords(a: number, b: number, count: number): boolean {
    const i32 = this.#i32;
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      if (i32[a + i] !== i32[b + i] || i32[a + i + 1] !== i32[b + i + 1]) return false;
      if (i32[a + i + 2] !== i32[b + i + 2] || i32[a + i + 3] !== i32[b + i + 3]) return false;
    }
    for (; i < count; i++) if (i32[a + i] !== i32[b + i]) return false;
    return true;
  }

  /** Sets `length` bytes. */
  fill(address: number, length: number, value = 0): void {
    if ((address & this.#aside) === 0) {
      this.#u8.fill(value, address, address + length);
    } else {
      this.#tell('write', address, length);
      if (!isDevice(address)) this.#u8.fill(value, address, address + length);
      else for (let i = 0; i < length; i++) this.devices.write(address + i, 1, value & 0xff);
    }
  }

  /** Stores `length` bytes of the host, from `offset` in `bytes` on. */
  store(address: number, bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): void {
    requireBytes(bytes, offset, length);
    if ((address & this.#aside) !== 0) {
      this.#tell('write', address, length);
      if (isDevice(address)) {
        for (let i = 0; i < length; i++) this.devices.write(address + i, 1, bytes[offset + i] as number);
        return;
      }
    }
    const u8 = this.#u8;
    for (let i = 0; i < length; i++) u8[address + i] = bytes[offset + i] as number;
  }

  /** Loads `length` bytes into `bytes`, from `offset` on. */
  load(address: number, bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): void {
    requireBytes(bytes, offset, length);
    if ((address & this.#aside) !== 0) {
      this.#tell('read', address, length);
      if (isDevice(address)) {
        for (let i = 0; i < length; i++) bytes[offset + i] = this.devices.read(address + i, 1);
        return;
      }
    }
    const u8 = this.#u8;
    for (let i = 0; i < length; i++) bytes[offset + i] = u8[address + i] as number;
  }

  /** Adds the contents of all memory that has been used. */
  fingerprint(into: Fingerprint): Fingerprint {
    const bytes = this.#sections.length * SECTION_FRAMES * PAGE_SIZE;
    // Of the sections that nodes have, whether the host has memory for them yet or not: where it grows has no influence.
    this.#back(bytes);
    return into.words(this.#i32.subarray(0, bytes / 4));
  }

  #tell(what: 'read' | 'write', address: number, length: number): void {
    for (const observer of this.#observers) observer[what](address, length);
  }

  /** A read of 1, 2 or 4 bytes that is observed, misaligned, or of a device. */
  #readAside(address: number, size: number): number {
    this.#tell('read', address, size);
    let value = 0;
    if (isDevice(address)) value = this.devices.read(address, size);
    else for (let i = size - 1; i >= 0; i--) value = (value << 8) | this.#byte(address + i);
    return size === 4 ? value | 0 : value;
  }

  /** A write of 1, 2 or 4 bytes that is observed, misaligned, or of a device. */
  #writeAside(address: number, size: number, value: number): void {
    this.#tell('write', address, size);
    if (isDevice(address)) {
      this.devices.write(address, size, size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1));
      return;
    }
    for (let i = 0; i < size; i++) {
      this.#byte(address + i);
      this.#u8[address + i] = value >>> (8 * i);
    }
  }

  #byte(address: number): number {
    const byte = this.#u8[address];
    if (byte === undefined) throw new ModelBug('an access to physical memory where there is none', { address, end: this.#u8.length });
    return byte;
  }

  #copyAside(to: number, from: number, length: number): void {
    this.#tell('read', from, length);
    this.#tell('write', to, length);
    if (!isDevice(to) && !isDevice(from)) {
      this.#u8.copyWithin(to, from, from + length);
      return;
    }
    for (let i = 0; i < length; i++) {
      const byte = isDevice(from) ? this.devices.read(from + i, 1) : this.#byte(from + i);
      if (isDevice(to)) this.devices.write(to + i, 1, byte);
      else this.#u8[to + i] = byte;
    }
  }

  #equalAside(a: number, b: number, length: number): boolean {
    this.#tell('read', a, length);
    this.#tell('read', b, length);
    for (let i = 0; i < length; i++) {
      const one = isDevice(a) ? this.devices.read(a + i, 1) : this.#byte(a + i);
      const other = isDevice(b) ? this.devices.read(b + i, 1) : this.#byte(b + i);
      if (one !== other) return false;
    }
    return true;
  }

  /** Gives a node frames to hand out one by one: those of a returned large page, else a new section. @returns false if there are none */
  #refill(number: number): boolean {
    const node = this.#nodes[number] as Node;
    const large = node.freeLarge.pop();
    if (large === undefined) return this.#extend(number);
    node.next = large;
    node.end = large + LARGE_PAGE_FRAMES;
    return true;
  }

  /** Gives a node one more section. @returns false if the node has reached its size */
  #extend(number: number): boolean {
    const node = this.#nodes[number] as Node;
    if (node.left < SECTION_FRAMES) return false;
    const section = this.#sections.push(number) - 1;
    node.left -= SECTION_FRAMES;
    node.next = Math.max(section * SECTION_FRAMES, FIRST_FRAME);
    node.end = (section + 1) * SECTION_FRAMES;
    return true;
  }

  /** Makes the host's memory reach up to `bytes`. */
  #back(bytes: number): void {
    if (bytes <= this.#u8.length) return;
    if (bytes > HOST_LIMIT) {
      throw new HardwareError(
        'OUT_OF_MEMORY',
        `the modelled programs use more than ${HOST_LIMIT} bytes of memory, which is all that the model can hold`,
      );
    }
    this.#u8 = grown(new Uint8Array(Math.min(HOST_LIMIT, Math.max(bytes, 2 * this.#u8.length))), this.#u8);
    this.#i32 = new Int32Array(this.#u8.buffer);
  }
}

function requireBytes(bytes: Uint8Array, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > bytes.length) {
    throw new HardwareError('INVALID_ARGUMENT', `length: ${length} bytes from ${offset} on are not in an array of ${bytes.length}`);
  }
}
