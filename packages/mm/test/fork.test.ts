import { PAGE_SIZE } from '@rpal/hw-x86';
import { MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { exitMm, forkMm, mmap, mprotect } from '../src/index.js';
import { load, store, TestBench } from './bench.js';

const RW = Prot.READ | Prot.WRITE;

describe('fork', () => {
  it('shares private pages until one side writes, then gives the writer a copy', () => {
    const bench = new TestBench();
    const { cpu, manager } = bench;
    const parent = manager.create(cpu);
    parent.activate(cpu);
    const at = mmap(cpu, parent, 0, 2 * PAGE_SIZE, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    store(cpu, parent, at, 11);
    store(cpu, parent, at + PAGE_SIZE, 12);
    const before = bench.platform.memory.framesInUse;

    const child = forkMm(cpu, parent);
    const tables = bench.platform.memory.framesInUse - before;
    expect(tables).toBe(child.tables.tables);
    expect(child.residentPages).toBe(2);

    child.activate(cpu);
    expect(load(cpu, child, at)).toBe(11);
    expect(bench.platform.memory.framesInUse).toBe(before + tables);
    store(cpu, child, at, 99);
    expect(bench.platform.memory.framesInUse).toBe(before + tables + 1);
    expect(load(cpu, child, at)).toBe(99);

    parent.activate(cpu);
    expect(load(cpu, parent, at)).toBe(11);
    // The child has its own copy by now: the parent's page is exclusive again and written in place.
    store(cpu, parent, at, 13);
    expect(bench.platform.memory.framesInUse).toBe(before + tables + 1);
    expect(load(cpu, parent, at + PAGE_SIZE)).toBe(12);
  });

  it('takes the right to write from the parent on every CPU that runs it', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const other = bench.platform.cpus[1]!;
    const parent = bench.manager.create(cpu);
    parent.activate(cpu);
    const at = mmap(cpu, parent, 0, PAGE_SIZE, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    parent.activate(other);
    store(other, parent, at, 1);
    const child = forkMm(cpu, parent);
    // Had the other CPU kept its writable translation, this store would reach the child.
    store(other, parent, at, 2);
    child.activate(cpu);
    expect(load(cpu, child, at)).toBe(1);
    expect(load(other, parent, at)).toBe(2);
  });

  it('frees every frame when the last of parent and child exits, in either order', () => {
    for (const childFirst of [true, false]) {
      const { cpu, manager, platform } = new TestBench();
      const before = platform.memory.framesInUse;
      const parent = manager.create(cpu);
      parent.activate(cpu);
      const at = mmap(cpu, parent, 0, 64 * PAGE_SIZE, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      for (let page = 0; page < 64; page += 2) store(cpu, parent, at + page * PAGE_SIZE, page);
      const child = forkMm(cpu, parent);
      child.activate(cpu);
      for (let page = 0; page < 64; page += 4) store(cpu, child, at + page * PAGE_SIZE, 1);
      exitMm(cpu, childFirst ? child : parent);
      const survivor = childFirst ? parent : child;
      survivor.activate(cpu);
      expect(load(cpu, survivor, at + 2 * PAGE_SIZE)).toBe(2);
      exitMm(cpu, survivor);
      expect(platform.memory.framesInUse).toBe(before);
    }
  });

  it("leaves it to the next write to find out that a page is nobody else's any more; until then mprotect does not let it be written", () => {
    const { cpu, manager } = new TestBench();
    const parent = manager.create(cpu);
    parent.activate(cpu);
    const at = mmap(cpu, parent, 0, PAGE_SIZE, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    store(cpu, parent, at, 1);
    exitMm(cpu, forkMm(cpu, parent));
    const changeRights = (): void => {
      for (const rights of [Prot.READ, RW]) expect(mprotect(cpu, parent, at, PAGE_SIZE, rights)).toBe(0);
    };
    changeRights();
    const faults = parent.minorFaults;
    const frame = manager.memory.framesInUse;
    expect(store(cpu, parent, at, 2)).toBe(2);
    expect([parent.minorFaults - faults, manager.memory.framesInUse - frame]).toEqual([1, 0]);
    // Now it is known.
    changeRights();
    expect(store(cpu, parent, at, 3)).toBe(3);
    expect(parent.minorFaults - faults).toBe(1);
  });
});
