import { LARGE_PAGE_SIZE as HUGE, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, Madvise, MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  exitMm,
  forkMm,
  type HugePages,
  Khugepaged,
  type KhugepagedOptions,
  type MmStruct,
  madvise,
  mmap,
  mprotect,
  munmap,
  rulesOf,
} from '../src/index.js';
import { load, segv, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;

interface Setting {
  readonly bench: TestBench;
  readonly mm: MmStruct;
  readonly at: number;
}

/** Memory for four huge pages; the small pages at `touched` (in pages from its start) have been written with their number. */
function memory(touched: readonly number[], bench = new TestBench(), flags: number = PRIVATE): Setting {
  const mm = bench.process();
  // Aligned whatever the options say.
  const at = mmap(bench.cpu, mm, 0x7000_0000_0000, 4 * HUGE, RW, flags | MapFlag.FIXED);
  for (const page of touched) store(bench.cpu, mm, at + page * PAGE_SIZE, page & 0xff);
  return { bench, mm, at };
}

function collapse({ bench, mm, at }: Setting, from = 0, length: number = HUGE): number {
  return madvise(bench.cpu, mm, at + from, length, Madvise.COLLAPSE);
}

describe('madvise(COLLAPSE)', () => {
  it('makes a huge page of what is there, whatever is enabled, and zeroes the rest', () => {
    for (const hugePages of ['never', 'madvise', 'always'] as const satisfies readonly HugePages[]) {
      const bench = new TestBench({ hugePages });
      // Under `always` the first store would map a huge page: the area is given up to small pages before.
      const setting = memory([], bench, PRIVATE | MapFlag.STACK);
      const { mm, at } = setting;
      for (const page of [3, 300]) store(bench.cpu, mm, at + page * PAGE_SIZE, page & 0xff);
      expect(mm.anonHugePages).toBe(0);
      madvise(bench.cpu, mm, at, 4 * HUGE, Madvise.HUGEPAGE);
      const { pageTableBytes, minorFaults } = mm;
      expect(collapse(setting)).toBe(0);
      expect([mm.anonHugePages, mm.anonPages, mm.residentPages]).toEqual([1, 512, 512]);
      expect([mm.pageTableBytes, mm.minorFaults]).toEqual([pageTableBytes, minorFaults]);
      expect([3, 4, 300].map((page) => load(bench.cpu, mm, at + page * PAGE_SIZE))).toEqual([3, 0, 300 & 0xff]);
      expect(store(bench.cpu, mm, at + 5 * PAGE_SIZE, 9)).toBe(9);
      expect(mm.minorFaults).toBe(minorFaults);
    }
  });

  it('is split again as any other, and leaves nothing behind', () => {
    const setting = memory([3]);
    const { bench, mm, at } = setting;
    const before = bench.platform.memory.framesInUse - 1;
    collapse(setting);
    expect(munmap(bench.cpu, mm, at, PAGE_SIZE)).toBe(0);
    expect([mm.anonHugePages, mm.residentPages]).toEqual([0, 511]);
    expect(load(bench.cpu, mm, at + 3 * PAGE_SIZE)).toBe(3);
    madvise(bench.cpu, mm, at, 4 * HUGE, Madvise.DONTNEED);
    // The one level-1 table is what is left of it.
    expect(bench.platform.memory.framesInUse).toBeLessThanOrEqual(before);
    exitMm(bench.cpu, mm);
  });

  it('takes its own copy of pages that a fork has shared', () => {
    const setting = memory([1, 2]);
    const { bench, mm, at } = setting;
    const child = forkMm(bench.cpu, mm);
    // All of them are read-only since the fork.
    expect(collapse(setting)).toBe(-Errno.EINVAL);
    store(bench.cpu, mm, at + PAGE_SIZE, 7);
    expect(collapse(setting)).toBe(0);
    expect([mm.anonHugePages, child.anonHugePages]).toEqual([1, 0]);
    store(bench.cpu, mm, at + 2 * PAGE_SIZE, 8);
    child.activate(bench.cpu);
    expect([1, 2].map((page) => load(bench.cpu, child, at + page * PAGE_SIZE))).toEqual([1, 2]);
  });

  it('reaches every CPU that has the small pages in its TLB', () => {
    const setting = memory([1]);
    const { bench, mm, at } = setting;
    const other = bench.cpuAt(1);
    mm.activate(other);
    expect(load(other, mm, at + PAGE_SIZE)).toBe(1);
    collapse(setting);
    store(bench.cpu, mm, at + PAGE_SIZE, 2);
    expect(load(other, mm, at + PAGE_SIZE)).toBe(2);
    expect(mm.flushesReceived).toBe(1);
  });

  it('keeps the rights: none with PROT_NONE, from 6.18 on', () => {
    const setting = memory([1], new TestBench({ rules: rulesOf('6.18') }));
    const { bench, mm, at } = setting;
    mprotect(bench.cpu, mm, at, 4 * HUGE, Prot.NONE);
    expect(collapse(setting)).toBe(0);
    expect(mm.anonHugePages).toBe(1);
    expect(load(bench.cpu, mm, at + PAGE_SIZE)).toEqual(segv(2));
    mprotect(bench.cpu, mm, at, 4 * HUGE, RW);
    expect(load(bench.cpu, mm, at + PAGE_SIZE)).toBe(1);
    expect(store(bench.cpu, mm, at + PAGE_SIZE, 2)).toBe(2);
    expect(mm.anonHugePages).toBe(1);
  });

  const errors: readonly [what: string, touched: readonly number[], prepare: (s: Setting) => number, expected: number, made: number][] = [
    ['of memory that nobody has touched', [], (s) => collapse(s), -Errno.EINVAL, 0],
    ['of untouched 2 MiB beside touched ones', [512], (s) => collapse(s), -Errno.EINVAL, 0],
    ['of touched 2 MiB and untouched ones', [0], (s) => collapse(s, 0, 2 * HUGE), -Errno.EINVAL, 1],
    ['of two of them', [0, 512], (s) => collapse(s, 0, 2 * HUGE), 0, 2],
    ['of two, one of which is huge already', [0, 512], (s) => collapse(s, HUGE) + collapse(s, 0, 2 * HUGE), 0, 2],
    ['of nothing', [0], (s) => collapse(s, 0, 0), 0, 0],
    ['of a part, beyond which no whole 2 MiB remain', [0], (s) => collapse(s, PAGE_SIZE, HUGE), 0, 0],
    ['of a part within 2 MiB', [0], (s) => collapse(s, PAGE_SIZE, 2 * PAGE_SIZE), -Errno.EINVAL, 0],
    ['from an address within a page', [0], (s) => collapse(s, 8), -Errno.EINVAL, 0],
    [
      'where huge pages are not wanted',
      [0],
      (s) => madvise(s.bench.cpu, s.mm, s.at, HUGE, Madvise.NOHUGEPAGE) + collapse(s),
      -Errno.EINVAL,
      0,
    ],
    [
      'of memory that may only be read, up to 6.17',
      [0],
      (s) => mprotect(s.bench.cpu, s.mm, s.at, 4 * HUGE, Prot.READ) + collapse(s),
      -Errno.EINVAL,
      0,
    ],
    ['over a hole', [0, 1024], (s) => munmap(s.bench.cpu, s.mm, s.at + HUGE, HUGE) + collapse(s, 0, 3 * HUGE), -Errno.ENOMEM, 2],
    [
      'of shared memory',
      [],
      (s) => {
        const at = mmap(s.bench.cpu, s.mm, 0, 2 * HUGE, RW, MapFlag.SHARED | MapFlag.ANONYMOUS);
        return collapse({ ...s, at: Math.ceil(at / HUGE) * HUGE });
      },
      -Errno.EINVAL,
      0,
    ],
  ];

  it.each(errors)('%s', (_, touched, act, expected, made) => {
    const setting = memory(touched);
    expect(act(setting)).toBe(expected);
    expect(setting.mm.anonHugePages).toBe(made);
  });

  it('fails with ENOMEM if memory has no 2 MiB in a row', () => {
    const setting = memory([0]);
    const { frames } = setting.bench.manager;
    frames.allocateHuge = () => -1;
    expect(collapse(setting)).toBe(-Errno.ENOMEM);
    expect(load(setting.bench.cpu, setting.mm, setting.at)).toBe(0);
  });
});

describe('khugepaged', () => {
  /** Small pages written in each of the four 2 MiB, which huge pages are asked for afterwards. */
  function asking(counts: readonly number[], options: KhugepagedOptions = {}): Setting & { readonly daemon: Khugepaged } {
    const setting = memory(
      counts.flatMap((count, i) => Array.from({ length: count }, (_, page) => 512 * i + page)),
      new TestBench({ hugePages: 'madvise' }),
    );
    const { bench, mm, at } = setting;
    madvise(bench.cpu, mm, at, 4 * HUGE, Madvise.HUGEPAGE);
    return { ...setting, daemon: new Khugepaged(bench.manager, options) };
  }

  it('makes huge pages of small ones in the memory that asks for them, and is charged for it', () => {
    const { bench, mm, daemon } = asking([1, 0, 3, 512]);
    const { clock } = bench.cpu;
    expect(daemon.scan(bench.cpu)).toBe(3);
    expect([mm.anonHugePages, daemon.pagesCollapsed]).toEqual([3, 3]);
    expect(bench.cpu.clock).toBeGreaterThan(clock);
    expect(daemon.scan(bench.cpu)).toBe(0);
  });

  it('leaves alone what does not ask, and everything where huge pages are off', () => {
    const { bench, mm, at, daemon } = asking([1]);
    madvise(bench.cpu, mm, at, 4 * HUGE, Madvise.NOHUGEPAGE);
    expect(daemon.scan(bench.cpu)).toBe(0);
    const off = memory([0]);
    madvise(off.bench.cpu, off.mm, off.at, 4 * HUGE, Madvise.HUGEPAGE);
    expect(new Khugepaged(off.bench.manager).scan(off.bench.cpu)).toBe(0);
  });

  it('wants no more untouched pages than max_ptes_none, and no more shared ones than max_ptes_shared', () => {
    const few = asking([4, 2], { maxPtesNone: 508 });
    expect(few.daemon.scan(few.bench.cpu)).toBe(1);
    const shared = asking([3, 2], { maxPtesShared: 2 });
    const { bench, mm, at } = shared;
    forkMm(bench.cpu, mm);
    // One page of each is the parent's own again.
    for (const page of [0, 512]) store(bench.cpu, mm, at + page * PAGE_SIZE, 1);
    expect(new Khugepaged(bench.manager, { maxPtesShared: 1 }).scan(bench.cpu)).toBe(1);
    expect(shared.daemon.scan(bench.cpu)).toBe(1);
  });

  it('looks at so many pages a round, goes on where it was, and begins again after the last process', () => {
    const { bench, daemon } = asking([1, 1, 1, 1], { pagesToScan: 1024 });
    const other = memory([0], bench).mm;
    madvise(bench.cpu, other, 0x7000_0000_0000, 4 * HUGE, Madvise.HUGEPAGE);
    expect([daemon.scan(bench.cpu), daemon.scan(bench.cpu), daemon.fullScans]).toEqual([2, 2, 0]);
    expect([daemon.scan(bench.cpu), other.anonHugePages]).toEqual([1, 1]);
    exitMm(bench.cpu, other);
    for (let round = 0; round < 4; round++) expect(daemon.scan(bench.cpu)).toBe(0);
    expect(daemon.fullScans).toBeGreaterThan(0);
  });

  it.each([
    [{ pagesToScan: 0 }, /pagesToScan: 0 is not a whole number from 1 to/],
    [{ maxPtesNone: 512 }, /maxPtesNone: 512 is not a whole number from 0 to 511/],
    [{ maxPtesShared: 1.5 }, /maxPtesShared: 1.5 is not a whole number/],
  ])('refuses %j', (options, message) => {
    expect(() => new Khugepaged(new TestBench().manager, options)).toThrow(message);
  });
});
