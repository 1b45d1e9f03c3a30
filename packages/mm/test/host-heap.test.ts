import { Access, PAGE_SIZE } from '@rpal/hw-x86';
import { Madvise, MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { handleFault, madvise, mmap } from '../src/index.js';
import { TestBench } from './bench.js';

const PAGES = 512;
const RUNS = 300;

describe('on the host', () => {
  it('a page fault at the addresses that processes have allocates nothing, once the engine has compiled it', () => {
    const bench = new TestBench();
    const { cpu } = bench;
    const mm = bench.process();
    const at = mmap(cpu, mm, 0x7fff_e000_0000, PAGES * PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    // An array that has held something else refers to its numbers, so that to read one does not make a new one.
    const addresses: unknown[] = [''];
    for (let page = 0; page < PAGES; page++) addresses[page] = at + page * PAGE_SIZE;
    const grown: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      madvise(cpu, mm, at, PAGES * PAGE_SIZE, Madvise.DONTNEED);
      const before = process.memoryUsage().heapUsed;
      for (const address of addresses as number[]) {
        // A read, a fault and the read again, then a write: a copy of the page of zeroes.
        while (cpu.data(address, Access.user) < 0) handleFault(cpu, mm, address, cpu.mmu.faultCode);
        while (cpu.data(address, Access.user | Access.write) < 0) handleFault(cpu, mm, address, cpu.mmu.faultCode);
      }
      grown.push((process.memoryUsage().heapUsed - before) / (2 * PAGES));
    }
    expect(mm.minorFaults).toBe(2 * PAGES * RUNS);
    // One number on the heap takes 12 or 16 bytes. The last runs count, and of these the better half: a collection in between, or a
    // compilation, moves the others.
    const last = grown.slice(RUNS / 2).filter((bytes) => bytes >= 0);
    last.sort((a, b) => a - b);
    expect(last[last.length >> 2]).toBeLessThan(4);
  });
});
