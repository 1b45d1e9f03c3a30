import { Access, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import { Madvise, MapFlag, Mremap, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { exitMm, forkMm, type MmStruct, madvise, mmap, mprotect, mremap, munmap, populateRange } from '../src/index.js';
import { load, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;
const HUGE = LARGE_PAGE_SIZE;
/** Page tables of one huge page, as VmPTE counts them: levels 3 and 2, and the level-1 table set aside. */
const TABLES = 3 * PAGE_SIZE;

/** A process with `count` huge pages' worth of memory that has asked for them. */
function asking(count: number, bench = new TestBench({ hugePages: 'madvise' })): { bench: TestBench; mm: MmStruct; at: number } {
  const mm = bench.process();
  const at = mmap(bench.cpu, mm, 0, count * HUGE, RW, PRIVATE);
  expect(at % HUGE).toBe(0);
  expect(madvise(bench.cpu, mm, at, count * HUGE, Madvise.HUGEPAGE)).toBe(0);
  return { bench, mm, at };
}

describe('transparent huge pages', () => {
  it.each([
    ['never', true, 0],
    ['madvise', false, 0],
    ['madvise', true, 1],
    ['always', false, 1],
  ] as const)('with %s, and madvise(HUGEPAGE) %s, a write maps %i of them', (hugePages, asked, expected) => {
    const bench = new TestBench({ hugePages });
    const mm = bench.process();
    const at = mmap(bench.cpu, mm, 0, 2 * HUGE, RW, PRIVATE);
    if (asked) madvise(bench.cpu, mm, at, 2 * HUGE, Madvise.HUGEPAGE);
    expect(store(bench.cpu, mm, at + 5 * PAGE_SIZE, 7)).toBe(7);
    expect(mm.anonHugePages).toBe(expected);
    expect(mm.residentPages).toBe(expected === 1 ? 512 : 1);
  });

  it('are off unless asked for, and of three kinds', () => {
    expect(new TestBench().manager.hugePages).toBe('never');
    expect(() => new TestBench({ hugePages: 'sometimes' as never })).toThrow(
      /hugePages: "sometimes" is not one of never, madvise and always/,
    );
  });

  it('take one fault for 2 MiB, all of it zeroes, and tables as small pages would', () => {
    const { bench, mm, at } = asking(1);
    const { cpu } = bench;
    expect(store(cpu, mm, at + 300 * PAGE_SIZE, 9)).toBe(9);
    expect(load(cpu, mm, at)).toBe(0);
    expect(load(cpu, mm, at + HUGE - 1)).toBe(0);
    expect(load(cpu, mm, at + 300 * PAGE_SIZE)).toBe(9);
    expect(mm.minorFaults).toBe(1);
    expect(mm.anonPages).toBe(512);
    expect(mm.pageTableBytes).toBe(TABLES);
  });

  it('cost the zeroing of 512 pages where a small page costs that of one', () => {
    const zeroed = (hugePages: 'never' | 'always') => {
      const bench = new TestBench({ hugePages });
      const { cpu } = bench;
      const mm = bench.process();
      const at = mmap(cpu, mm, 0, HUGE, RW, PRIVATE);
      const count = () => cpu.ownLedger.entries.find(({ step }) => step.name === '@rpal/mm:pageZero')?.count ?? 0;
      const before = count();
      store(cpu, mm, at, 1);
      return count() - before;
    };
    expect(zeroed('always') - zeroed('never')).toBe(511);
  });

  it('are one entry of the TLB, where 512 small pages would not fit', () => {
    const walksWith = (hugePages: 'never' | 'always'): number => {
      const bench = new TestBench({ hugePages });
      const { cpu } = bench;
      const mm = bench.process();
      const at = mmap(cpu, mm, 0, 8 * HUGE, RW, PRIVATE | MapFlag.POPULATE);
      const round = (): void => {
        for (let page = at; page < at + 8 * HUGE; page += PAGE_SIZE) cpu.data(page, Access.user | Access.write);
      };
      round();
      const { walks } = cpu.mmu;
      round();
      return cpu.mmu.walks - walks;
    };
    expect(walksWith('always')).toBe(0);
    expect(walksWith('never')).toBe(4096);
  });

  it('need the whole 2 MiB within one area, and no page there yet', () => {
    const { bench, mm, at } = asking(2);
    const { cpu } = bench;
    munmap(cpu, mm, at + HUGE + 8 * PAGE_SIZE, PAGE_SIZE);
    store(cpu, mm, at + HUGE, 1);
    expect(mm.anonHugePages).toBe(0);

    madvise(cpu, mm, at, HUGE, Madvise.NOHUGEPAGE);
    store(cpu, mm, at, 1);
    expect(mm.anonHugePages).toBe(0);
    madvise(cpu, mm, at, HUGE, Madvise.HUGEPAGE);
    store(cpu, mm, at + PAGE_SIZE, 1);
    expect(mm.anonHugePages).toBe(0);
    // Dropped as a whole, the range begins anew.
    madvise(cpu, mm, at, HUGE, Madvise.DONTNEED);
    store(cpu, mm, at, 1);
    expect(mm.anonHugePages).toBe(1);
  });

  it('give reads the huge page of zeroes, which belongs to nobody, until a write', () => {
    const { bench, mm, at } = asking(2);
    const { cpu, manager } = bench;
    expect(load(cpu, mm, at)).toBe(0);
    expect(mm.residentPages).toBe(0);
    const frames = manager.frames.inUse;
    expect(load(cpu, mm, at + HUGE)).toBe(0);
    expect(manager.frames.inUse - frames).toBe(1); // The table set aside.
    expect(store(cpu, mm, at + 3, 5)).toBe(5);
    expect(mm.anonHugePages).toBe(1);
    expect(load(cpu, mm, at + HUGE + 3)).toBe(0);
    expect(manager.memory.read8(manager.hugeZeroIfAny * PAGE_SIZE + 3)).toBe(0);
  });

  it.each([
    ['munmap', (bench, mm, at) => munmap(bench.cpu, mm, at + PAGE_SIZE, PAGE_SIZE), 511],
    ['mprotect', (bench, mm, at) => mprotect(bench.cpu, mm, at + PAGE_SIZE, PAGE_SIZE, Prot.READ), 512],
    ['madvise DONTNEED', (bench, mm, at) => madvise(bench.cpu, mm, at + PAGE_SIZE, PAGE_SIZE, Madvise.DONTNEED), 511],
    ['madvise NOHUGEPAGE', (bench, mm, at) => madvise(bench.cpu, mm, at, PAGE_SIZE, Madvise.NOHUGEPAGE), 512],
    ['mremap', (bench, mm, at) => (mremap(bench.cpu, mm, at + PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, Mremap.MAYMOVE) > 0 ? 0 : -1), 512],
  ] as [string, (bench: TestBench, mm: MmStruct, at: number) => number, number][])(
    'are split by %s of a part, and keep what is in them',
    (_, change, left) => {
      const { bench, mm, at } = asking(1);
      store(bench.cpu, mm, at + 300 * PAGE_SIZE, 9);
      expect(change(bench, mm, at)).toBe(0);
      expect(mm.anonHugePages).toBe(0);
      expect(mm.residentPages).toBe(left);
      const faults = mm.minorFaults;
      expect(load(bench.cpu, mm, at + 300 * PAGE_SIZE)).toBe(9);
      expect(store(bench.cpu, mm, at + 301 * PAGE_SIZE, 4)).toBe(4);
      expect(mm.minorFaults).toBe(faults);
    },
  );

  it('stay one piece of memory after a split: it is returned when the last page of it goes', () => {
    const { bench, mm, at } = asking(1);
    const { cpu, platform } = bench;
    const before = platform.memory.framesInUse;
    store(cpu, mm, at, 1);
    munmap(cpu, mm, at, HUGE - PAGE_SIZE);
    expect(platform.memory.framesInUse - before).toBe(512 + 3);
    munmap(cpu, mm, at + HUGE - PAGE_SIZE, PAGE_SIZE);
    expect(platform.memory.framesInUse).toBe(before);
  });

  it('are not split by mprotect of all of it, nor by a move from border to border', () => {
    const { bench, mm, at } = asking(4);
    const { cpu } = bench;
    store(cpu, mm, at + HUGE, 6);
    expect(mprotect(cpu, mm, at + HUGE, HUGE, Prot.READ)).toBe(0);
    expect(load(cpu, mm, at + HUGE)).toBe(6);
    expect(store(cpu, mm, at + HUGE, 1)).toMatchObject({ signal: 11 });
    expect(mprotect(cpu, mm, at + HUGE, HUGE, RW)).toBe(0);
    expect(mremap(cpu, mm, at + HUGE, HUGE, HUGE, Mremap.MAYMOVE | Mremap.FIXED, at + 3 * HUGE)).toBe(at + 3 * HUGE);
    expect(mm.anonHugePages).toBe(1);
    expect(load(cpu, mm, at + 3 * HUGE)).toBe(6);
    expect(mm.minorFaults).toBe(1);
  });

  it('are shared by fork; a write copies one small page of them, while the other side keeps the huge page', () => {
    const { bench, mm, at } = asking(1);
    const { cpu, platform } = bench;
    store(cpu, mm, at, 1);
    const frames = (): number => platform.memory.framesInUse;
    const child = forkMm(cpu, mm);
    expect([child.anonHugePages, child.residentPages, child.pageTableBytes]).toEqual([1, 512, TABLES]);
    child.activate(cpu);
    const before = frames();
    expect(store(cpu, child, at, 2)).toBe(2);
    expect(frames() - before).toBe(1);
    expect([child.anonHugePages, mm.anonHugePages]).toEqual([0, 1]);
    expect(load(cpu, child, at + PAGE_SIZE)).toBe(0);
    mm.activate(cpu);
    expect(load(cpu, mm, at)).toBe(1);
    // The child still has 511 pages of it, so the parent copies too.
    expect(store(cpu, mm, at + 9 * PAGE_SIZE, 3)).toBe(3);
    expect(mm.anonHugePages).toBe(0);
    exitMm(cpu, child);
    // Alone again, it writes in place.
    const alone = frames();
    expect(store(cpu, mm, at + 10 * PAGE_SIZE, 3)).toBe(3);
    expect(frames()).toBe(alone);
  });

  it('are written in place by the last process that has one', () => {
    const { bench, mm, at } = asking(1);
    const { cpu } = bench;
    store(cpu, mm, at, 1);
    const child = forkMm(cpu, mm);
    exitMm(cpu, child);
    expect(store(cpu, mm, at, 2)).toBe(2);
    expect(mm.anonHugePages).toBe(1);
  });

  it('come with populate, and leave nothing behind', () => {
    const { bench, mm, at } = asking(3);
    const { cpu, platform } = bench;
    const before = platform.memory.framesInUse;
    populateRange(cpu, mm, at, at + 3 * HUGE);
    expect([mm.anonHugePages, mm.minorFaults]).toEqual([3, 3]);
    munmap(cpu, mm, at, 3 * HUGE);
    expect([mm.anonHugePages, mm.residentPages, mm.pageTableBytes]).toEqual([0, 0, 0]);
    expect(platform.memory.framesInUse).toBe(before);
    const again = mmap(cpu, mm, at, 3 * HUGE, RW, PRIVATE);
    madvise(cpu, mm, again, 3 * HUGE, Madvise.HUGEPAGE);
    populateRange(cpu, mm, again, again + 3 * HUGE);
    expect(mm.anonHugePages).toBe(3);
  });

  it('are dropped from every TLB by one INVLPG each', () => {
    const { bench, mm, at } = asking(3);
    const { cpu } = bench;
    const other = bench.cpuAt(1);
    mm.activate(other);
    populateRange(cpu, mm, at, at + 3 * HUGE);
    store(cpu, mm, at + HUGE, 1);
    expect(load(other, mm, at + HUGE)).toBe(1);
    const invlpgs = (): number => other.ownLedger.entries.find(({ step }) => step.name === '@rpal/mm:flushPage')?.count ?? 0;
    const before = invlpgs();
    mprotect(cpu, mm, at, 3 * HUGE, Prot.NONE);
    expect(invlpgs() - before).toBe(3);
    expect(load(other, mm, at + HUGE)).toMatchObject({ signal: 11 });
  });
});
