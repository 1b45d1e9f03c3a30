import { findProfile, GIB, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, Madvise, MapFlag, Mremap, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  brk,
  exitMm,
  forkMm,
  insertArea,
  linux615,
  MAX_MAP_COUNT,
  MappedFile,
  MemoryFile,
  MmError,
  madvise,
  mlock,
  mmap,
  mprotect,
  mremap,
  munlock,
  munmap,
  releaseDifferences,
  rulesOf,
  TASK_SIZE,
  Vma,
  VmFlag,
} from '../src/index.js';
import { load, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;
const memory = (2 * (findProfile('xeon-platinum-8336c')?.topology.memoryPerSocket ?? 0) * GIB) as number;

describe('commitment', () => {
  it('by default refuses one request beyond all of memory, and nothing else', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    expect(mmap(cpu, mm, 0, memory + PAGE_SIZE, RW, PRIVATE)).toBe(-Errno.ENOMEM);
    expect(mmap(cpu, mm, 0, memory + PAGE_SIZE, RW, MapFlag.SHARED | MapFlag.ANONYMOUS)).toBe(-Errno.ENOMEM);
    // Neither what cannot be written nor what asks for no reservation counts.
    for (const [prot, flags] of [
      [Prot.READ, PRIVATE],
      [RW, PRIVATE | MapFlag.NORESERVE],
    ] as const) {
      const at = mmap(cpu, mm, 0, memory + PAGE_SIZE, prot, flags);
      expect(at).toBeGreaterThan(0);
      munmap(cpu, mm, at, memory + PAGE_SIZE);
    }
    for (let i = 0; i < 3; i++) expect(mmap(cpu, mm, 0, memory, RW, PRIVATE)).toBeGreaterThan(0);
  });

  it('with overcommit off counts everything that is promised, up to half of memory', () => {
    const bench = new TestBench({ overcommit: 'never' });
    const { cpu, manager } = bench;
    const mm = bench.process();
    const half = memory / 2;
    const at = mmap(cpu, mm, 0, half - PAGE_SIZE, RW, PRIVATE | MapFlag.NORESERVE);
    expect(at).toBeGreaterThan(0);
    expect(mmap(cpu, mm, 0, 2 * PAGE_SIZE, RW, PRIVATE)).toBe(-Errno.ENOMEM);
    const readable = mmap(cpu, mm, 0, 2 * PAGE_SIZE, Prot.READ, PRIVATE);
    expect(mprotect(cpu, mm, readable, 2 * PAGE_SIZE, RW)).toBe(-Errno.ENOMEM);
    expect(mprotect(cpu, mm, readable, PAGE_SIZE, RW)).toBe(0);
    munmap(cpu, mm, at, half - PAGE_SIZE);
    expect(manager.commitment.pages).toBe(1);
    exitMm(cpu, mm);
    expect(manager.commitment.pages).toBe(0);
  });

  it('of private memory is owed once more by a child', () => {
    const bench = new TestBench();
    const mm = bench.process();
    mmap(bench.cpu, mm, 0, 10 * PAGE_SIZE, RW, PRIVATE);
    mmap(bench.cpu, mm, 0, 5 * PAGE_SIZE, RW, MapFlag.SHARED | MapFlag.ANONYMOUS);
    forkMm(bench.cpu, mm);
    expect(bench.manager.commitment.pages).toBe(25);
  });
});

describe('limits', () => {
  it('of the number of areas: calls that would make one more fail with ENOMEM', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    const at = 0x1000_0000_0000;
    for (let i = 0; i < MAX_MAP_COUNT - 1; i++)
      insertArea(mm, new Vma(at + 2 * i * PAGE_SIZE, at + (2 * i + 1) * PAGE_SIZE, VmFlag.READ, 0, null, 0));
    const block = mmap(cpu, mm, 0x2000_0000_0000, 3 * PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    expect(mm.areas.size).toBe(MAX_MAP_COUNT);
    expect(munmap(cpu, mm, block + PAGE_SIZE, PAGE_SIZE)).toBe(-Errno.ENOMEM);
    expect(mprotect(cpu, mm, block + PAGE_SIZE, PAGE_SIZE, Prot.READ)).toBe(-Errno.ENOMEM);
    expect(munmap(cpu, mm, block, PAGE_SIZE)).toBe(0);
    // One more than the maximum is let through, as in Linux, whose test is made before.
    expect(mmap(cpu, mm, 0x3000_0000_0000, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED)).toBeGreaterThan(0);
    expect(mmap(cpu, mm, 0x3100_0000_0000, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED)).toBe(-Errno.ENOMEM);
  });

  it('of the address space: RLIMIT_AS counts what is mapped, not what is touched', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    mm.limits.addressSpace = 10 * PAGE_SIZE;
    const at = mmap(cpu, mm, 0, 8 * PAGE_SIZE, Prot.NONE, PRIVATE);
    expect(mmap(cpu, mm, 0, 3 * PAGE_SIZE, RW, PRIVATE)).toBe(-Errno.ENOMEM);
    expect(mmap(cpu, mm, at, 8 * PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED)).toBe(at);
    expect(mmap(cpu, mm, 0, 2 * PAGE_SIZE, RW, PRIVATE)).toBeGreaterThan(0);
  });

  it('of data: private writable memory, also if mprotect makes it so; not stacks, not shared memory', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    mm.limits.data = 4 * PAGE_SIZE;
    const anonymous = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
    const at = mmap(cpu, mm, 0, 3 * PAGE_SIZE, Prot.READ | Prot.WRITE, anonymous);
    expect(mmap(cpu, mm, 0, 2 * PAGE_SIZE, Prot.READ | Prot.WRITE, anonymous)).toBe(-Errno.ENOMEM);
    const readable = mmap(cpu, mm, 0, 2 * PAGE_SIZE, Prot.READ, anonymous);
    expect(readable).toBeGreaterThan(0);
    expect(mmap(cpu, mm, 0, 9 * PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS)).toBeGreaterThan(0);
    expect(mmap(cpu, mm, 0, 9 * PAGE_SIZE, Prot.READ | Prot.WRITE, anonymous | MapFlag.GROWSDOWN)).toBeGreaterThan(0);
    expect(mprotect(cpu, mm, readable, 2 * PAGE_SIZE, Prot.READ | Prot.WRITE)).toBe(-Errno.ENOMEM);
    expect(mprotect(cpu, mm, readable, PAGE_SIZE, Prot.READ | Prot.WRITE)).toBe(0);
    expect(mm.dataPages).toBe(4);
    expect(mremap(cpu, mm, at, 3 * PAGE_SIZE, 4 * PAGE_SIZE, Mremap.MAYMOVE)).toBe(-Errno.ENOMEM);
  });

  it('of locked memory: what is locked twice counts once, and none at all is another error', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    mm.limits.locked = 4 * PAGE_SIZE;
    const anonymous = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
    const at = mmap(cpu, mm, 0, 8 * PAGE_SIZE, Prot.READ | Prot.WRITE, anonymous);
    expect(mlock(cpu, mm, at, 4 * PAGE_SIZE)).toBe(0);
    expect(mlock(cpu, mm, at, 4 * PAGE_SIZE)).toBe(0);
    expect(mlock(cpu, mm, at, 5 * PAGE_SIZE)).toBe(-Errno.ENOMEM);
    expect(mmap(cpu, mm, 0, PAGE_SIZE, Prot.READ, anonymous | MapFlag.LOCKED)).toBe(-Errno.EAGAIN);
    expect(mremap(cpu, mm, at, 4 * PAGE_SIZE, 5 * PAGE_SIZE, Mremap.MAYMOVE)).toBe(-Errno.EAGAIN);
    expect([mm.lockedPages, munlock(cpu, mm, at, 8 * PAGE_SIZE), mm.lockedPages]).toEqual([4, 0, 0]);
    mm.limits.locked = 0;
    expect(mlock(cpu, mm, at, PAGE_SIZE)).toBe(-Errno.EPERM);
    expect(mmap(cpu, mm, 0, PAGE_SIZE, Prot.READ, anonymous | MapFlag.LOCKED)).toBe(-Errno.EPERM);
  });

  it('of addresses: nothing below 64 KiB, nothing beyond the end, nothing unaligned', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    const fixed = PRIVATE | MapFlag.FIXED;
    expect(mmap(cpu, mm, PAGE_SIZE, PAGE_SIZE, RW, fixed)).toBe(-Errno.EPERM);
    expect(mmap(cpu, mm, TASK_SIZE - PAGE_SIZE, 2 * PAGE_SIZE, RW, fixed)).toBe(-Errno.ENOMEM);
    expect(mmap(cpu, mm, TASK_SIZE - PAGE_SIZE, PAGE_SIZE, RW, fixed)).toBe(TASK_SIZE - PAGE_SIZE);
    expect(mmap(cpu, mm, 0x10_0001, PAGE_SIZE, RW, fixed)).toBe(-Errno.EINVAL);
    expect(mmap(cpu, mm, 0, PAGE_SIZE, RW, MapFlag.ANONYMOUS)).toBe(-Errno.EINVAL);
  });
});

describe('placement', () => {
  it('puts whole large pages of private memory on their borders', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    mmap(cpu, mm, 0, 5 * PAGE_SIZE, RW, PRIVATE);
    expect(mmap(cpu, mm, 0, 2 * LARGE_PAGE_SIZE, RW, PRIVATE) % LARGE_PAGE_SIZE).toBe(0);
  });

  it('keeps MAP_32BIT in the second gibibyte', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    expect(mmap(cpu, mm, 0, PAGE_SIZE, RW, PRIVATE | MapFlag.BIT32)).toBe(0x4000_0000);
  });
});

describe('a memory file', () => {
  it('is what its mappings and its readers share, and is freed with the last of them', () => {
    const bench = new TestBench();
    const { cpu, manager } = bench;
    const before = manager.frames.inUse;
    const file = new MemoryFile(manager, 'memfd:test');
    file.get();
    file.truncate(cpu, 3 * PAGE_SIZE);
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 3 * PAGE_SIZE, RW, MapFlag.SHARED, { object: new MappedFile(file) });
    store(cpu, mm, at + PAGE_SIZE + 1, 9);
    expect(file.read8(PAGE_SIZE + 1)).toBe(9);
    file.write8(cpu, 2, 5);
    expect(load(cpu, mm, at + 2)).toBe(5);
    expect([mm.residentPages, mm.anonPages]).toEqual([2, 0]);
    file.put();
    expect(load(cpu, mm, at + 2)).toBe(5);
    exitMm(cpu, mm);
    expect(manager.frames.inUse).toBe(before);
  });
});

describe('reading and writing a memory file', () => {
  it('moves bytes across pages and holes, and ends where the file does', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const file = new MemoryFile(bench.manager, 'memfd:test');
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 4 * PAGE_SIZE, RW, PRIVATE);
    for (let i = 0; i < 3; i++) store(cpu, mm, at + i * PAGE_SIZE, i + 1);
    expect(file.write(cpu, mm, at, PAGE_SIZE - 10, 2 * PAGE_SIZE + 1)).toBe(2 * PAGE_SIZE + 1);
    expect(file.size).toBe(3 * PAGE_SIZE - 9);
    expect([0, 1, 2].map((i) => file.read8(PAGE_SIZE - 10 + i * PAGE_SIZE))).toEqual([1, 2, 3]);
    file.truncate(cpu, 10 * PAGE_SIZE);
    expect(file.read(cpu, mm, at, 9 * PAGE_SIZE - 1, 3 * PAGE_SIZE)).toBe(PAGE_SIZE + 1);
    expect([load(cpu, mm, at), load(cpu, mm, at + PAGE_SIZE), load(cpu, mm, at + 2 * PAGE_SIZE)]).toEqual([0, 0, 3]);
    expect(file.read(cpu, mm, at, 10 * PAGE_SIZE, 1)).toBe(0);
    munmap(cpu, mm, at + PAGE_SIZE, PAGE_SIZE);
    expect(file.read(cpu, mm, at, 0, PAGE_SIZE)).toBe(PAGE_SIZE);
    expect(file.read(cpu, mm, at, 0, 2 * PAGE_SIZE)).toBe(PAGE_SIZE);
    expect(file.write(cpu, mm, at + PAGE_SIZE, 0, 1)).toBe(-Errno.EFAULT);
  });

  it('reads as zeroes where it was cut off and has grown again, within a page and beyond', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const file = new MemoryFile(bench.manager, 'memfd:test');
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 2 * PAGE_SIZE, RW, PRIVATE);
    for (const offset of [50, 99, 100, 101, PAGE_SIZE - 1, PAGE_SIZE]) store(cpu, mm, at + offset, 7);
    expect(file.write(cpu, mm, at, 0, 2 * PAGE_SIZE)).toBe(2 * PAGE_SIZE);
    file.truncate(cpu, 100);
    file.truncate(cpu, 2 * PAGE_SIZE);
    expect([50, 99, 100, 101, PAGE_SIZE - 1, PAGE_SIZE].map((offset) => file.read8(offset))).toEqual([7, 7, 0, 0, 0, 0]);
    // An end between two pages leaves the page before it as it is.
    file.truncate(cpu, PAGE_SIZE);
    expect(file.read8(99)).toBe(7);
  });

  it('says which pages exist, also of those that have no bytes yet', () => {
    const { cpu, manager } = new TestBench();
    const file = new MemoryFile(manager, 'memfd:test');
    file.truncate(cpu, 100 * PAGE_SIZE);
    expect(file.presence(0, 100)).toBe('none');
    expect(file.makeBlank(20, 20)).toBe(true);
    const ranges = [
      [20, 20],
      [25, 10],
      [19, 21],
      [20, 21],
      [0, 100],
      [0, 20],
      [40, 10],
    ] as const;
    expect(ranges.map(([first, count]) => file.presence(first, count))).toEqual(['all', 'all', 'some', 'some', 'some', 'none', 'none']);
    file.frame(60, cpu);
    expect([file.presence(60, 1), file.presence(50, 20), file.presence(61, 20), file.presence(40, 20)]).toEqual([
      'some',
      'some',
      'none',
      'none',
    ]);
  });

  it('copies up to the first page that the program cannot reach, to the byte', () => {
    const bench = new TestBench();
    const { cpu, manager } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 3 * PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    munmap(cpu, mm, at + PAGE_SIZE, PAGE_SIZE);
    const file = new MemoryFile(manager, 'file');
    expect(file.write(cpu, mm, at + PAGE_SIZE - 100, 1000, 300)).toBe(100);
    expect(file.size).toBe(1100);
    expect(file.read(cpu, mm, at + PAGE_SIZE - 30, 1000, 100)).toBe(30);
    expect(file.write(cpu, mm, at + PAGE_SIZE, 2000, 300)).toBe(-Errno.EFAULT);
    // As on Linux, the file now reaches up to where the write would have begun.
    expect(file.size).toBe(2000);
    expect(file.read(cpu, mm, at + PAGE_SIZE, 0, 1)).toBe(-Errno.EFAULT);
    // The kernel reaches no more than the program does.
    store(cpu, mm, at, 1);
    mprotect(cpu, mm, at, PAGE_SIZE, Prot.NONE);
    expect(file.write(cpu, mm, at, 0, 8)).toBe(-Errno.EFAULT);
  });
});

describe('wrong use', () => {
  it('is an error that names the argument', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    const area = (start: number, end: number) => () => insertArea(mm, new Vma(start, end, VmFlag.READ, 0, null, 0));
    area(0x10_0000, 0x10_2000)();
    expect(area(0x10_1000, 0x10_3000)).toThrow(MmError);
    expect(area(0x10_1000, 0x10_3000)).toThrow(/^area: something is mapped within/);
    for (const [start, end] of [
      [0x20_0001, 0x20_1001],
      [0x20_1000, 0x20_1000],
      [Number.NaN, 0x20_1000],
      [TASK_SIZE, TASK_SIZE + PAGE_SIZE],
    ] as const) {
      expect(area(start, end)).toThrow(/^area: .* is not a range of whole pages/);
    }
    const nan = Number.NaN;
    const calls: [string, () => unknown][] = [
      ['length', () => mmap(cpu, mm, 0, nan, RW, PRIVATE)],
      ['hint', () => mmap(cpu, mm, 0.5, PAGE_SIZE, RW, PRIVATE)],
      ['address', () => munmap(cpu, mm, nan, PAGE_SIZE)],
      ['length', () => mprotect(cpu, mm, 0, Number.POSITIVE_INFINITY, RW)],
      ['newLength', () => mremap(cpu, mm, 0, PAGE_SIZE, nan, 0)],
      ['address', () => madvise(cpu, mm, nan, PAGE_SIZE, Madvise.DONTNEED)],
      ['address', () => brk(cpu, mm, nan)],
      ['length', () => mlock(cpu, mm, 0, nan)],
      ['size', () => new MemoryFile(bench.manager, 'f').truncate(cpu, -1)],
    ];
    for (const [argument, call] of calls) {
      expect(call).toThrow(MmError);
      expect(call).toThrow(new RegExp(`^${argument}: `));
    }
    expect(() => rulesOf('mainline')).toThrow(/^release: "mainline" does not begin with two numbers/);
  });
});

describe('rules of releases', () => {
  it('are those of 6.15 up to the release that changed them', () => {
    expect(rulesOf('6.15.3')).toEqual(linux615);
    expect(rulesOf('5.10.0-generic')).toEqual(linux615);
    for (const { rule, since } of releaseDifferences) expect(rulesOf(since)[rule]).toBe(true);
    expect(Object.values(rulesOf('7.0'))).toEqual(releaseDifferences.map(() => true));
  });
});
