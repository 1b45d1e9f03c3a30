import type { Call, Program } from '@rpal/kernel';

/** Memory of a program that the player lays arguments out in, one call at a time. */
export class Scratch {
  readonly start: number;
  #at: number;

  constructor(start: number) {
    this.start = start;
    this.#at = start;
  }

  /** The next call begins. */
  clear(): void {
    this.#at = this.start;
  }

  /** Room for so many bytes. */
  room(bytes: number): number {
    const at = this.#at;
    this.#at += Math.ceil((bytes + 1) / 16) * 16;
    return at;
  }
}

/** Bytes of a scratch area: the largest buffers of traces fit into it. */
export const SCRATCH_BYTES = 1 << 26;

/** Lays bytes out in a program's memory, with a zero behind them. @returns where they are */
export function* put(p: Program, scratch: Scratch, bytes: Uint8Array): Generator<void, number> {
  const at = scratch.room(bytes.length + 1);
  const ended = new Uint8Array(bytes.length + 1);
  ended.set(bytes);
  yield* p.storeBytes(at, ended);
  return at;
}

/** Bytes of a program's memory. */
export function* get(p: Program, at: number, length: number): Generator<void, Uint8Array> {
  const bytes = new Uint8Array(length);
  if (length > 0) yield* p.loadBytes(at, bytes);
  return bytes;
}

/** Stores a number of 1, 2, 4 or 8 bytes. */
export function store(p: Program, at: number, bytes: number, value: number): Call {
  switch (bytes) {
    case 1:
      return p.store8(at, value);
    case 2:
      return p.store16(at, value);
    case 4:
      return p.store32(at, value);
    default:
      return p.store64(at, value);
  }
}

/** A signed number in bytes, little-endian. */
export function numberAt(bytes: Uint8Array, at: number, length: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  switch (length) {
    case 2:
      return view.getUint16(at, true);
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigInt64(at, true));
  }
}
