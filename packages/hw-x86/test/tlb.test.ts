import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Globals, LARGE_PAGE_SIZE, PAGE_SIZE, Tlb, TlbFlag } from '../src/index.js';

/** Enters or looks up page `page` under `pcid`. */
const use = fc.record({ page: fc.nat(40), pcid: fc.constantFrom(1, 2), insert: fc.boolean() });

describe('Tlb', () => {
  it('is a set-associative cache with true LRU replacement', () => {
    fc.assert(
      fc.property(fc.array(use, { maxLength: 200 }), (uses) => {
        const tlb = new Tlb(16, 4, PAGE_SIZE);
        // One list per set, most recently used last.
        const sets: string[][] = [[], [], [], []];
        for (const { page, pcid, insert } of uses) {
          const set = sets[page % 4]!;
          const key = `${page}/${pcid}`;
          const at = set.indexOf(key);
          if (insert) {
            if (at >= 0) set.splice(at, 1);
            else if (set.length === 4) set.shift();
            set.push(key);
            tlb.insert(page * PAGE_SIZE, pcid, page + 1000 * pcid, 0);
          } else {
            const found = tlb.find(page * PAGE_SIZE, pcid);
            expect(found !== null).toBe(at >= 0);
            if (at >= 0) {
              expect(found?.frame).toBe(page + 1000 * pcid);
              set.push(...set.splice(at, 1));
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('holds exactly its entries: a set of ways pages stays, one more pushes the oldest out', () => {
    const tlb = new Tlb(64, 4, PAGE_SIZE);
    const page = (i: number): number => i * 16 * PAGE_SIZE;
    for (let i = 0; i < 5; i++) tlb.insert(page(i), 1, i, 0);
    expect([0, 1, 2, 3, 4].map((i) => tlb.find(page(i), 1) !== null)).toEqual([false, true, true, true, true]);
  });

  it('keeps translations of PCIDs apart, and serves global ones to all', () => {
    const tlb = new Tlb(16, 4, PAGE_SIZE);
    tlb.insert(0x1000, 1, 10, 0);
    tlb.insert(0x2000, 1, 20, TlbFlag.global);
    expect(tlb.find(0x1000, 2)).toBeNull();
    expect(tlb.find(0x2000, 2)?.frame).toBe(20);
  });

  it('drops one page, one context, or all, with or without global translations', () => {
    const filled = (): Tlb => {
      const tlb = new Tlb(16, 4, PAGE_SIZE);
      tlb.insert(0x1000, 1, 10, 0);
      tlb.insert(0x1000, 2, 20, 0);
      tlb.insert(0x2000, 1, 30, TlbFlag.global);
      return tlb;
    };
    const left = (tlb: Tlb): string =>
      [
        tlb.find(0x1000, 1) !== null ? 'page/1' : '',
        tlb.find(0x1000, 2) !== null ? 'page/2' : '',
        tlb.find(0x2000, 1) !== null ? 'global' : '',
      ]
        .filter(Boolean)
        .join(' ');
    const after = (drop: (tlb: Tlb) => void): string => {
      const tlb = filled();
      drop(tlb);
      return left(tlb);
    };
    expect(after((tlb) => tlb.dropPage(0x1000, 1, Globals.KEEP))).toBe('page/2 global');
    expect(after((tlb) => tlb.dropPage(0x2000, 1, Globals.KEEP))).toBe('page/1 page/2 global');
    expect(after((tlb) => tlb.dropPage(0x2000, 1, Globals.DROP))).toBe('page/1 page/2');
    expect(after((tlb) => tlb.dropContext(1))).toBe('page/2 global');
    expect(after((tlb) => tlb.dropAll(Globals.KEEP))).toBe('global');
    expect(after((tlb) => tlb.dropAll(Globals.DROP))).toBe('');
  });

  it('works on large pages and on the upper half', () => {
    const tlb = new Tlb(8, 2, LARGE_PAGE_SIZE);
    const page = -5 * LARGE_PAGE_SIZE;
    tlb.insert(page, 3, 512, TlbFlag.writable);
    const entry = tlb.find(page, 3);
    expect([entry?.frame, entry?.flags]).toEqual([512, TlbFlag.writable]);
    expect(tlb.find(page + LARGE_PAGE_SIZE, 3)).toBeNull();
  });
});
