import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Access,
  entryAddress,
  entryFrame,
  entryHigh,
  entryLow,
  FaultCode,
  Globals,
  HUGE_PAGE_SIZE,
  LARGE_PAGE_SIZE,
  type Mmu,
  mapPage,
  PAGE_SIZE,
  Pte,
  Translations,
  walk,
} from '../src/index.js';
import { type ReferenceAccess, referenceTranslate } from './reference-walk.js';
import { bareCpu, emptyTable, mapUser, USER_RW, XEON } from './support.js';

/** The model's access bits. */
function bits({ user, kind, ac }: ReferenceAccess): number {
  const what = { read: Access.read, write: Access.write, fetch: Access.fetch }[kind];
  return what | (user ? Access.user : 0) | (ac && !user ? Access.ac : 0);
}

/** What a translation came to: `0x...`, or the fault's error code. */
function outcome(mmu: Mmu, address: number, access: number): string {
  const physical = mmu.translate(address, access);
  return physical >= 0 ? `0x${physical.toString(16)}` : `#PF(${mmu.faultCode})`;
}

const access = fc.record({ user: fc.boolean(), kind: fc.constantFrom('read', 'write', 'fetch'), ac: fc.boolean() } as const);

describe('a walk', () => {
  const { cpu, memory } = bareCpu();
  const { mmu } = cpu;

  /** What one level's entry is given. Mostly sensible, sometimes anything. */
  const entry = fc.record({
    present: fc.integer({ min: 0, max: 15 }).map((n) => n !== 0),
    writable: fc.boolean(),
    user: fc.integer({ min: 0, max: 3 }).map((n) => n !== 0),
    noExecute: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    pageSize: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    key: fc.nat(15),
    global: fc.boolean(),
    /** A stray bit: in the low half from 12 up, or among the address bits 46..51. */
    stray: fc.option(fc.integer({ min: 12, max: 51 }), { freq: 8, nil: null }),
  });
  const scenario = fc.record({
    address: fc.oneof(fc.integer({ min: 0, max: 2 ** 47 - 1 }), fc.integer({ min: -(2 ** 47), max: -1 })),
    levels: fc.tuple(entry, entry, entry, entry),
    accesses: fc.array(access, { minLength: 1, maxLength: 4 }),
    smep: fc.boolean(),
    smap: fc.boolean(),
    wp: fc.boolean(),
    pke: fc.boolean(),
    pkru: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  });

  // Tables that stay the same, so that a thousand cases fit into one machine.
  const tables = [0, 0, 0, 0, 0].map(() => emptyTable(memory));

  it('gives the address or the error code that the manual gives, whatever the tables hold and the control bits are', () => {
    fc.assert(
      fc.property(scenario, ({ address, levels, accesses, smep, smap, wp, pke, pkru }) => {
        for (let level = 4; level >= 1; level--) {
          const { present, writable, user, noExecute, pageSize, key, global, stray } = levels[4 - level]!;
          let frame = tables[level - 1] as number;
          const large = pageSize && level > 1 && level < 4;
          if (large) frame = level === 2 ? 512 : 512 * 512;
          let low = entryLow(
            frame,
            (present ? 1 : 0) | (writable ? 2 : 0) | (user ? 4 : 0) | (large ? Pte.pageSize : 0) | (global ? Pte.global : 0),
          );
          let high = entryHigh(frame, key, noExecute);
          // A stray bit below 46 would point to a table somewhere else: only in entries that map a page.
          if (stray !== null && stray >= 46) high |= 1 << (stray - 32);
          else if (stray !== null && large && stray < 21) low |= 1 << stray;
          const at = entryAddress(tables[level] as number, address, level);
          memory.write32(at, low);
          memory.write32(at + 4, high);
        }
        Object.assign(mmu, { smep, smap, wp, pke, pkru });
        for (const one of accesses) {
          mmu.invpcidAll(Globals.DROP);
          mmu.loadRoot(tables[4] as number, 1, Translations.KEEP);
          const wanted = referenceTranslate(memory, tables[4] as number, address, one, { smep, smap, wp, pke, pkru, physicalBits: 46 });
          const got = mmu.translate(address, bits(one));
          if ('physical' in wanted) expect(got).toBe(wanted.physical);
          else expect([got, mmu.faultCode, mmu.faultAddress]).toEqual([-1, wanted.code, address]);
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe('a translation', () => {
  it('is the same from the TLB as from the tables, for every access after every other', () => {
    const { cpu, memory, root } = bareCpu();
    const { mmu } = cpu;
    const pages = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => i * PAGE_SIZE);
    pages.forEach((page, i) => {
      const flags = (i & 1 ? Pte.writable : 0) | (i & 2 ? Pte.user : 0) | (i === 7 ? Pte.global : 0);
      mapPage(memory, root, page, { frame: emptyTable(memory), flags, key: i, noExecute: (i & 4) !== 0 });
    });
    mapPage(memory, root, LARGE_PAGE_SIZE, { frame: 512, flags: USER_RW, key: 3 }, LARGE_PAGE_SIZE);
    const step = fc.record({
      address: fc.oneof(fc.constantFrom(...pages), fc.integer({ min: LARGE_PAGE_SIZE, max: 2 * LARGE_PAGE_SIZE - 1 })),
      access,
      pkru: fc.constantFrom(0, 0x5555_5554, -1, 0xaa, 4),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const { address, access: one, pkru } of steps) {
          mmu.pkru = pkru;
          const wanted = referenceTranslate(memory, root, address, one, {
            smep: true,
            smap: true,
            wp: true,
            pke: true,
            pkru,
            physicalBits: 46,
          });
          const got = mmu.translate(address, bits(one));
          if ('physical' in wanted) expect(got).toBe(wanted.physical);
          else expect([got, mmu.faultCode]).toEqual([-1, wanted.code]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('stays in use until it is invalidated, whatever the tables say meanwhile', () => {
    const { cpu, memory, root } = bareCpu();
    const { mmu } = cpu;
    const old = mapUser(memory, root, 0x5000);
    const read = Access.read | Access.user;
    expect(mmu.translate(0x5000, read)).toBe(old * PAGE_SIZE);
    const { entry } = walk(memory, root, 0x5000);
    memory.write32(entry, 0);
    expect(mmu.translate(0x5abc, read)).toBe(old * PAGE_SIZE + 0xabc);
    mmu.invlpg(0x5000);
    expect(outcome(mmu, 0x5000, read)).toBe('#PF(4)');
  });

  it('is walked for again when rights are missing: what was granted since needs no flush, what was taken away does', () => {
    const { cpu, memory, root } = bareCpu();
    const { mmu } = cpu;
    const frame = mapUser(memory, root, 0x5000, Pte.user);
    const { entry } = walk(memory, root, 0x5000);
    mmu.translate(0x5000, Access.read | Access.user);
    memory.write32(entry, memory.read32(entry) | Pte.writable);
    expect(mmu.translate(0x5000, Access.write | Access.user)).toBe(frame * PAGE_SIZE);
    memory.write32(entry, memory.read32(entry) & ~Pte.writable);
    expect(mmu.translate(0x5000, Access.write | Access.user)).toBe(frame * PAGE_SIZE);
  });

  it('is not kept by a fault: a repaired table is seen at once, at every level', () => {
    for (const broken of [1, 2, 3, 4]) {
      const { cpu, memory, root } = bareCpu();
      const frame = mapUser(memory, root, 0x5000);
      let table = root;
      for (let level = 4; level > broken; level--) {
        const at = entryAddress(table, 0x5000, level);
        table = entryFrame(memory.read32(at), memory.read32(at + 4));
      }
      const entry = entryAddress(table, 0x5000, broken);
      memory.write32(entry, memory.read32(entry) & ~Pte.writable);
      const write = Access.write | Access.user;
      expect(outcome(cpu.mmu, 0x5000, write)).toBe('#PF(7)');
      memory.write32(entry, memory.read32(entry) | Pte.writable);
      expect(cpu.mmu.translate(0x5000, write)).toBe(frame * PAGE_SIZE);
    }
  });
});

describe('accessed and dirty', () => {
  const flagsOf = (memory: ReturnType<typeof bareCpu>['memory'], root: number, address: number): string => {
    const { low } = walk(memory, root, address);
    return `${(low & Pte.accessed) !== 0 ? 'A' : '-'}${(low & Pte.dirty) !== 0 ? 'D' : '-'}`;
  };

  it.each([
    ['4 KiB', PAGE_SIZE],
    ['2 MiB', LARGE_PAGE_SIZE],
    ['1 GiB', HUGE_PAGE_SIZE],
  ])('are set in the entry of a %s page by a read and by a write', (_, size) => {
    const { cpu, memory, root } = bareCpu();
    mapPage(memory, root, 0, { frame: 0, flags: USER_RW }, size);
    expect(flagsOf(memory, root, 0)).toBe('--');
    cpu.mmu.translate(0, Access.read | Access.user);
    expect(flagsOf(memory, root, 0)).toBe('A-');
    cpu.mmu.translate(0, Access.write | Access.user);
    expect(flagsOf(memory, root, 0)).toBe('AD');
  });

  it('are not set again by what the TLB knows; a write through a clean entry goes back to set D', () => {
    const { cpu, memory, root } = bareCpu();
    mapUser(memory, root, 0x5000);
    cpu.mmu.translate(0x5000, Access.write | Access.user);
    const { entry, low } = walk(memory, root, 0x5000);
    memory.write32(entry, low & ~(Pte.accessed | Pte.dirty));
    cpu.mmu.translate(0x5000, Access.write | Access.user);
    expect(flagsOf(memory, root, 0x5000)).toBe('--');
    cpu.mmu.invlpg(0x5000);
    cpu.mmu.translate(0x5000, Access.read | Access.user);
    expect(flagsOf(memory, root, 0x5000)).toBe('A-');
    const { walks } = cpu.mmu;
    cpu.mmu.translate(0x5000, Access.write | Access.user);
    expect([flagsOf(memory, root, 0x5000), cpu.mmu.walks - walks]).toEqual(['AD', 1]);
  });

  it('are left alone by an access that faults', () => {
    const { cpu, memory, root } = bareCpu();
    mapUser(memory, root, 0x5000, Pte.user);
    cpu.mmu.translate(0x5000, Access.write | Access.user);
    expect(flagsOf(memory, root, 0x5000)).toBe('--');
  });
});

describe('invalidation', () => {
  /** One page per PCID 1 and 2, and a global one; each translated under its PCID. */
  function setup(): { mmu: Mmu; left: () => string } {
    const { cpu, memory } = bareCpu();
    const { mmu } = cpu;
    const roots = [emptyTable(memory), emptyTable(memory)];
    const pages: [name: string, pcid: number, address: number][] = [
      ['a1', 1, 0x1000],
      ['b1', 1, 0x40_0000],
      ['a2', 2, 0x1000],
    ];
    for (const [, pcid, address] of pages) mapUser(memory, roots[pcid - 1] as number, address);
    mapUser(memory, roots[0] as number, 0x9000, USER_RW | Pte.global);
    const read = Access.read | Access.user;
    for (const [, pcid, address] of pages) {
      mmu.loadRoot(roots[pcid - 1] as number, pcid, Translations.KEEP);
      mmu.translate(address, read);
    }
    mmu.loadRoot(roots[0] as number, 1, Translations.KEEP);
    mmu.translate(0x9000, read);
    /** What is still translated without a walk. */
    const left = (): string => {
      const all: [string, number, number][] = [...pages, ['g', 1, 0x9000]];
      return all
        .filter(([, pcid, address]) => {
          mmu.loadRoot(roots[pcid - 1] as number, pcid, Translations.KEEP);
          const { walks } = mmu;
          mmu.translate(address, read);
          return mmu.walks === walks;
        })
        .map(([name]) => name)
        .join(' ');
    };
    return { mmu, left };
  }

  it.each<[string, (mmu: Mmu) => void, string]>([
    ['nothing', () => {}, 'a1 b1 a2 g'],
    ['INVLPG of a page: this PCID', (mmu) => mmu.invlpg(0x1fff), 'b1 a2 g'],
    ['INVLPG of a global page', (mmu) => mmu.invlpg(0x9000), 'a1 b1 a2'],
    ['INVPCID type 0: one address of another PCID', (mmu) => mmu.invpcidAddress(0x1000, 2), 'a1 b1 g'],
    ['INVPCID type 0 leaves global translations', (mmu) => mmu.invpcidAddress(0x9000, 1), 'a1 b1 a2 g'],
    ['INVPCID type 1: one context', (mmu) => mmu.invpcidContext(1), 'a2 g'],
    ['INVPCID type 2: everything', (mmu) => mmu.invpcidAll(Globals.DROP), ''],
    ['INVPCID type 3: everything but global', (mmu) => mmu.invpcidAll(Globals.KEEP), 'g'],
    ['CR3 write with bit 63: nothing', (mmu) => mmu.loadRoot(mmu.root, 1, Translations.KEEP), 'a1 b1 a2 g'],
    ['CR3 write without: the PCID loaded', (mmu) => mmu.loadRoot(mmu.root, 2, Translations.DROP), 'a1 b1 g'],
    ['a change of CR4.PGE: everything', (mmu) => mmu.writePge(false), ''],
    ['a write of CR4.PGE that changes nothing', (mmu) => mmu.writePge(true), 'a1 b1 a2 g'],
  ])('by %s', (_, invalidate, expected) => {
    const { mmu, left } = setup();
    invalidate(mmu);
    expect(left()).toBe(expected);
  });

  it('of one address drops the large page around it', () => {
    const { cpu, memory, root } = bareCpu();
    mapPage(memory, root, 0, { frame: 0, flags: USER_RW }, LARGE_PAGE_SIZE);
    cpu.mmu.translate(0x1_2345, Access.read | Access.user);
    const { walks } = cpu.mmu;
    cpu.mmu.invlpg(0x10_0000);
    cpu.mmu.translate(0x1_2345, Access.read | Access.user);
    expect(cpu.mmu.walks).toBe(walks + 1);
  });

  it('is needed for paging structures too: a cached pointer to a table is used until INVLPG, of any address', () => {
    const { cpu, memory, root } = bareCpu();
    const read = Access.read | Access.user;
    mapUser(memory, root, 0x5000);
    const moved = mapUser(memory, root, 0x6000);
    cpu.mmu.translate(0x5000, read);
    // The whole lower half of the address space goes, but the walker still knows where the level-1 table is.
    memory.write32(entryAddress(root, 0, 4), 0);
    expect(cpu.mmu.translate(0x6000, read)).toBe(moved * PAGE_SIZE);
    cpu.mmu.invlpg(-PAGE_SIZE);
    expect(outcome(cpu.mmu, 0x7000, read)).toBe('#PF(4)');
  });
});

describe('what it costs', () => {
  const level = Math.round(XEON.costs.walkLevel.central * (2.3 / 3.0));
  /** The second-level TLB, asked in vain. */
  const missed = Math.round(XEON.costs.stlbHit.central * (2.3 / 3.0));

  it('a walk reads as many entries as the structure caches cannot save', () => {
    const { cpu, memory, root } = bareCpu();
    for (const address of [0x1000, 0x2000, LARGE_PAGE_SIZE, HUGE_PAGE_SIZE, 512 * HUGE_PAGE_SIZE]) mapUser(memory, root, address);
    const cost = (address: number): number => {
      const before = cpu.clock;
      cpu.mmu.translate(address, Access.read | Access.user);
      const spent = cpu.clock - before;
      return spent === 0 ? 0 : (spent - missed) / level;
    };
    expect([0x1000, 0x2000, LARGE_PAGE_SIZE, HUGE_PAGE_SIZE, 512 * HUGE_PAGE_SIZE].map(cost)).toEqual([4, 1, 2, 3, 4]);
    expect(cost(0x1000)).toBe(0);
  });

  it('a large page takes fewer levels', () => {
    const { cpu, memory, root } = bareCpu();
    mapPage(memory, root, 0, { frame: 0, flags: USER_RW }, LARGE_PAGE_SIZE);
    mapPage(memory, root, 512 * HUGE_PAGE_SIZE, { frame: 0, flags: USER_RW }, HUGE_PAGE_SIZE);
    const before = cpu.clock;
    cpu.mmu.translate(0, Access.read | Access.user);
    cpu.mmu.translate(512 * HUGE_PAGE_SIZE, Access.read | Access.user);
    expect((cpu.clock - before - 2 * missed) / level).toBe(3 + 2);
  });
});

describe('what a hit costs', () => {
  it('nothing in the first level, as it is part of the instruction; the profile says what in the second', () => {
    const { cpu, memory, root } = bareCpu();
    const pages = 128;
    for (let i = 0; i < pages; i++) mapPage(memory, root, i * PAGE_SIZE, { frame: 0, flags: USER_RW });
    const pass = (from: number): number => {
      const before = cpu.clock;
      for (let i = from; i < pages; i++) cpu.mmu.translate(i * PAGE_SIZE, Access.read | Access.user);
      return cpu.clock - before;
    };
    pass(0);
    expect(pass(pages - 64)).toBe(0);
    expect(pass(0)).toBe(pages * Math.round(XEON.costs.stlbHit.central * (2.3 / 3.0)));
  });
});

describe('TLB geometry', () => {
  /** Walks and second-level hits of one more pass over `count` pages after a first. */
  function secondPass(count: number, access: number, size = PAGE_SIZE): { walks: number; stlb: number } {
    const { cpu, memory, root } = bareCpu();
    const { mmu } = cpu;
    for (let i = 0; i < count; i++) mapPage(memory, root, i * size, { frame: 0, flags: USER_RW }, size);
    const pass = (): void => {
      for (let i = 0; i < count; i++) mmu.translate(i * size, access);
    };
    pass();
    const before = { walks: mmu.walks, stlb: mmu.stlbHits };
    pass();
    return { walks: mmu.walks - before.walks, stlb: mmu.stlbHits - before.stlb };
  }
  const data = Access.read | Access.user;
  const fetch = Access.fetch | Access.user;

  it('is that of the profile: 64 data and 128 code entries, and behind them twice 1024 for 4 KiB pages', () => {
    expect(secondPass(64, data)).toEqual({ walks: 0, stlb: 0 });
    expect(secondPass(128, data)).toEqual({ walks: 0, stlb: 128 });
    expect(secondPass(128, fetch)).toEqual({ walks: 0, stlb: 0 });
    expect(secondPass(2048, data)).toEqual({ walks: 0, stlb: 2048 });
    expect(secondPass(4096, data)).toEqual({ walks: 4096, stlb: 0 });
    expect(secondPass(1024, data, LARGE_PAGE_SIZE)).toEqual({ walks: 0, stlb: 1024 });
    expect(secondPass(2048, data, LARGE_PAGE_SIZE)).toEqual({ walks: 2048, stlb: 0 });
    expect(secondPass(32, data, LARGE_PAGE_SIZE)).toEqual({ walks: 0, stlb: 0 });
    expect(secondPass(8, data, HUGE_PAGE_SIZE)).toEqual({ walks: 0, stlb: 0 });
    expect(secondPass(16, data, HUGE_PAGE_SIZE)).toEqual({ walks: 0, stlb: 16 });
  });

  it('has one second level for 4 KiB and 2 MiB pages: one kind pushes the other out', () => {
    const { cpu, memory, root } = bareCpu();
    const { mmu } = cpu;
    const small = (i: number): number => 512 * HUGE_PAGE_SIZE + i * PAGE_SIZE;
    for (let i = 0; i < 2048; i++) mapPage(memory, root, small(i), { frame: 0, flags: USER_RW });
    for (let i = 0; i < 1024; i++) {
      mapPage(memory, root, i * LARGE_PAGE_SIZE, { frame: 0, flags: USER_RW }, LARGE_PAGE_SIZE);
    }
    for (let i = 0; i < 2048; i++) mmu.translate(small(i), data);
    for (let i = 0; i < 1024; i++) mmu.translate(i * LARGE_PAGE_SIZE, data);
    const { walks } = mmu;
    for (let i = 0; i < 2048; i++) mmu.translate(small(i), data);
    // Those that share with 1 GiB pages are still there.
    expect(mmu.walks - walks).toBe(1024);
  });

  it('fetches from 1 GiB pages through 2 MiB entries of the code TLB', () => {
    expect(secondPass(1, fetch, HUGE_PAGE_SIZE)).toEqual({ walks: 0, stlb: 1 });
    const { cpu, memory, root } = bareCpu();
    mapPage(memory, root, 0, { frame: 0, flags: USER_RW }, HUGE_PAGE_SIZE);
    expect(cpu.mmu.translate(0x1234_5678, fetch)).toBe(0x1234_5678);
    expect(cpu.mmu.translate(0x1234_5678, fetch)).toBe(0x1234_5678);
    expect(cpu.mmu.translate(0x1234_5679, fetch)).toBe(0x1234_5679);
    expect([cpu.mmu.walks, cpu.mmu.stlbHits]).toEqual([1, 1]);
  });
});

describe('reserved bits', () => {
  const set = (features: Partial<typeof XEON.features>, bits: Partial<{ low: number; high: number }>, level: number): string => {
    const { cpu, memory, root } = bareCpu({ profile: { ...XEON, features: { ...XEON.features, ...features } } });
    const size = [0, PAGE_SIZE, LARGE_PAGE_SIZE, HUGE_PAGE_SIZE][level] as number;
    mapPage(memory, root, 0, { frame: 0, flags: USER_RW }, size);
    const { entry, low, high } = walk(memory, root, 0);
    memory.write32(entry, low | (bits.low ?? 0));
    memory.write32(entry + 4, high | (bits.high ?? 0));
    return outcome(cpu.mmu, 0, Access.write | Access.user);
  };
  const reserved = `#PF(${FaultCode.present | FaultCode.write | FaultCode.user | FaultCode.reserved})`;

  it('fault with their own bit of the error code', () => {
    expect(set({}, { high: 1 << 14 }, 1)).toBe(reserved);
    expect(set({}, { high: 1 << 19 }, 1)).toBe(reserved);
    expect(set({}, { low: 1 << 13 }, 2)).toBe(reserved);
    expect(set({}, { low: 1 << 20 }, 3)).toBe(reserved);
    expect(set({ gib1Pages: false }, {}, 3)).toBe(reserved);
  });

  it('are not the software bits, nor the PAT bit of a large page', () => {
    for (const bits of [{ low: 7 << 9 }, { high: 0x7f << 20 }]) expect(set({}, bits, 1)).toBe('0x0');
    expect(set({}, { low: 1 << 12 }, 2)).toBe('0x0');
  });
});
