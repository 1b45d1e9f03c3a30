import { PAGE_SIZE } from '@rpal/hw-x86';
import { MapFlag, Prot, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import type { Program } from '../src/index.js';
import { ends, run } from './support.js';

/** What a program makes of two pages side by side, of which none is present; `border` is where the second begins. */
function onBorder<T>(what: (p: Program, border: number) => Generator<void, T>): T | undefined {
  let result: T | undefined;
  run(function* (p) {
    const pages = yield* p.allocate(2 * PAGE_SIZE);
    result = yield* what(p, pages + PAGE_SIZE);
  });
  return result;
}

describe('a load or store of a program that is not aligned', () => {
  it('has all of its bytes, within a page and over its border', () => {
    const result = onBorder(function* (p, border) {
      yield* p.store32(border - 4, 5);
      yield* p.store32(border, 7);
      const wide = yield* p.load64(border - 4);
      yield* p.store32(border - 2, 0x0102_0304);
      yield* p.store16(border + 61, 0xaabb);
      return [wide, yield* p.load64(border - 4), yield* p.load16(border - 1), yield* p.load32(border + 60), yield* p.load8(border - 3)];
    });
    expect(result).toEqual([7 * 2 ** 32 + 5, 0x0102 * 2 ** 32 + 0x0304_0005, 0x0203, 0x00aa_bb00, 0]);
  });

  it('takes a fault for each of the two pages', () => {
    const result = onBorder(function* (p, border) {
      const { memory } = p.context.thread;
      const before = memory.minorFaults;
      yield* p.store64(border - 3, 2 ** 52 + 1);
      return [memory.minorFaults - before, yield* p.load64(border - 3)];
    });
    expect(result).toEqual([2, 2 ** 52 + 1]);
  });

  it('writes nothing if the second page may not be written: SIGSEGV is for that page', () => {
    let left = -1;
    onBorder(function* (p, border) {
      const SHARED = MapFlag.SHARED | MapFlag.ANONYMOUS | MapFlag.FIXED;
      yield* p.mmap(border - PAGE_SIZE, PAGE_SIZE, Prot.READ | Prot.WRITE, SHARED);
      yield* p.mmap(border, PAGE_SIZE, Prot.READ, SHARED);
      yield* p.store32(border - 4, 1);
      const killed = ends({ signal: Signal.SEGV, address: border }, function* (child) {
        yield* child.store64(border - 4, -1);
      });
      yield* p.fork(killed);
      yield* p.wait();
      left = yield* p.load32(border - 4);
    });
    expect(left).toBe(1);
  });
});
