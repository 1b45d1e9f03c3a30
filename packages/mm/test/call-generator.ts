import type { Rng } from '@rpal/hw-x86';
import { Madvise, MapFlag, Mremap, Prot } from '@rpal/uapi';
import { ARENA_UNITS, FILES, HEAP_UNITS, Limited, LOCKED_UNITS, type MemoryCall, NO_HINT, Op, PAGE, WINDOW } from './calls.js';

const { MAYMOVE, FIXED, DONTUNMAP } = Mremap;
const HUGE = 2 ** 48;
const HUGE_PAGE = 2 ** 21;

/** Draws calls that meet: their ranges begin and end where earlier ones did, more often than not. */
export class CallGenerator {
  readonly #rng: Rng;
  /** Borders of recent ranges, as addresses. */
  readonly #borders: number[] = [0];
  readonly #unit: number;
  /** Many ranges ask for huge pages, and begin and end where those do. */
  readonly #huge: boolean;
  #heap = true;
  /** Where the last store went, and where the last private memory that can be written was mapped, or begins with the next 2 MiB. */
  #stored = 0;
  #plain = 0;
  #forks = 0;

  /** @param unit ranges are multiples of so many pages, most of them; 64 if `huge` */
  constructor(rng: Rng, unit: number, huge: boolean) {
    this.#rng = rng;
    this.#huge = huge;
    this.#unit = unit * PAGE;
  }

  sequence(length: number): MemoryCall[] {
    // The limit of data counts what a heap has beside the window, too: one or the other.
    this.#heap = !this.#odd(3);
    return Array.from({ length }, () => this.#next());
  }

  #next(): MemoryCall {
    const rng = this.#rng;
    if (this.#huge && this.#odd(6)) return this.#odd(2) ? [Op.MADVISE, ...this.#range(), Madvise.HUGEPAGE] : this.#collapse();
    const roll = rng.below(100);
    if (roll < 24) return this.#mmap();
    if (roll < 32) return [Op.MUNMAP, ...this.#range()];
    if (roll < 46) return [Op.MPROTECT, ...this.#range(), this.#prot()];
    if (roll < 56) return this.#mremap();
    if (roll < 61) return [Op.MADVISE, ...this.#range(), this.#oneOf(ADVICE)];
    if (roll < 64 && this.#heap) return [Op.BRK, Math.max(0, rng.below(HEAP_UNITS) * this.#unit - (this.#odd(4) ? rng.below(PAGE) : 0))];
    if (roll < 72) return [Op.LOAD, this.#byte()];
    if (roll < 88) return this.#store();
    if (roll < 91)
      return [Op.FTRUNCATE, rng.below(2), rng.below(24) * this.#unit - (this.#odd(3) ? rng.below(PAGE) : 0)].map(notBelowZero) as never;
    if (roll < 93) return [Op.PWRITE, rng.below(2), rng.below(24) * this.#unit + rng.below(PAGE), rng.below(256)];
    if (roll < 94 && this.#odd(2)) {
      const op = this.#odd(2) ? Op.READ : Op.WRITE;
      return [op, rng.below(op === Op.READ ? FILES : 2), rng.below(20) * this.#unit + rng.below(PAGE), this.#byte(), rng.below(3 * PAGE)];
    }
    if (roll < 95) return [Op.PREAD, rng.below(FILES), rng.below(24) * this.#unit];
    if (roll < 97) return [Op.MLOCK, ...this.#range()];
    if (roll < 98) return [Op.MUNLOCK, ...this.#range()];
    if (roll < 99 && this.#forks < 5) {
      this.#forks++;
      return [Op.FORK, rng.below(2)];
    }
    const what = rng.below(this.#heap ? 2 : 3);
    return [
      Op.LIMIT,
      what,
      this.#odd(2) ? (what === Limited.LOCKED ? rng.below(LOCKED_UNITS) * (this.#unit / PAGE) : 1 + rng.below(64)) : -1,
    ];
  }

  #mmap(): MemoryCall {
    const rng = this.#rng;
    const [address, length] = this.#range();
    const how = rng.below(10);
    let flags = this.#odd(3) ? MapFlag.SHARED : MapFlag.PRIVATE;
    if (how < 5) flags |= MapFlag.FIXED;
    else if (how < 7) flags |= MapFlag.FIXED_NOREPLACE;
    const file = this.#odd(3) ? rng.below(FILES) : -1;
    if (file < 0) flags |= MapFlag.ANONYMOUS;
    if (this.#odd(12)) flags |= MapFlag.NORESERVE;
    if (this.#odd(12)) flags |= MapFlag.POPULATE;
    if (this.#odd(30)) flags |= MapFlag.GROWSDOWN;
    if (this.#odd(30)) flags |= MapFlag.STACK;
    if (this.#odd(30)) flags |= MapFlag.LOCKED;
    if (this.#odd(60)) flags |= MapFlag.BIT32;
    if (this.#odd(60)) flags ^= MapFlag.PRIVATE;
    const fixed = how < 7;
    const size = this.#odd(60) ? HUGE : length;
    const prot = this.#prot();
    if (file < 0 && prot === 3 && (flags & MapFlag.PRIVATE) !== 0) this.#plain = Math.ceil(address / HUGE_PAGE) * HUGE_PAGE;
    const hint = !fixed && this.#odd(3) ? NO_HINT : fixed && this.#odd(60) ? address + 1 : address;
    return [Op.MMAP, hint, fixed && this.#odd(60) ? size : size === HUGE && !fixed ? HUGE : length, prot, flags, file, rng.below(16)];
  }

  #mremap(): MemoryCall {
    const rng = this.#rng;
    const [address, length] = this.#range();
    const newLength = this.#odd(2) ? length : this.#odd(40) ? HUGE : rng.below(17) * this.#unit;
    let flags = this.#oneOf([0, MAYMOVE, MAYMOVE, MAYMOVE | FIXED, MAYMOVE | FIXED, MAYMOVE | DONTUNMAP, MAYMOVE | FIXED | DONTUNMAP]);
    if (this.#odd(40)) flags = rng.below(16);
    const target = this.#fit(this.#address(), newLength === HUGE ? 0 : newLength) + (this.#odd(40) ? 1 : 0);
    return [Op.MREMAP, address, this.#odd(12) ? 0 : length, newLength, flags, target];
  }

  #store(): MemoryCall {
    this.#stored = this.#huge && this.#odd(2) ? this.#fit(this.#plain + this.#rng.below(HUGE_PAGE), PAGE) : this.#byte();
    return [Op.STORE, this.#stored, this.#rng.below(256)];
  }

  /** Huge pages for a range, or for the 2 MiB around the last store, where there is a small page most likely. */
  #collapse(): MemoryCall {
    if (this.#odd(3)) return [Op.MADVISE, ...this.#range(), Madvise.COLLAPSE];
    return [Op.MADVISE, this.#stored - (this.#stored % HUGE_PAGE), HUGE_PAGE * (this.#odd(4) ? 2 : 1), Madvise.COLLAPSE];
  }

  /** A range within a window; now and then empty, unaligned or with a length that is no multiple of a page. */
  #range(): [address: number, length: number] {
    const rng = this.#rng;
    let units = 1 + rng.below(this.#odd(4) ? 32 : 8);
    if (this.#odd(40)) units = 0;
    let at = this.#address();
    if (this.#huge && this.#odd(2)) {
      at -= at % HUGE_PAGE;
      units = 8 * (1 + rng.below(4));
    }
    const address = this.#fit(at, units * this.#unit);
    this.#borders.push(address, address + units * this.#unit);
    if (this.#borders.length > 24) this.#borders.splice(0, 2);
    const length = units * this.#unit - (units > 0 && this.#odd(20) ? rng.below(PAGE) : 0);
    return [address + (this.#odd(60) ? 8 : 0), length];
  }

  #byte(): number {
    return this.#fit(this.#address(), PAGE) + (this.#odd(4) ? this.#rng.below(PAGE) : 0);
  }

  #address(): number {
    const rng = this.#rng;
    if (!this.#odd(3)) return this.#oneOf(this.#borders) + (rng.below(5) - 2) * this.#unit;
    return this.#odd(8) ? WINDOW + rng.below(HEAP_UNITS) * this.#unit : rng.below(ARENA_UNITS) * this.#unit;
  }

  /** Moves an address so that `length` bytes from it stay within its window. */
  #fit(address: number, length: number): number {
    const base = address >= WINDOW / 2 ? WINDOW : 0;
    const size = (base === WINDOW ? HEAP_UNITS : ARENA_UNITS) * this.#unit;
    return base + Math.max(0, Math.min(address - base, size - Math.min(length, size)));
  }

  #prot(): number {
    return this.#oneOf([Prot.NONE, Prot.READ, Prot.WRITE, 3, 3, 3, 3, 5, 7, 0x100_0003, 16]);
  }

  #odd(one: number): boolean {
    return this.#rng.below(one) === 0;
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#rng.below(values.length)] as T;
  }
}

const ADVICE = [
  Madvise.DONTNEED,
  Madvise.DONTNEED,
  Madvise.DONTNEED,
  Madvise.DONTFORK,
  Madvise.DOFORK,
  Madvise.HUGEPAGE,
  Madvise.NOHUGEPAGE,
  Madvise.POPULATE_READ,
  Madvise.POPULATE_WRITE,
];

function notBelowZero(value: number): number {
  return Math.max(0, value);
}
