import { GIB, HUGE_PAGE_SIZE } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';

/** A range of the process's addresses, and where its memory lies for the guest. */
interface Window {
  readonly host: number;
  readonly guest: number;
  readonly bytes: number;
}

/**
 * What a process in Dune mode has for physical memory: its own memory. A processor with 36 physical address bits cannot map addresses of
 * 47 bits onto themselves, so the image with its heap, the stack and what is mapped lie in three windows. Borders are multiples of 1 GiB.
 */
export class GuestPhysical {
  readonly #windows: readonly Window[];

  constructor({ layout: { loadBias, stackTop, mmapBase } }: MmStruct) {
    const floor = (address: number) => address - (address % HUGE_PAGE_SIZE);
    this.#windows = [
      { host: floor(loadBias), guest: 0, bytes: 8 * GIB },
      { host: floor(stackTop - GIB), guest: 8 * GIB, bytes: 2 * GIB },
      { host: floor(mmapBase) - 31 * GIB, guest: 16 * GIB, bytes: 32 * GIB },
    ];
  }

  /** The guest-physical address of an address of the process; -1 outside the windows. */
  guestOf(address: number): number {
    for (const { host, guest, bytes } of this.#windows) if (address >= host && address < host + bytes) return guest + (address - host);
    return -1;
  }

  /** The address of the process behind a guest-physical one; -1 outside the windows. */
  hostOf(physical: number): number {
    for (const { host, guest, bytes } of this.#windows) if (physical >= guest && physical < guest + bytes) return host + (physical - guest);
    return -1;
  }

  /** The guest-physical ranges of [`start`, `end`). */
  *ranges(start: number, end: number): Generator<readonly [start: number, end: number]> {
    for (const { host, guest, bytes } of this.#windows) {
      const from = Math.max(start, host);
      const to = Math.min(end, host + bytes);
      if (from < to) yield [guest + (from - host), guest + (to - host)];
    }
  }
}
