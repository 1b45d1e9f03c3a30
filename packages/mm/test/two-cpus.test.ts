import { type Cpu, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import { Madvise, MapFlag, Mremap, Prot, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  brk,
  forkMm,
  MappedFile,
  MemoryFile,
  type MemoryOptions,
  type MmStruct,
  madvise,
  mmap,
  mprotect,
  mremap,
  munmap,
} from '../src/index.js';
import { load, type Outcome, segv, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;

/** What one CPU does to a page that holds 7, and what a load (and, if it says so, a store) on another CPU gives afterwards. */
interface Change {
  readonly name: string;
  readonly options?: MemoryOptions;
  /** @returns the page's address; by default a private page is made */
  readonly map?: (cpu: Cpu, mm: MmStruct, bench: TestBench) => number;
  readonly act: (cpu: Cpu, mm: MmStruct, at: number, bench: TestBench) => void;
  readonly loads: Outcome;
  readonly stores?: Outcome;
}

function privatePages(cpu: Cpu, mm: MmStruct): number {
  return mmap(cpu, mm, 0, 4 * PAGE_SIZE, RW, PRIVATE);
}

function hugePage(cpu: Cpu, mm: MmStruct): number {
  const at = mmap(cpu, mm, 0, 2 * LARGE_PAGE_SIZE, RW, PRIVATE);
  return Math.ceil(at / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE;
}

const changes: readonly Change[] = [
  { name: 'munmap', act: (cpu, mm, at) => munmap(cpu, mm, at, PAGE_SIZE), loads: segv(SignalCode.SEGV_MAPERR) },
  {
    name: 'mprotect to read-only',
    act: (cpu, mm, at) => mprotect(cpu, mm, at, PAGE_SIZE, Prot.READ),
    loads: 7,
    stores: segv(SignalCode.SEGV_ACCERR),
  },
  { name: 'mprotect to nothing', act: (cpu, mm, at) => mprotect(cpu, mm, at, PAGE_SIZE, Prot.NONE), loads: segv(SignalCode.SEGV_ACCERR) },
  { name: 'madvise DONTNEED', act: (cpu, mm, at) => madvise(cpu, mm, at, PAGE_SIZE, Madvise.DONTNEED), loads: 0 },
  {
    name: 'mremap to another place',
    act: (cpu, mm, at) => mremap(cpu, mm, at, PAGE_SIZE, 2 * PAGE_SIZE, Mremap.MAYMOVE),
    loads: segv(SignalCode.SEGV_MAPERR),
  },
  {
    name: 'a new mapping over it',
    act: (cpu, mm, at) => mmap(cpu, mm, at, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED),
    loads: 0,
  },
  {
    name: 'copy-on-write after a fork',
    act: (cpu, mm, at) => {
      forkMm(cpu, mm);
      store(cpu, mm, at, 8);
    },
    loads: 8,
  },
  {
    name: 'copy-on-write of the page of zeroes',
    map: (cpu, mm) => mmap(cpu, mm, 0, PAGE_SIZE, RW, PRIVATE),
    act: (cpu, mm, at) => store(cpu, mm, at, 8),
    loads: 8,
  },
  {
    name: 'a heap that shrinks',
    map: (cpu, mm) => {
      mm.brkStart = 0x1000_0000;
      mm.brk = mm.brkStart;
      brk(cpu, mm, mm.brkStart + PAGE_SIZE);
      return mm.brkStart;
    },
    act: (cpu, mm) => brk(cpu, mm, mm.brkStart),
    loads: segv(SignalCode.SEGV_MAPERR),
  },
  {
    name: 'truncation of the file behind it',
    map: (cpu, mm, { manager }) => {
      const file = new MemoryFile(manager, 'file');
      file.truncate(cpu, PAGE_SIZE);
      return mmap(cpu, mm, 0, PAGE_SIZE, RW, MapFlag.SHARED, { object: new MappedFile(file) });
    },
    act: (cpu, mm, at) => {
      const { object } = mm.areas.containing(at) ?? {};
      (object as MappedFile).file.truncate(cpu, 0);
    },
    loads: { signal: 7, code: SignalCode.BUS_ADRERR },
  },
  {
    name: 'DONTNEED of a part of a huge page',
    options: { hugePages: 'always' },
    map: hugePage,
    act: (cpu, mm, at) => madvise(cpu, mm, at, PAGE_SIZE, Madvise.DONTNEED),
    loads: 0,
  },
  {
    name: 'mprotect of a huge page',
    options: { hugePages: 'always' },
    map: hugePage,
    act: (cpu, mm, at) => mprotect(cpu, mm, at, LARGE_PAGE_SIZE, Prot.READ),
    loads: 7,
    stores: segv(SignalCode.SEGV_ACCERR),
  },
  {
    name: 'a huge page in place of small ones',
    options: { hugePages: 'madvise' },
    map: hugePage,
    act: (cpu, mm, at, bench) => {
      madvise(cpu, mm, at, LARGE_PAGE_SIZE, Madvise.COLLAPSE);
      // By a CPU that has none of the old translations.
      mm.activate(bench.cpuAt(2));
      store(bench.cpuAt(2), mm, at, 8);
    },
    loads: 8,
  },
];

/** Where the other CPU is while the change is made, and how it comes to use the memory afterwards. */
const places: readonly {
  readonly name: string;
  readonly leave: (cpu: Cpu, mm: MmStruct, bench: TestBench) => void;
  readonly back: (cpu: Cpu, mm: MmStruct) => void;
}[] = [
  { name: 'which runs there', leave: () => {}, back: () => {} },
  { name: 'which is lazy and comes back', leave: (cpu, mm) => mm.enterLazy(cpu), back: (cpu, mm) => mm.activate(cpu) },
  { name: 'which runs elsewhere and comes back', leave: (cpu, _mm, bench) => bench.process(cpu), back: (cpu, mm) => mm.activate(cpu) },
];

describe.each(places)('another CPU, $name,', ({ leave, back }) => {
  it.each(changes)('sees $name', ({ options, map = privatePages, act, loads, stores }) => {
    const bench = new TestBench(options);
    const [one, other] = [bench.cpuAt(0), bench.cpuAt(1)];
    const mm = bench.process(one);
    mm.activate(other);
    const at = map(one, mm, bench);
    const zeroes = map !== privatePages && load(one, mm, at) === 0 && loads === 8 && options === undefined;
    if (!zeroes) for (const cpu of [one, other]) expect(store(cpu, mm, at, 7)).toBe(7);
    // It has the translation in its TLB.
    expect(load(other, mm, at)).toBe(zeroes ? 0 : 7);
    leave(other, mm, bench);
    act(one, mm, at, bench);
    back(other, mm);
    expect(load(other, mm, at)).toEqual(loads);
    if (stores !== undefined) expect(store(other, mm, at, 9)).toEqual(stores);
  });
});

describe('a CPU that has missed flushes', () => {
  it('flushes everything when it comes back, even if the last flush was of one page', () => {
    const bench = new TestBench();
    const [one, other] = [bench.cpuAt(0), bench.cpuAt(1)];
    const mm = bench.process(one);
    mm.activate(other);
    const at = privatePages(one, mm);
    for (const page of [0, 1]) store(other, mm, at + page * PAGE_SIZE, 7);
    mm.enterLazy(other);
    for (const page of [0, 1]) mprotect(one, mm, at + page * PAGE_SIZE, PAGE_SIZE, Prot.NONE);
    mm.activate(other);
    for (const page of [0, 1]) expect(load(other, mm, at + page * PAGE_SIZE)).toEqual(segv(SignalCode.SEGV_ACCERR));
  });

  it('flushes everything when it is interrupted although it is lazy, because tables are freed', () => {
    const bench = new TestBench();
    const [one, other] = [bench.cpuAt(0), bench.cpuAt(1)];
    const mm = bench.process(one);
    mm.activate(other);
    const at = privatePages(one, mm);
    // In a table of its own, the first page of it, so that the flush is of this page only.
    const far = at - (at % LARGE_PAGE_SIZE) - 16 * LARGE_PAGE_SIZE;
    mmap(one, mm, far, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    store(other, mm, far, 7);
    store(other, mm, at, 7);
    mm.enterLazy(other);
    mprotect(one, mm, at, PAGE_SIZE, Prot.NONE);
    munmap(one, mm, far, PAGE_SIZE);
    mm.activate(other);
    expect(load(other, mm, at)).toEqual(segv(SignalCode.SEGV_ACCERR));
  });

  it('is not interrupted while it is lazy, and says that it catches up', () => {
    const bench = new TestBench();
    const [one, other] = [bench.cpuAt(0), bench.cpuAt(1)];
    const mm = bench.process(one);
    mm.activate(other);
    const at = privatePages(one, mm);
    store(other, mm, at, 7);
    const seen: string[] = [];
    const { events } = bench.manager.seams;
    events.tlbFlush.on('test', (cpu, _time, _mm, start, end, interrupted) =>
      seen.push(`CPU ${cpu} flushes ${(end - start) / PAGE_SIZE}, ${interrupted} interrupted`),
    );
    events.tlbCatchUp.on('test', (cpu) => seen.push(`CPU ${cpu} catches up`));
    mprotect(one, mm, at, PAGE_SIZE, Prot.READ);
    mm.enterLazy(other);
    mprotect(one, mm, at, PAGE_SIZE, Prot.NONE);
    mm.activate(other);
    mm.enterLazy(other);
    mm.activate(other);
    expect(seen).toEqual(['CPU 0 flushes 1, 1 interrupted', 'CPU 0 flushes 1, 0 interrupted', 'CPU 1 catches up']);
  });
});

describe('a huge page that is split', () => {
  it('is flushed as a whole on every CPU, before its pages go their own ways', () => {
    const bench = new TestBench({ hugePages: 'always' });
    const [one, other] = [bench.cpuAt(0), bench.cpuAt(1)];
    const mm = bench.process(one);
    mm.activate(other);
    const at = hugePage(one, mm);
    store(one, mm, at, 7);
    const flushes: [pages: number, interrupted: number][] = [];
    bench.manager.seams.events.tlbFlush.on('test', (_cpu, _time, _mm, start, end, interrupted) => {
      flushes.push([(end - start) / PAGE_SIZE, interrupted]);
    });
    munmap(one, mm, at + PAGE_SIZE, PAGE_SIZE);
    expect(flushes).toEqual([
      [512, 1],
      [1, 1],
    ]);
  });
});

describe('after a fork', () => {
  it('no CPU writes to a page of the parent that the child sees', () => {
    for (const lazy of [false, true]) {
      const bench = new TestBench();
      const [one, other, childs] = [bench.cpuAt(0), bench.cpuAt(1), bench.cpuAt(2)];
      const mm = bench.process(one);
      mm.activate(other);
      const at = privatePages(one, mm);
      for (const cpu of [one, other]) store(cpu, mm, at, 7);
      if (lazy) mm.enterLazy(other);
      const child = forkMm(one, mm);
      mm.activate(other);
      child.activate(childs);
      store(other, mm, at, 8);
      expect(load(childs, child, at)).toBe(7);
      store(one, mm, at, 9);
      expect([load(childs, child, at), load(other, mm, at)]).toEqual([7, 9]);
    }
  });
});

describe('page tables', () => {
  it('go if what is mapped next begins right where they end', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const base = 0x4000_0000;
    const fixed = (start: number): number => mmap(cpu, mm, start, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    fixed(base + LARGE_PAGE_SIZE - PAGE_SIZE);
    fixed(base + LARGE_PAGE_SIZE);
    store(cpu, mm, base + LARGE_PAGE_SIZE - PAGE_SIZE, 1);
    store(cpu, mm, base + LARGE_PAGE_SIZE, 1);
    const { tables } = mm.tables;
    munmap(cpu, mm, base + LARGE_PAGE_SIZE - PAGE_SIZE, PAGE_SIZE);
    expect(mm.tables.tables).toBe(tables - 1);
    // And they stay if anything of them is still used.
    fixed(base + LARGE_PAGE_SIZE + PAGE_SIZE);
    munmap(cpu, mm, base + LARGE_PAGE_SIZE, PAGE_SIZE);
    expect(mm.tables.tables).toBe(tables - 1);
    expect(store(cpu, mm, base + LARGE_PAGE_SIZE + PAGE_SIZE, 2)).toBe(2);
  });
});

describe('what happens to memory', () => {
  it('is announced where it happens', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const seen: string[] = [];
    const { events } = bench.manager.seams;
    let base = 0;
    const range = (what: string) => (on: number, time: number, of: MmStruct, start: number, end: number) => {
      expect([on, of === mm, time]).toEqual([0, true, cpu.clock]);
      if (base === 0) base = start;
      seen.push(`${what} ${(start - base) / PAGE_SIZE}-${(end - base) / PAGE_SIZE}`);
    };
    events.memoryMap.on('test', range('map'));
    events.memoryUnmap.on('test', range('unmap'));
    events.memoryProtect.on('test', range('protect'));
    events.pageFault.on('test', (_cpu, _time, _mm, address, code, result) => {
      seen.push(`fault at ${(address - base) / PAGE_SIZE}, code ${code}: ${result & 0xff}`);
    });
    const at = mmap(cpu, mm, 0, 4 * PAGE_SIZE, RW, PRIVATE);
    store(cpu, mm, at + PAGE_SIZE, 1);
    mprotect(cpu, mm, at, 2 * PAGE_SIZE, Prot.READ);
    store(cpu, mm, at, 1);
    mmap(cpu, mm, at, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    munmap(cpu, mm, at, 4 * PAGE_SIZE);
    expect(seen).toEqual([
      'map 0-4',
      'fault at 1, code 6: 0',
      'protect 0-2',
      'fault at 0, code 6: 11',
      'unmap 0-1',
      'map 0-1',
      'unmap 0-4',
    ]);
  });
});
