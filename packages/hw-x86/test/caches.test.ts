import { Touch } from '@rpal/hw-x86';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BareMetal, CACHE_LINE, Caches, type Cpu, dataCaches, HwStep, KIB, LineState, Platform } from '../src/index.js';
import { GENOA, XEON } from './support.js';

const ns = (value: number): number => Math.round(value * 2.3);

function setup(profile = XEON): { caches: Caches; cpus: readonly Cpu[]; cost: (cpu: Cpu, address: number, write?: boolean) => string } {
  const platform = new Platform({ profile });
  const { memory, cpus } = platform;
  memory.allocateRun(4096, 4096);
  const caches = new Caches(platform);
  /** Step and cycles of one access. */
  const cost = (cpu: Cpu, address: number, write = false): string => {
    cpu.ownLedger.clear();
    caches.access(cpu, address, write);
    return cpu.ownLedger.entries.map(({ step, cycles }) => `${step.name.slice(13)} ${cycles}`).join(' + ');
  };
  return { caches, cpus, cost };
}

describe('the hierarchy', () => {
  it('answers from where the line is: memory, then L1; L2 and L3 once it was pushed out', () => {
    const { cpus, cost } = setup();
    const [cpu] = cpus as [Cpu];
    expect(cost(cpu, 0x10_0000)).toBe(`memoryLocal ${ns(82)}`);
    expect(cost(cpu, 0x10_0020)).toBe('cacheL1 4');
    // 12 more lines of the same L1 set push it out of the L1, but not of the L2.
    for (let i = 1; i <= 12; i++) cost(cpu, 0x10_0000 + i * 64 * CACHE_LINE);
    expect(cost(cpu, 0x10_0000)).toBe('cacheL2 11');
    // 20 more of the same L2 set push it into the L3.
    for (let i = 1; i <= 20; i++) cost(cpu, 0x10_0000 + i * 1024 * CACHE_LINE);
    expect(cost(cpu, 0x10_0000)).toBe('cacheL3 52');
  });

  it('asks the memory of the node that the frame is on', () => {
    const { memory, platform } = (() => {
      const machine = new Platform({ profile: XEON });
      return { memory: machine.memory, platform: machine };
    })();
    const far = memory.allocate(1) * 4096;
    const caches = new Caches(platform);
    const [cpu] = platform.cpus as [Cpu];
    caches.access(cpu, far, Touch.LOAD);
    expect(caches.counters(cpu)).toMatchObject({ memoryLocal: 0, memoryRemote: 1 });
    expect(cpu.ownLedger.booked(HwStep.memoryRemote)).toBe(ns(138));
  });

  it('is private to a physical core: hyperthreads share it', () => {
    const { cpus, cost } = setup();
    cost(cpus[0] as Cpu, 0x10_0000, true);
    expect(cost(cpus[64] as Cpu, 0x10_0000, true)).toBe('cacheL1 4');
  });
});

describe('coherence', () => {
  const A = 0x10_0000;

  it('reads exclusive, then shared, then modified; a write takes the copies of the others', () => {
    const { caches, cpus, cost } = setup();
    const [a, b] = cpus as [Cpu, Cpu];
    cost(a, A);
    expect(caches.state(a, A)).toBe(LineState.exclusive);
    expect(cost(b, A)).toBe(`lineSameCache ${ns(59.8)}`);
    expect([caches.state(a, A), caches.state(b, A)]).toEqual([LineState.shared, LineState.shared]);
    expect(cost(b, A, true)).toBe(`lineSameCache ${ns(59.8)} + cacheL1 4`);
    expect([caches.state(a, A), caches.state(b, A)]).toEqual([0, LineState.modified]);
    expect([caches.counters(a).invalidationsReceived, caches.counters(b).upgrades]).toEqual([1, 1]);
  });

  it('writes an exclusive line without telling anybody', () => {
    const { caches, cpus, cost } = setup();
    const [a] = cpus as [Cpu];
    cost(a, A);
    expect(cost(a, A, true)).toBe('cacheL1 4');
    expect([caches.state(a, A), caches.counters(a).upgrades]).toEqual([LineState.modified, 0]);
  });

  it('takes longer from the other socket, and from another core complex', () => {
    const xeon = setup();
    xeon.cost(xeon.cpus[0] as Cpu, A, true);
    expect(xeon.cost(xeon.cpus[40] as Cpu, A)).toBe(`lineCrossSocket ${ns(126)}`);
    const genoa = setup(GENOA);
    genoa.cost(genoa.cpus[0] as Cpu, A, true);
    expect(genoa.cost(genoa.cpus[9] as Cpu, A)).toBe(`lineSameSocket ${Math.round(110 * 2.4)}`);
    expect(genoa.caches.counters(genoa.cpus[9] as Cpu)).toMatchObject({ fromSameCache: 0, fromSameSocket: 1, fromOtherSocket: 0 });
  });

  it('holds for every sequence of accesses: one writer or many readers, and nobody has a line unseen', () => {
    const tiny = {
      ...XEON,
      cache: {
        l1d: { ...XEON.cache.l1d, bytes: 256, ways: 2 },
        l2: { ...XEON.cache.l2, bytes: 512, ways: 2 },
        l3: { ...XEON.cache.l3, bytes: 1024, ways: 2 },
      },
    };
    const platform = new Platform({ profile: tiny });
    platform.memory.allocateRun(4096, 4096);
    const cpus = [0, 1, 2, 40].map((id) => platform.cpus[id] as Cpu);
    const access = fc.record({
      who: fc.nat(3),
      line: fc.nat(23),
      write: fc.boolean(),
      flush: fc.integer({ min: 0, max: 30 }).map((n) => n === 0),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 150 }), (accesses) => {
        const caches = new Caches(platform);
        for (const { who, line, write, flush } of accesses) {
          const cpu = cpus[who] as Cpu;
          const address = 0x10_0000 + line * CACHE_LINE;
          if (flush) caches.flush(cpu);
          const before = cpu.clock;
          caches.access(cpu, address, write);
          expect(cpu.clock).toBeGreaterThan(before);
          expect(caches.state(cpu, address)).toBeGreaterThanOrEqual(write ? LineState.modified : LineState.shared);
          for (let other = 0; other < 24; other++) {
            const states = cpus.map((one) => caches.state(one, 0x10_0000 + other * CACHE_LINE)).filter((state) => state > 0);
            if (states.some((state) => state > LineState.shared)) expect(states).toHaveLength(1);
          }
        }
      }),
      { numRuns: 80 },
    );
  });

  it('shows false sharing: two cores that write neighbouring words take the line from each other each time', () => {
    const run = (distance: number): { moved: number; cycles: number } => {
      const metal = new BareMetal({ profile: XEON, caches: dataCaches });
      const root = metal.addressSpace();
      metal.map(root, 0x1000);
      const start = metal.core(0).cpu.clock;
      for (const number of [0, 1]) {
        metal.start(number, function* (core) {
          core.load(root);
          core.user = true;
          for (let i = 0; i < 1000; i++) {
            core.write64(0x1000 + number * distance, i);
            yield;
          }
        });
      }
      metal.run();
      const counters = metal.caches!.counters(metal.core(0).cpu);
      return { moved: counters.fromSameCache, cycles: metal.core(0).cpu.clock - start };
    };
    const shared = run(8);
    const apart = run(CACHE_LINE);
    expect(shared.moved).toBeGreaterThan(900);
    // Their page tables are all that they share.
    expect(apart.moved).toBeLessThan(5);
    expect(shared.cycles).toBeGreaterThan(10 * apart.cycles);
  });

  it('keeps what C6 flushed in the shared cache', () => {
    const { caches, cpus, cost } = setup();
    const [a, b] = cpus as [Cpu, Cpu];
    cost(a, A, true);
    caches.flush(a);
    expect([caches.state(a, A), caches.counters(a).writebacks]).toEqual([0, 1]);
    expect(cost(b, A)).toBe('cacheL3 52');
    expect(caches.state(b, A)).toBe(LineState.modified);
  });
});

describe('page walks', () => {
  it('find their entries where they are: in memory first, then in the caches', () => {
    const metal = new BareMetal({ profile: XEON, caches: dataCaches });
    const root = metal.addressSpace();
    const frame = metal.map(root, 0x1000);
    for (let i = 2; i < 40; i++) metal.map(root, i * 0x1000, { frame });
    const seen: string[] = [];
    metal.start(0, function* (core) {
      core.load(root);
      core.user = true;
      for (const page of [1, 2, 30]) {
        core.cpu.ownLedger.clear();
        core.read8(page * 0x1000);
        seen.push(
          core.cpu.ownLedger.entries
            .map(({ step, cycles }) => `${step.name.slice(13)} ${cycles}`)
            .sort()
            .join(', '),
        );
      }
      yield;
    });
    metal.run();
    const memory = ns(82);
    expect(seen).toEqual([
      // Four tables and the page itself; the look-up in the second-level TLB.
      `memoryLocal ${5 * memory}, pageWalk 5`,
      // The level-1 entry is in the line that the first walk brought, and so is the page.
      'cacheL1 8, pageWalk 5',
      // Eight entries to a line: the 30th is in another one.
      `cacheL1 4, memoryLocal ${memory}, pageWalk 5`,
    ]);
  });
});

describe('a machine without it', () => {
  it('is priced as before: caches are asked for', () => {
    const metal = new BareMetal({ profile: XEON });
    expect(metal.caches).toBeNull();
    expect(XEON.cache.l1d.bytes).toBe(48 * KIB);
  });
});
