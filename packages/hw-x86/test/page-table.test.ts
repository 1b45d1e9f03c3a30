import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entryFrame,
  entryHigh,
  entryLow,
  GIB,
  HUGE_PAGE_SIZE,
  LARGE_PAGE_SIZE,
  MIB,
  mapPage,
  PAGE_SIZE,
  PhysicalMemory,
  Pte,
  USER_TOP,
  walk,
} from '../src/index.js';
import { emptyTable } from './support.js';

describe('an entry', () => {
  it('has the bits where the manual has them (SDM vol. 3, table 4-20)', () => {
    fc.assert(
      fc.property(fc.nat(0x7fff_ffff), fc.nat(15), fc.boolean(), (frame, key, noExecute) => {
        const low = BigInt(entryLow(frame, Pte.present | Pte.user) >>> 0);
        const high = BigInt(entryHigh(frame, key, noExecute) >>> 0);
        const entry = (high << 32n) | low;
        expect(entry & 0xfffn).toBe(0b101n);
        expect((entry >> 12n) & 0xff_ffff_ffffn).toBe(BigInt(frame));
        expect((entry >> 59n) & 0xfn).toBe(BigInt(key));
        expect(entry >> 63n).toBe(noExecute ? 1n : 0n);
        expect(entryFrame(Number(BigInt.asIntN(32, low)), Number(BigInt.asIntN(32, high)))).toBe(frame);
      }),
    );
  });
});

describe('mapPage and walk', () => {
  const memory = new PhysicalMemory([512 * MIB]);
  const sizes = [PAGE_SIZE, LARGE_PAGE_SIZE, HUGE_PAGE_SIZE] as const;

  it('find what was mapped, at any address of both halves and in any size', () => {
    const page = fc.record({
      size: fc.constantFrom(...sizes),
      address: fc.integer({ min: -USER_TOP, max: USER_TOP - 1 }),
      frame: fc.nat(0xffff),
    });
    fc.assert(
      fc.property(page, ({ size, address: anywhere, frame: some }) => {
        const root = emptyTable(memory);
        const address = Math.floor(anywhere / size) * size;
        const frame = some - (some % (size / PAGE_SIZE));
        mapPage(memory, root, address, { frame, flags: Pte.user, key: 5, noExecute: true }, size);
        const found = walk(memory, root, address + size - 1);
        expect(found.present).toBe(true);
        expect(found.level).toBe(sizes.indexOf(size) + 1);
        expect(entryFrame(found.low, found.high)).toBe(frame);
        expect((found.high >>> Pte.keyShift) & 15).toBe(5);
      }),
      { numRuns: 100 },
    );
  });

  it('say at which level a table is missing', () => {
    const root = emptyTable(memory);
    expect(walk(memory, root, 0x1000)).toMatchObject({ level: 4, present: false });
    mapPage(memory, root, 0x1000, { frame: 300, flags: 0 });
    expect(walk(memory, root, 0x2000)).toMatchObject({ level: 1, present: false });
    expect(walk(memory, root, LARGE_PAGE_SIZE)).toMatchObject({ level: 2, present: false });
    expect(walk(memory, root, GIB)).toMatchObject({ level: 3, present: false });
  });

  it('refuse what no table can hold, naming the argument', () => {
    const root = emptyTable(memory);
    expect(() => mapPage(memory, root, 0x1001, { frame: 300, flags: 0 })).toThrow('address: 4097 is not a multiple of 4096');
    expect(() => mapPage(memory, root, 0x1000, { frame: 300, flags: 0 }, 8192)).toThrow('size: 8192 is not 4096, 2 MiB or 1 GiB');
    expect(() => mapPage(memory, root, 0, { frame: 300, flags: 0 }, LARGE_PAGE_SIZE)).toThrow('mapping.frame: 300 is not aligned');
    const full = new PhysicalMemory([16 * MIB]);
    const top = emptyTable(full);
    while (full.allocate() >= 0);
    expect(() => mapPage(full, top, 0, { frame: 300, flags: 0 })).toThrow('no frame left for a page table');
  });
});
