import { Access, FaultCode, PAGE_SIZE } from '@rpal/hw-x86';
import { MapFlag, Prot, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { FAULT_RESOLVED, handleFault, MMAP_MIN_ADDR, MmStep, mmap, mprotect, munmap } from '../src/index.js';
import { execute, load, segv, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;

describe('page faults', () => {
  it('give a read of untouched memory the zero page, which belongs to nobody', () => {
    const bench = new TestBench();
    const { cpu, manager } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 4 * PAGE_SIZE, RW, PRIVATE);
    expect(load(cpu, mm, at)).toBe(0);
    const before = bench.platform.memory.framesInUse;
    expect(load(cpu, mm, at + PAGE_SIZE)).toBe(0);
    expect(bench.platform.memory.framesInUse).toBe(before);
    expect(mm.residentPages).toBe(0);
    expect(mm.minorFaults).toBe(2);

    expect(store(cpu, mm, at, 7)).toBe(7);
    expect(mm.residentPages).toBe(1);
    expect(load(cpu, mm, at + PAGE_SIZE)).toBe(0);
    expect(manager.memory.read8(manager.zeroFrame * PAGE_SIZE)).toBe(0);
  });

  it('say why an access is refused', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, 3 * PAGE_SIZE, Prot.READ, PRIVATE);
    munmap(cpu, mm, at + PAGE_SIZE, PAGE_SIZE);
    mprotect(cpu, mm, at + 2 * PAGE_SIZE, PAGE_SIZE, Prot.NONE);
    expect(load(cpu, mm, at + PAGE_SIZE)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(store(cpu, mm, at, 1)).toEqual(segv(SignalCode.SEGV_ACCERR));
    expect(execute(cpu, mm, at)).toEqual(segv(SignalCode.SEGV_ACCERR));
    expect(load(cpu, mm, at + 2 * PAGE_SIZE)).toEqual(segv(SignalCode.SEGV_ACCERR));
  });

  it('make memory readable that is mapped for writing only: x86 has no other way', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, PAGE_SIZE, Prot.WRITE, PRIVATE);
    expect(load(cpu, mm, at)).toBe(0);
  });

  it('report a protection key apart from other refusals', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, PAGE_SIZE, RW, PRIVATE);
    mm.pkeyMap |= 1 << 5;
    expect(mprotect(cpu, mm, at, PAGE_SIZE, RW, 5)).toBe(0);
    cpu.wrpkru(0);
    store(cpu, mm, at, 3);
    cpu.wrpkru(1 << 11); // write disable of key 5
    expect(load(cpu, mm, at)).toBe(3);
    expect(store(cpu, mm, at, 4)).toEqual(segv(SignalCode.SEGV_PKUERR));
    cpu.wrpkru(1 << 10); // access disable
    expect(load(cpu, mm, at)).toEqual(segv(SignalCode.SEGV_PKUERR));
  });
});

describe('a fault of a store to a page that another CPU has made writable in the meantime', () => {
  it('changes nothing, and nobody flushes', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0, PAGE_SIZE, RW, PRIVATE);
    store(cpu, mm, at, 7);
    const place = cpu.data(at, Access.user | Access.write);
    const flushes = mm.tlbGeneration;
    const copies = cpu.ownLedger.booked(MmStep.copyOnWrite);
    expect(handleFault(cpu, mm, at, FaultCode.present | FaultCode.write | FaultCode.user)).toBe(FAULT_RESOLVED);
    expect(mm.tlbGeneration).toBe(flushes);
    expect(cpu.ownLedger.booked(MmStep.copyOnWrite)).toBe(copies);
    expect(cpu.data(at, Access.user | Access.write)).toBe(place);
  });
});

describe('the stack', () => {
  it('grows to where it is touched, but keeps a gap of 256 pages to what lies below', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const top = 0x7000_0000_0000;
    const stack = top - 4 * PAGE_SIZE;
    mmap(cpu, mm, stack, 4 * PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED | MapFlag.GROWSDOWN);
    mmap(cpu, mm, top - 1024 * PAGE_SIZE, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    expect(store(cpu, mm, top - 300 * PAGE_SIZE, 1)).toBe(1);
    expect(mm.areas.containing(top - PAGE_SIZE)?.start).toBe(top - 300 * PAGE_SIZE);
    const lowest = top - (1023 - 256) * PAGE_SIZE;
    expect(store(cpu, mm, lowest - PAGE_SIZE, 1)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(store(cpu, mm, lowest, 1)).toBe(1);
  });

  it('does not grow below the lowest address that may be mapped', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    mmap(cpu, mm, MMAP_MIN_ADDR + 2 * PAGE_SIZE, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED | MapFlag.GROWSDOWN);
    expect(store(cpu, mm, MMAP_MIN_ADDR - PAGE_SIZE, 1)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(store(cpu, mm, MMAP_MIN_ADDR, 1)).toBe(1);
  });

  it('grows no further than 8 MiB', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const top = 0x7000_0000_0000;
    mmap(cpu, mm, top - PAGE_SIZE, PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED | MapFlag.GROWSDOWN);
    expect(store(cpu, mm, top - 2049 * PAGE_SIZE, 1)).toEqual(segv(SignalCode.SEGV_MAPERR));
    expect(store(cpu, mm, top - 2048 * PAGE_SIZE, 1)).toBe(1);
  });
});
