import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Access, BareMetal, type Cpu, dataCaches, FaultCode, HwStep, PAGE_SIZE, Platform, Pte, Translations } from '../src/index.js';
import { bareCpu, mapUser, XEON } from './support.js';

const FIRST = 0x10_0000;
const SECOND = FIRST + PAGE_SIZE;
const SIZES = [1, 2, 4, 8, 16] as const;

/** Two pages side by side, in frames that are not. */
function twoPages(rights: number = Pte.user | Pte.writable): { cpu: Cpu; frames: [number, number] } {
  const { cpu, memory, root } = bareCpu();
  const second = mapUser(memory, root, SECOND, rights);
  memory.allocate();
  const first = mapUser(memory, root, FIRST);
  return { cpu, frames: [first, second] };
}

/** Where an access is likely to meet a border: of a word, a line or the page. */
const offset = fc.oneof(fc.integer({ min: 0, max: 140 }), fc.integer({ min: PAGE_SIZE - 80, max: PAGE_SIZE + 64 }));

describe('loads and stores of a core', () => {
  it('do what they would to an array of bytes, whatever their size and address', () => {
    const { cpu } = twoPages();
    const { lsu } = cpu;
    const model = new Uint8Array(2 * PAGE_SIZE);
    const access = fc.record({
      store: fc.boolean(),
      size: fc.constantFrom(...SIZES),
      offset,
      data: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 40 }), (accesses) => {
        for (const { store, size, offset: at, data } of accesses) {
          lsu.bytes.set(data);
          if (store) {
            expect(lsu.store(FIRST + at, size, Access.user)).toBe(true);
            model.set(data.subarray(0, size), at);
          } else {
            expect(lsu.load(FIRST + at, size, Access.user)).toBe(true);
            expect([...lsu.bytes.subarray(0, size)]).toEqual([...model.subarray(at, at + size)]);
            // Zero-extended to 64 bits.
            expect([...lsu.bytes.subarray(size, 8)].every((byte) => byte === 0)).toBe(true);
          }
        }
      }),
    );
  });

  it('keep numbers exactly up to 2^53, with their sign, over every border', () => {
    const { lsu } = twoPages().cpu;
    fc.assert(
      fc.property(fc.maxSafeInteger(), offset, (value, at) => {
        lsu.value = value;
        expect(lsu.store(FIRST + at, 8, Access.user)).toBe(true);
        lsu.value = 0;
        expect(lsu.load(FIRST + at, 8, Access.user)).toBe(true);
        expect(lsu.value).toBe(value);
      }),
    );
  });

  it('say where the first and the last byte are', () => {
    const { cpu, frames } = twoPages();
    cpu.lsu.load(SECOND - 3, 8, Access.user);
    expect([cpu.lsu.first, cpu.lsu.last]).toEqual([frames[0] * PAGE_SIZE + PAGE_SIZE - 3, frames[1] * PAGE_SIZE + 4]);
    cpu.lsu.store(FIRST + 2, 2, Access.user);
    expect([cpu.lsu.first, cpu.lsu.last]).toEqual([frames[0] * PAGE_SIZE + 2, frames[0] * PAGE_SIZE + 3]);
  });

  it('reach into the second page with their last byte alone', () => {
    for (const size of [2, 4, 8, 16] as const) {
      const { cpu, frames } = twoPages();
      cpu.lsu.bytes.fill(0xab);
      expect(cpu.lsu.store(SECOND - size + 1, size, Access.user)).toBe(true);
      expect([cpu.lsu.last, cpu.memory.read8(frames[1] * PAGE_SIZE)]).toEqual([frames[1] * PAGE_SIZE, 0xab]);
      const { lsu } = twoPages(Pte.user).cpu;
      expect(lsu.store(SECOND - size + 1, size, Access.user)).toBe(false);
    }
  });

  it('need both pages: a store that faults in the second one writes nothing to the first', () => {
    const { cpu } = twoPages(Pte.user);
    cpu.lsu.value = 2 ** 40 + 1;
    expect(cpu.lsu.store(SECOND - 4, 8, Access.user)).toBe(false);
    expect(cpu.mmu.faultAddress).toBe(SECOND);
    expect(cpu.mmu.faultCode).toBe(FaultCode.present | FaultCode.write | FaultCode.user);
    expect(cpu.lsu.load(SECOND - 4, 8, Access.user)).toBe(true);
    expect(cpu.lsu.value).toBe(0);
  });

  it('report a fault at the first byte in the page that faults', () => {
    const { cpu } = twoPages();
    const end = SECOND + PAGE_SIZE;
    expect(cpu.lsu.load(FIRST - 2, 4, Access.user)).toBe(false);
    expect(cpu.mmu.faultAddress).toBe(FIRST - 2);
    expect(cpu.lsu.load(end - 2, 4, Access.user)).toBe(false);
    expect(cpu.mmu.faultAddress).toBe(end);
    expect(cpu.lsu.load(end - 4, 4, Access.user)).toBe(true);
  });

  it('use both lines where they reach over the end of one, and one where they do not', () => {
    const moved = (at: number, size: number): number => {
      const { platform, root, memory } = bareCpu();
      const [a, b] = platform.cpus as [Cpu, Cpu];
      mapUser(memory, root, FIRST);
      b.mmu.loadRoot(root, 1, Translations.KEEP);
      for (const line of [0, 64, 128]) a.lsu.store(FIRST + line, 8, Access.user);
      b.lsu.load(FIRST + at, size, Access.user);
      return b.linesMoved;
    };
    expect([moved(56, 8), moved(57, 8), moved(63, 2), moved(64, 1), moved(62, 2), moved(112, 16), moved(113, 16)]).toEqual([
      1, 2, 2, 1, 1, 1, 2,
    ]);
  });

  it('pay for both lines where caches are modelled', () => {
    const cost = (at: number): number => {
      const metal = new BareMetal({ profile: XEON, caches: dataCaches });
      const root = metal.addressSpace();
      metal.map(root, FIRST);
      metal.start(0, function* (on) {
        on.load(root);
        on.user = true;
        for (const line of [0, 64]) on.read8(FIRST + line);
        const before = on.cpu.ownLedger.booked(HwStep.cacheL1);
        on.read32(FIRST + at);
        hits = on.cpu.ownLedger.booked(HwStep.cacheL1) - before;
        yield;
      });
      let hits = 0;
      metal.run();
      return hits;
    };
    const latency = new Platform({ profile: XEON }).costs.cycles(XEON.cache.l1d.latency);
    expect([cost(60), cost(61)]).toEqual([latency, 2 * latency]);
  });

  it('cost nothing behind other work, and the latency of the L1 cache each in a row that is longer than a core can have under way', () => {
    const { cpu } = twoPages();
    const { lsu } = cpu;
    lsu.store(FIRST, 8, Access.user);
    const begun = cpu.clock;
    for (let i = 1; i < 72; i++) expect(i % 3 === 0 ? lsu.store(FIRST, 4, Access.user) : lsu.load(FIRST, 8, Access.user)).toBe(true);
    expect([cpu.clock - begun, lsu.spinning]).toEqual([0, true]);
    const latency = cpu.costs.cycles(cpu.costs.profile.cache.l1d.latency);
    expect(latency).toBeGreaterThan(0);
    lsu.load(FIRST, 8, Access.user);
    lsu.store(FIRST, 8, Access.user);
    expect([cpu.clock - begun, lsu.spinning]).toEqual([2 * latency, true]);
    cpu.chargeCycles(HwStep.compute, 1);
    expect(lsu.spinning).toBe(false);
    lsu.load(FIRST, 8, Access.user);
    expect(cpu.clock - begun).toBe(2 * latency + 1);
  });
});

describe('a bare-metal program', () => {
  it('loads and stores at any address, of every size', () => {
    const metal = new BareMetal({ profile: XEON });
    const root = metal.addressSpace();
    metal.map(root, FIRST);
    metal.map(root, SECOND);
    const seen: number[] = [];
    metal.start(0, function* (on) {
      on.load(root);
      on.user = true;
      on.write64(SECOND - 3, 0x1_0203_0405_0607);
      on.write16(SECOND - 4, 0x1_ffee);
      seen.push(on.read8(SECOND), on.read16(SECOND - 1), on.read32(SECOND - 2), on.read64(SECOND - 3));
      yield;
    });
    metal.run();
    expect(seen).toEqual([0x04, 0x0405, 0x0304_0506, 0x1_0203_0405_06ff]);
  });

  it('gets the page that faults, and goes on when it is there', () => {
    const metal = new BareMetal({ profile: XEON });
    const root = metal.addressSpace();
    metal.map(root, FIRST);
    const faults: number[] = [];
    metal.onException = (_, { address }) => {
      faults.push(address);
      metal.map(root, SECOND);
      return 'retry';
    };
    let value = 0;
    metal.start(0, function* (on) {
      on.load(root);
      on.user = true;
      on.write32(SECOND - 2, 0x1234_5678);
      value = on.read32(SECOND - 2);
      yield;
    });
    metal.run();
    expect([faults, value]).toEqual([[SECOND], 0x1234_5678]);
  });

  it('wakes who monitors either of two lines that it stores to', () => {
    for (const line of [FIRST, FIRST + 64]) {
      const metal = new BareMetal({ profile: XEON });
      const root = metal.addressSpace();
      metal.map(root, FIRST);
      let woken = false;
      metal.start(0, function* (on) {
        on.load(root);
        on.ac = true;
        on.monitor(line);
        yield* on.mwait('C1');
        woken = true;
      });
      metal.start(1, function* (on) {
        on.load(root);
        on.ac = true;
        yield* on.compute(10_000);
        on.write32(FIRST + 62, 1);
      });
      metal.run();
      expect(woken).toBe(true);
    }
  });
});
