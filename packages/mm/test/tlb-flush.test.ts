import { type Cpu, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import { Madvise, MapFlag, Mremap, Prot, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { forkMm, type MemoryOptions, madvise, mmap, mprotect, mremap, munmap, SINGLE_PAGE_FLUSH_CEILING } from '../src/index.js';
import { load, segv, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;

function shared(cpus: number, pages = 64, options: MemoryOptions = {}) {
  const bench = new TestBench(options);
  const mm = bench.process();
  for (let id = 1; id < cpus; id++) mm.activate(bench.cpuAt(id));
  const at = mmap(bench.cpu, mm, 0, pages * PAGE_SIZE, RW, PRIVATE);
  for (let id = 0; id < cpus; id++) for (let page = 0; page < pages; page++) store(bench.cpuAt(id), mm, at + page * PAGE_SIZE, id);
  return { bench, mm, at };
}

describe('a TLB shootdown', () => {
  it('reaches every CPU that runs the address space, and waits for the last', () => {
    const { bench, mm, at } = shared(4);
    const clocks = [1, 2, 3].map((id) => bench.cpuAt(id).clock);
    munmap(bench.cpu, mm, at, PAGE_SIZE);
    expect(bench.manager.tlb.flushesSent).toBe(1);
    expect(bench.manager.tlb.flushesReceived).toBe(3);
    for (const id of [0, 1, 2, 3]) expect(load(bench.cpuAt(id), mm, at)).toEqual(segv(SignalCode.SEGV_MAPERR));
    for (const id of [1, 2, 3]) expect(bench.cpuAt(id).clock).toBeGreaterThan(clocks[id - 1]!);
  });

  it('lasts until a target has acknowledged that takes the interrupt late', () => {
    const { bench, mm, at } = shared(2);
    const late = bench.cpuAt(1);
    late.advanceTo(bench.cpu.clock + 1_000_000);
    const interrupted = late.clock;
    munmap(bench.cpu, mm, at, PAGE_SIZE);
    expect(bench.cpu.clock).toBeGreaterThan(interrupted);
  });

  it('reaches its CPUs, and its own, also if one of them begins a flush of other memory when it is interrupted', () => {
    let interrupted: Cpu | null = null;
    const { bench, mm, at } = shared(3, 64, {
      flushEntry: {
        arrive() {},
        enter(cpu) {
          if (cpu !== interrupted) return false;
          friend.activate(cpu);
          munmap(cpu, friend, mapped, PAGE_SIZE);
          return true;
        },
        leave: (cpu) => mm.activate(cpu),
      },
    });
    const friendly = bench.cpuAt(3);
    const friend = bench.process(friendly);
    const mapped = mmap(friendly, friend, 0, PAGE_SIZE, RW, PRIVATE);
    store(friendly, friend, mapped, 1);
    interrupted = bench.cpuAt(1);
    munmap(bench.cpu, mm, at, PAGE_SIZE);
    expect([mm.flushesReceived, friend.flushesReceived]).toEqual([2, 1]);
    for (const id of [0, 1, 2]) expect(load(bench.cpuAt(id), mm, at)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(load(friendly, friend, mapped)).toEqual(segv(SignalCode.SEGV_MAPERR));
  });

  it('spares a CPU that has left for other memory; it flushes when it comes back', () => {
    const { bench, mm, at } = shared(2);
    const other = bench.cpuAt(1);
    bench.process(other);
    mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.NONE);
    expect(bench.manager.tlb.flushesReceived).toBe(0);
    mm.activate(other);
    expect(load(other, mm, at)).toEqual(segv(SignalCode.SEGV_ACCERR));
  });

  it('spares a lazy CPU unless page tables are freed', () => {
    const { bench, mm, at } = shared(2);
    const other = bench.cpuAt(1);
    mm.enterLazy(other);
    mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.READ);
    expect(bench.manager.tlb.flushesReceived).toBe(0);
    munmap(bench.cpu, mm, at, 64 * PAGE_SIZE);
    expect(bench.manager.tlb.flushesReceived).toBe(1);
    mm.activate(other);
    expect(load(other, mm, at)).toEqual(segv(SignalCode.SEGV_MAPERR));
  });

  it('comes with a fork, and then tells lazy CPUs and those with a sharer loaded, as if tables were freed', () => {
    const { bench, mm, at } = shared(2);
    const [lazy, other] = [bench.cpuAt(1), bench.cpuAt(2)];
    mm.enterLazy(lazy);
    const friend = bench.process(other);
    store(other, friend, mmap(other, friend, 0, PAGE_SIZE, RW, PRIVATE), 1);
    bench.manager.seams.hooks.mmFlush.tap('sharing', (targets) => {
      friend.tlbGeneration++;
      targets.sharers.push(friend);
      targets.cpus[0] = (targets.cpus[0] as number) | (1 << other.id);
    });
    forkMm(bench.cpu, mm);
    expect(bench.manager.tlb.flushesReceived).toBe(2);
    mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.READ);
    expect(bench.manager.tlb.flushesReceived).toBe(2);
  });

  it('tells everybody in the mask when tables are freed; who has other memory loaded leaves the mask', () => {
    const { bench, mm, at } = shared(3);
    bench.process(bench.cpuAt(2));
    munmap(bench.cpu, mm, at, 64 * PAGE_SIZE);
    expect([mm.flushesSent, mm.flushesReceived]).toEqual([1, 2]);
    expect(mm.cpuMask[0]).toBe(0b011);
    const again = mmap(bench.cpu, mm, 0, PAGE_SIZE, RW, PRIVATE | MapFlag.POPULATE);
    munmap(bench.cpu, mm, again, PAGE_SIZE);
    expect([mm.flushesSent, mm.flushesReceived]).toEqual([2, 3]);
  });

  it('tells lazy CPUs also of pages that move, though no table is freed', () => {
    const { bench, mm, at } = shared(2);
    mm.enterLazy(bench.cpuAt(1));
    const before = mm.flushesReceived;
    expect(mremap(bench.cpu, mm, at, PAGE_SIZE, PAGE_SIZE, Mremap.MAYMOVE | Mremap.FIXED, at + 128 * PAGE_SIZE)).toBeGreaterThan(0);
    expect(mm.flushesReceived).toBe(before + 1);
  });

  it.each([
    [0, true],
    [SINGLE_PAGE_FLUSH_CEILING - 1, true],
    [SINGLE_PAGE_FLUSH_CEILING, false],
  ])('reaches from the page, number %i of its table, to the first of a table that is freed', (page, kept) => {
    const { bench, mm, at } = shared(1);
    const alone = at - (at % LARGE_PAGE_SIZE) - 8 * LARGE_PAGE_SIZE + page * PAGE_SIZE;
    expect(mmap(bench.cpu, mm, alone, PAGE_SIZE, RW, PRIVATE | MapFlag.POPULATE | MapFlag.FIXED)).toBe(alone);
    load(bench.cpu, mm, alone);
    load(bench.cpu, mm, at);
    const tables = mm.pageTableBytes;
    const { mmu } = bench.cpu;
    munmap(bench.cpu, mm, alone, PAGE_SIZE);
    expect(tables - mm.pageTableBytes).toBe(PAGE_SIZE);
    const { walks } = mmu;
    load(bench.cpu, mm, at);
    expect(mmu.walks - walks).toBe(kept ? 0 : 1);
    expect(load(bench.cpu, mm, alone)).toEqual(segv(SignalCode.SEGV_MAPERR));
  });

  it('is of the pages that have changed only, from the first to the last: not of those that nobody has touched, or may use as before', () => {
    const { bench, mm, at } = shared(1);
    const { mmu } = bench.cpu;
    const far = mmap(bench.cpu, mm, 0, 64 * PAGE_SIZE, RW, PRIVATE);
    for (const page of [40, 41]) store(bench.cpu, mm, far + page * PAGE_SIZE, 1);
    const walksAfter = (call: () => number) => {
      load(bench.cpu, mm, at);
      expect(call()).toBe(0);
      const { walks } = mmu;
      load(bench.cpu, mm, at);
      return mmu.walks - walks;
    };
    const sent = mm.tlbGeneration;
    expect(walksAfter(() => mprotect(bench.cpu, mm, far, 64 * PAGE_SIZE, Prot.READ))).toBe(0);
    expect(walksAfter(() => mprotect(bench.cpu, mm, far, 64 * PAGE_SIZE, Prot.NONE))).toBe(0);
    expect(mm.tlbGeneration - sent).toBe(2);
    // Nothing of it is in a TLB.
    expect(walksAfter(() => mprotect(bench.cpu, mm, far, 64 * PAGE_SIZE, RW))).toBe(0);
    expect(mm.tlbGeneration - sent).toBe(2);
    store(bench.cpu, mm, far + 40 * PAGE_SIZE, 2);
    expect(walksAfter(() => madvise(bench.cpu, mm, far, 64 * PAGE_SIZE, Madvise.DONTNEED))).toBe(0);
  });

  it('takes one interrupt command for the CPUs of an x2APIC cluster, which are 16, wherever they are in the mask', () => {
    // Of the 128 processors those from 64 on are the second threads of the cores before.
    for (const [cpus, commands] of [
      [2, 1],
      [8, 1],
      [9, 2],
      [64, 8],
      [65, 8],
      [128, 8],
    ] as const) {
      const { bench, mm, at } = shared(cpus, 2);
      mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.READ);
      const counts = new Map(bench.cpu.ownLedger.entries.map(({ step, count }) => [step.name, count]));
      expect(counts.get('@rpal/mm:flushSend')).toBe(1);
      expect(counts.get('@rpal/mm:flushCluster') ?? 0).toBe(commands - 1);
      expect(mm.flushesReceived).toBe(cpus - 1);
    }
  });

  it('clears the mask of those who have gone elsewhere once a second', () => {
    const { bench, mm, at } = shared(3);
    bench.process(bench.cpuAt(2));
    mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.READ);
    expect(mm.flushesReceived).toBe(1);
    bench.cpu.advanceTo(bench.cpu.clock + 2 * bench.manager.cyclesPerSecond);
    mprotect(bench.cpu, mm, at, PAGE_SIZE, RW);
    expect(mm.flushesReceived).toBe(3);
    mprotect(bench.cpu, mm, at, PAGE_SIZE, Prot.READ);
    expect(mm.flushesReceived).toBe(4);
  });

  it('comes once for a call that changes many areas', () => {
    const { bench, mm, at } = shared(2);
    for (let page = 0; page < 64; page += 2) mprotect(bench.cpu, mm, at + page * PAGE_SIZE, PAGE_SIZE, Prot.READ);
    const before = mm.flushesSent;
    mprotect(bench.cpu, mm, at, 64 * PAGE_SIZE, Prot.NONE);
    munmap(bench.cpu, mm, at, 64 * PAGE_SIZE);
    expect(mm.flushesSent - before).toBe(2);
  });

  it('drops page by page up to the ceiling, and everything beyond it', () => {
    for (const [pages, kept] of [
      [SINGLE_PAGE_FLUSH_CEILING, true],
      [SINGLE_PAGE_FLUSH_CEILING + 1, false],
    ] as const) {
      const { bench, mm, at } = shared(1);
      const { mmu } = bench.cpu;
      mprotect(bench.cpu, mm, at, pages * PAGE_SIZE, Prot.READ);
      const walks = mmu.walks;
      load(bench.cpu, mm, at + 63 * PAGE_SIZE);
      expect(mmu.walks - walks).toBe(kept ? 0 : 1);
    }
  });

  it('lets a plugin widen whom it reaches', () => {
    const { bench, mm, at } = shared(2);
    const other = bench.cpuAt(2);
    const friend = bench.process(other);
    bench.manager.seams.hooks.mmFlush.tap('sharing', (targets) => {
      friend.tlbGeneration++;
      targets.sharers.push(friend);
      targets.reachSharers = true;
      targets.cpus[0] = (targets.cpus[0] as number) | (1 << other.id);
    });
    munmap(bench.cpu, mm, at, PAGE_SIZE);
    expect(bench.manager.tlb.flushesReceived).toBe(2);
  });
});
