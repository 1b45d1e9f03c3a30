import { type PhysicalMemory, Rng } from '@rpal/hw-x86';
import { type Capability, keyedHash, type Refusal } from './capability.js';
import type { Environment } from './environment.js';

/** Where a frame is shown. */
export interface Binding {
  readonly environment: Environment;
  readonly address: number;
}

/** A frame that somebody owns. */
export interface OwnedFrame {
  readonly number: number;
  readonly owner: Environment;
  /** Whether it is a page table; its entries are written by the kernel alone. */
  table: boolean;
  /** Pages that show it. */
  readonly bindings: Binding[];
}

/** The physical memory that environments may have, by name: who owns which frame, and who shows it. */
export class FrameTable {
  readonly #memory: PhysicalMemory;
  readonly #limit: number;
  readonly #key: number;
  readonly #owned: Map<number, OwnedFrame> = new Map();
  /** How often a frame has been freed: capabilities of earlier times are worth nothing. */
  readonly #lives: Map<number, number> = new Map();

  /** @param limit how many frames environments may have together */
  constructor(memory: PhysicalMemory, limit: number, seed: number) {
    this.#memory = memory;
    this.#limit = limit;
    this.#key = new Rng(seed).next32();
  }

  get used(): number {
    return this.#owned.size;
  }

  /** @returns a capability with all rights, or null if there is no frame left */
  allocate(owner: Environment): Capability | null {
    const number = this.#owned.size < this.#limit ? this.#memory.allocate() : -1;
    if (number < 0) return null;
    this.#owned.set(number, { number, owner, table: false, bindings: [] });
    return this.#capability(number, true);
  }

  /** A capability that allows no stores. @param frame one that is owned */
  readOnly(frame: number): Capability {
    return this.#capability(frame, false);
  }

  #capability(frame: number, writable: boolean): Capability {
    return { frame, writable, check: this.#check(frame, writable) };
  }

  /** The frame of a capability, if that holds. */
  find({ frame, writable, check }: Capability): OwnedFrame | null {
    const found = this.#owned.get(frame);
    return found !== undefined && check === this.#check(frame, writable) ? found : null;
  }

  /** A frame that is bound or owned already. */
  get(frame: number): OwnedFrame {
    return this.#owned.get(frame) as OwnedFrame;
  }

  /** Frames of an environment, in the order in which it got them. */
  of(owner: Environment): readonly OwnedFrame[] {
    return [...this.#owned.values()].filter((frame) => frame.owner === owner);
  }

  /** Gives a frame back that nobody shows any more. */
  free({ number }: OwnedFrame): void {
    this.#owned.delete(number);
    this.#lives.set(number, (this.#lives.get(number) ?? 0) + 1);
    this.#memory.free(number);
  }

  #check(frame: number, writable: boolean): number {
    return keyedHash(this.#key, frame, writable ? 1 : 0, this.#lives.get(frame) ?? 0);
  }
}

/** What an answer of the kernel is, if it is none of its reasons to refuse. */
export function granted<T>(answer: T | Refusal): answer is T {
  return typeof answer !== 'string';
}
