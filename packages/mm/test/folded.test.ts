import { Access, findProfile, GIB, LARGE_PAGE_SIZE, PAGE_SIZE, Platform } from '@rpal/hw-x86';
import { Madvise, MapFlag, Mremap, Prot, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  exitMm,
  forkMm,
  MappedFile,
  MemoryFile,
  MemoryManager,
  type MmStruct,
  madvise,
  mmap,
  mprotect,
  mremap,
  munmap,
} from '../src/index.js';
import { load, segv, store, TestBench } from './bench.js';

const RW = Prot.READ | Prot.WRITE;

/** A file of whole large pages, mapped and populated. */
function database(bytes: number, bench = new TestBench()) {
  const file = new MemoryFile(bench.manager, 'database');
  file.get();
  const mm = bench.process();
  file.truncate(bench.cpu, bytes);
  const object = new MappedFile(file);
  const at = 0x6000_0000_0000;
  expect(mmap(bench.cpu, mm, at, bytes, RW, MapFlag.SHARED | MapFlag.FIXED | MapFlag.POPULATE, { object })).toBe(at);
  return { bench, file, object, mm, at };
}

describe('a populated file of regular shape', () => {
  it('takes the pages, tables and faults that it would take page by page', () => {
    const bytes = GIB + 3 * LARGE_PAGE_SIZE;
    const { bench, file, mm } = database(bytes);
    expect(mm.residentPages).toBe(bytes / PAGE_SIZE);
    expect(mm.minorFaults).toBe(bytes / PAGE_SIZE);
    expect(file.cachedPages).toBe(bytes / PAGE_SIZE);
    // Level 1: one per 2 MiB; level 2: two; level 3: one.
    expect(mm.pageTableBytes).toBe((512 + 3 + 2 + 1) * PAGE_SIZE);
    expect(bench.manager.frames.inUse).toBeGreaterThan(bytes / PAGE_SIZE + 512);
    // Hardly any of it in the host.
    expect(bench.platform.memory.framesInUse).toBeLessThan(20);
  });

  it('costs as much as single faults do', () => {
    const folded = database(LARGE_PAGE_SIZE);
    const single = new TestBench();
    const file = new MemoryFile(single.manager, 'database');
    file.get();
    const mm = single.process();
    file.truncate(single.cpu, LARGE_PAGE_SIZE);
    const start = single.cpu.clock;
    // Off by a page from a border of tables, so that nothing can be done at once.
    const at = 0x6000_0000_1000;
    mmap(single.cpu, mm, at, LARGE_PAGE_SIZE, RW, MapFlag.SHARED | MapFlag.FIXED | MapFlag.POPULATE, { object: new MappedFile(file) });
    const booked = (bench: TestBench) =>
      bench.cpu.ownLedger.entries.filter(({ step }) => step.cause === 'fault').map(({ step, count }) => [step.name, count]);
    expect(booked(folded.bench)).toEqual(booked(single));
    expect(single.cpu.clock).toBeGreaterThan(start);
  });

  it('costs a reader as much as single faults do, each of which maps sixteen pages that exist', () => {
    const booked = (at: number) => {
      const { bench, object } = database(LARGE_PAGE_SIZE);
      const { cpu } = bench;
      const count = (name: string) => cpu.ownLedger.entries.find(({ step }) => step.name === `@rpal/mm:${name}`)?.count ?? 0;
      const reader = bench.process();
      const before = count('faultBody');
      mmap(cpu, reader, at, LARGE_PAGE_SIZE, Prot.READ, MapFlag.SHARED | MapFlag.FIXED | MapFlag.POPULATE, { object });
      return [count('faultBody') - before, count('faultAround')];
    };
    const atOnce = booked(0x7000_0000_0000);
    // Sixteen pages off the border of a table, so that nothing can be done at once.
    const oneByOne = booked(0x7000_0001_0000);
    expect(atOnce).toEqual([32, 480]);
    expect(oneByOne).toEqual([32, 480]);
  });

  it('translates everywhere, to the same bytes for everybody, without a fault', () => {
    const { bench, object, mm, at } = database(2 * GIB);
    const { cpu } = bench;
    const faults = mm.minorFaults;
    const places = [0, PAGE_SIZE, LARGE_PAGE_SIZE - 1, GIB - 1, GIB, 2 * GIB - 1, 1_234_567_890];
    for (const [value, place] of places.entries()) expect(store(cpu, mm, at + place, value)).toBe(value);
    expect(mm.minorFaults).toBe(faults);
    expect(cpu.data(at + 700_000_000, Access.user)).toBeGreaterThan(0);

    const other = bench.process();
    const elsewhere = 0x7000_4000_0000;
    mmap(cpu, other, elsewhere, 2 * GIB, Prot.READ, MapFlag.SHARED | MapFlag.FIXED | MapFlag.POPULATE, { object });
    for (const [value, place] of places.entries()) expect(load(cpu, other, elsewhere + place)).toBe(value);
    // A fault maps the sixteen pages around it, once they exist.
    expect(other.minorFaults).toBe((2 * GIB) / PAGE_SIZE / 16);
    expect(store(cpu, other, elsewhere, 1)).toEqual(segv(SignalCode.SEGV_ACCERR));
  });

  it('can be protected, dropped, moved and unmapped in parts', () => {
    const { bench, mm, at } = database(2 * GIB);
    const { cpu } = bench;
    const pages = (2 * GIB) / PAGE_SIZE;
    mprotect(cpu, mm, at, GIB + 5 * PAGE_SIZE, Prot.READ);
    expect(store(cpu, mm, at + GIB + 4 * PAGE_SIZE, 1)).toEqual(segv(SignalCode.SEGV_ACCERR));
    expect(store(cpu, mm, at + GIB + 5 * PAGE_SIZE, 1)).toBe(1);
    expect(mm.residentPages).toBe(pages);

    munmap(cpu, mm, at + 3 * PAGE_SIZE, LARGE_PAGE_SIZE);
    expect(mm.residentPages).toBe(pages - 512);
    expect(load(cpu, mm, at + 3 * PAGE_SIZE)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(load(cpu, mm, at + 2 * PAGE_SIZE)).toBe(0);

    const tables = mm.pageTableBytes;
    madvise(cpu, mm, at + GIB + LARGE_PAGE_SIZE, 4 * LARGE_PAGE_SIZE, Madvise.DONTNEED);
    expect(mm.residentPages).toBe(pages - 512 - 4 * 512);
    expect(mm.pageTableBytes).toBe(tables - 4 * PAGE_SIZE);

    const to = at + 16 * GIB;
    const size = GIB - LARGE_PAGE_SIZE;
    expect(mremap(cpu, mm, at + GIB + LARGE_PAGE_SIZE, size, size, Mremap.MAYMOVE | Mremap.FIXED, to)).toBe(to);
    expect(mm.residentPages).toBe(pages - 512 - 4 * 512);
    expect(load(cpu, mm, to + 5 * LARGE_PAGE_SIZE)).toBe(0);
  });

  it('is found again by a child, and gone when the last mapping and the file are', () => {
    const bench = new TestBench();
    const before = bench.manager.frames.inUse;
    const { file, mm, at } = database(GIB, bench);
    store(bench.cpu, mm, at + 12345, 7);
    const child = forkMm(bench.cpu, mm);
    expect(child.residentPages).toBe(0);
    child.activate(bench.cpu);
    expect(load(bench.cpu, child, at + 12345)).toBe(7);
    file.truncate(bench.cpu, LARGE_PAGE_SIZE + 1);
    expect(mm.residentPages).toBe(513);
    for (const process of [mm, child] as MmStruct[]) exitMm(bench.cpu, process);
    file.put();
    expect(bench.manager.frames.inUse).toBe(before);
  });

  it('ends where the memory of the machine does', () => {
    const profile = findProfile('xeon-platinum-8336c')!;
    const platform = new Platform({ profile: { ...profile, topology: { ...profile.topology, sockets: 1, memoryPerSocket: 4 } } });
    const manager = new MemoryManager(platform);
    const bench = { platform, manager, cpu: platform.cpus[0]! };
    const file = new MemoryFile(manager, 'database');
    const mm = manager.create(bench.cpu);
    mm.activate(bench.cpu);
    file.truncate(bench.cpu, 8 * GIB);
    const at = 0x6000_0000_0000;
    mmap(bench.cpu, mm, at, 8 * GIB, RW, MapFlag.SHARED | MapFlag.FIXED | MapFlag.POPULATE, { object: new MappedFile(file) });
    expect(mm.residentPages).toBe((3 * GIB) / PAGE_SIZE);
    expect(manager.frames.inUse).toBeLessThanOrEqual(manager.totalFrames);
  });

  it("brings the posting's 512 GiB machine down at about 362 clients of 300 GiB, in seconds and in a gibibyte of the host", () => {
    const profile = findProfile('xeon-platinum-8336c')!;
    const topology = { ...profile.topology, memoryPerSocket: 256 };
    const platform = new Platform({ profile: { ...profile, topology } });
    const manager = new MemoryManager(platform);
    const cpu = platform.cpus[0]!;
    const file = new MemoryFile(manager, 'database');
    file.truncate(cpu, 300 * GIB);
    const object = new MappedFile(file);
    const [began, rss] = [performance.now(), process.memoryUsage().rss];
    const full: MmStruct[] = [];
    for (;;) {
      const client = manager.create(cpu);
      mmap(cpu, client, 0x6000_0000_0000, 300 * GIB, RW, MapFlag.SHARED | MapFlag.POPULATE, { object });
      if (client.residentPages < (300 * GIB) / PAGE_SIZE) break;
      full.push(client);
    }
    expect(full.length).toBe(361);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(process.memoryUsage().rss - rss).toBeLessThan(GIB);
    for (const client of full) exitMm(cpu, client);
  });
});
