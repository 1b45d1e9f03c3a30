import { MIB, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, MapFlag, Pkey, Prot, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { forkMm, mmap, mprotect, pkeyAlloc, pkeyFree, populateRange } from '../src/index.js';
import { execute, load, type Outcome, segv, store, TestBench } from './bench.js';

const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const RW = Prot.READ | Prot.WRITE;
const DENIED = segv(SignalCode.SEGV_PKUERR);
const NO_RIGHT = segv(SignalCode.SEGV_ACCERR);

/** A page with the byte 7 in it, under a key of its own. */
function keyed(prot: number = RW) {
  const bench = new TestBench();
  const mm = bench.process();
  const at = mmap(bench.cpu, mm, 0, PAGE_SIZE, RW, PRIVATE);
  store(bench.cpu, mm, at, 7);
  const key = pkeyAlloc(bench.cpu, mm, 0, 0);
  expect(mprotect(bench.cpu, mm, at, PAGE_SIZE, prot, key)).toBe(0);
  return { bench, cpu: bench.cpu, mm, at, key };
}

interface Case {
  readonly rights: number;
  readonly prot: number;
  readonly load: Outcome;
  readonly store: Outcome;
  readonly execute: Outcome;
  readonly source: string;
}

const cases: readonly Case[] = [
  { rights: 0, prot: RW, load: 7, store: 8, execute: NO_RIGHT, source: 'SDM vol. 3, 4.6.2: ADi = WDi = 0 permits what the page does' },
  { rights: Pkey.DISABLE_WRITE, prot: RW, load: 7, store: DENIED, execute: NO_RIGHT, source: 'SDM vol. 3, 4.6.2: WDi = 1, user write' },
  {
    rights: Pkey.DISABLE_ACCESS,
    prot: RW,
    load: DENIED,
    store: DENIED,
    execute: NO_RIGHT,
    source: 'SDM vol. 3, 4.6.2: ADi = 1, any data access',
  },
  { rights: 3, prot: RW, load: DENIED, store: DENIED, execute: NO_RIGHT, source: 'pkeys(7): both bits' },
  {
    rights: Pkey.DISABLE_ACCESS,
    prot: Prot.READ | Prot.EXEC,
    load: DENIED,
    store: DENIED,
    execute: 0,
    source: 'pkeys(7): instruction fetches are never checked',
  },
  { rights: 0, prot: Prot.READ, load: 7, store: NO_RIGHT, execute: NO_RIGHT, source: 'pkeys(7): the page protection holds as well' },
  {
    rights: Pkey.DISABLE_WRITE,
    prot: Prot.READ,
    load: 7,
    store: DENIED,
    execute: NO_RIGHT,
    source: 'arch/x86/mm/fault.c: bad_area_access_from_pkeys asks the key of the area, whatever else is missing',
  },
];

describe('protection keys', () => {
  it.each(cases)('rights $rights on protection $prot: $source', ({ rights, prot, ...expected }) => {
    for (const how of ['load', 'store', 'execute'] as const) {
      const { cpu, mm, at, key } = keyed(prot);
      cpu.wrpkru(rights << (2 * key));
      const act = { load, store, execute }[how];
      expect(act(cpu, mm, at, 8), how).toEqual(expected[how]);
    }
  });

  it('are handed out lowest first, 15 of them beside key 0, with rights in the PKRU of the caller (pkey_alloc(2))', () => {
    const { cpu, ...bench } = new TestBench();
    const mm = bench.manager.create(cpu);
    cpu.mmu.pkru = 0x5555_5554;
    const keys = Array.from({ length: 15 }, () => pkeyAlloc(cpu, mm, 0, Pkey.DISABLE_WRITE));
    expect(keys).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(cpu.mmu.pkru >>> 0).toBe(0xaaaa_aaa8);
    expect(pkeyAlloc(cpu, mm, 0, 0)).toBe(-Errno.ENOSPC);
    expect(pkeyFree(cpu, mm, 4)).toBe(0);
    expect(pkeyAlloc(cpu, mm, 0, 0)).toBe(4);
    expect([pkeyAlloc(cpu, mm, 1, 0), pkeyAlloc(cpu, mm, 0, 4)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    expect([pkeyFree(cpu, mm, 16), pkeyFree(cpu, mm, -1)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
  });

  it('stay on their pages when they are freed, and may not be given to others then (pkeys(7))', () => {
    const { cpu, mm, at, key } = keyed();
    expect(pkeyFree(cpu, mm, key)).toBe(0);
    cpu.wrpkru(Pkey.DISABLE_ACCESS << (2 * key));
    expect(load(cpu, mm, at)).toEqual(DENIED);
    expect(mprotect(cpu, mm, at, PAGE_SIZE, RW, key)).toBe(-Errno.EINVAL);
  });

  it('are kept by mprotect without a key, and inherited by fork', () => {
    const { cpu, mm, at, key } = keyed();
    mprotect(cpu, mm, at, PAGE_SIZE, Prot.READ);
    mprotect(cpu, mm, at, PAGE_SIZE, RW);
    const child = forkMm(cpu, mm);
    child.activate(cpu);
    cpu.wrpkru(Pkey.DISABLE_WRITE << (2 * key));
    expect(load(cpu, child, at)).toBe(7);
    expect(store(cpu, child, at, 1)).toEqual(DENIED);
    expect(pkeyFree(cpu, child, key)).toBe(0);
  });

  it('take effect without a flush: PKRU is asked on every access (SDM vol. 3, 4.6.2)', () => {
    const { bench, cpu, mm, at, key } = keyed();
    cpu.wrpkru(0);
    load(cpu, mm, at);
    const flushes = bench.manager.tlb.flushesSent;
    cpu.wrpkru(Pkey.DISABLE_ACCESS << (2 * key));
    expect(load(cpu, mm, at)).toEqual(DENIED);
    cpu.wrpkru(0);
    expect(load(cpu, mm, at)).toBe(7);
    expect(bench.manager.tlb.flushesSent).toBe(flushes);
  });

  it.each([
    ['any access', Pkey.DISABLE_ACCESS],
    ['writing', Pkey.DISABLE_WRITE],
  ])('that forbid %s do not let a page come into being that the store could not reach', (_, rights) => {
    const { cpu, mm, key } = keyed();
    const at = mmap(cpu, mm, 0, PAGE_SIZE, RW, PRIVATE);
    mprotect(cpu, mm, at, PAGE_SIZE, RW, key);
    const resident = mm.residentPages;
    cpu.wrpkru(rights << (2 * key));
    expect(store(cpu, mm, at, 1)).toEqual(DENIED);
    expect(mm.residentPages).toBe(resident);
  });

  it('hold for memory that is populated ahead of its use', () => {
    const { cpu, mm, key } = keyed();
    const at = mmap(cpu, mm, 0, 4 * PAGE_SIZE, RW, PRIVATE);
    mprotect(cpu, mm, at, 4 * PAGE_SIZE, RW, key);
    const resident = mm.residentPages;
    cpu.wrpkru(Pkey.DISABLE_WRITE << (2 * key));
    populateRange(cpu, mm, at, at + 4 * PAGE_SIZE);
    expect(mm.residentPages).toBe(resident);
    cpu.wrpkru(0);
    populateRange(cpu, mm, at, at + 4 * PAGE_SIZE);
    expect(mm.residentPages).toBe(resident + 4);
  });

  it('make execute-only memory: a key of the kernel closes it to data (pkeys(7), mprotect(2))', () => {
    const { cpu, mm, at, key } = keyed();
    expect(mprotect(cpu, mm, at, PAGE_SIZE, Prot.EXEC)).toBe(0);
    expect(mm.executeOnlyKey).toBe(key + 1);
    expect(execute(cpu, mm, at)).toBe(0);
    expect(load(cpu, mm, at)).toEqual(DENIED);
    expect(pkeyFree(cpu, mm, mm.executeOnlyKey)).toBe(-Errno.EINVAL);
    expect(mprotect(cpu, mm, at, PAGE_SIZE, RW, mm.executeOnlyKey)).toBe(-Errno.EINVAL);
    mprotect(cpu, mm, at, PAGE_SIZE, Prot.READ);
    expect(mm.areas.containing(at)?.key).toBe(0);
    expect(load(cpu, mm, at)).toBe(7);
    const code = mmap(cpu, mm, 0, MIB, Prot.EXEC, PRIVATE);
    expect(mm.areas.containing(code)?.key).toBe(mm.executeOnlyKey);
  });

  it('keep areas apart that differ in nothing else', () => {
    const { cpu, mm, key } = keyed();
    const at = mmap(cpu, mm, 0x6000_0000_0000, 4 * PAGE_SIZE, RW, PRIVATE | MapFlag.FIXED);
    const areas = mm.areas.size;
    mprotect(cpu, mm, at + PAGE_SIZE, PAGE_SIZE, RW, key);
    expect(mm.areas.size).toBe(areas + 2);
    mprotect(cpu, mm, at + PAGE_SIZE, PAGE_SIZE, RW, 0);
    expect(mm.areas.size).toBe(areas);
  });
});
