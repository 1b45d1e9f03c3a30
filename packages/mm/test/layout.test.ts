import { GIB, PAGE_SIZE } from '@rpal/hw-x86';
import { MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { brk, defaultLayout, mmap, mmapBaseBelow, TASK_SIZE } from '../src/index.js';
import { maps, store, TestBench } from './bench.js';

describe('the layout of an address space', () => {
  it('is drawn from the seed: stack on top, mmap below it, everything page aligned', () => {
    const { platform } = new TestBench();
    for (let i = 0; i < 100; i++) {
      const layout = defaultLayout(platform.rng);
      expect(layout.stackTop).toBeLessThanOrEqual(TASK_SIZE);
      expect(layout.mmapBase).toBeLessThan(layout.stackTop - 8 * 0x10_0000);
      for (const border of [layout.stackTop, layout.mmapBase, layout.loadBias]) expect(border % PAGE_SIZE).toBe(0);
    }
  });

  it('confines mmap when a plugin moves the borders', () => {
    const bench = new TestBench();
    const top = 512 * GIB;
    const mm = bench.manager.create(bench.cpu, { ...defaultLayout(bench.platform.rng), mmapBase: mmapBaseBelow(top, 0) });
    mm.activate(bench.cpu);
    const at = mmap(bench.cpu, mm, 0, PAGE_SIZE, Prot.READ, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    expect(at).toBe(mmapBaseBelow(top, 0) - PAGE_SIZE);
  });

  it('gives the heap what brk asks for, and takes it back with its pages', () => {
    const bench = new TestBench();
    const mm = bench.process();
    const start = 0x5555_0000_0000;
    mm.brkStart = start;
    mm.brk = start;
    expect(brk(bench.cpu, mm, start + 10_000)).toBe(start + 10_000);
    expect(maps(mm, start)).toEqual(['0-3 rw-p']);
    store(bench.cpu, mm, start + 2 * PAGE_SIZE, 1);
    expect(mm.residentPages).toBe(1);
    expect(brk(bench.cpu, mm, start + 1)).toBe(start + 1);
    expect(maps(mm, start)).toEqual(['0-1 rw-p']);
    expect(mm.residentPages).toBe(0);
    expect(brk(bench.cpu, mm, start - 1)).toBe(start + 1);
    expect(brk(bench.cpu, mm, TASK_SIZE)).toBe(start + 1);
  });
});
