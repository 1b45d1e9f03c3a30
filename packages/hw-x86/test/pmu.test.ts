import { describe, expect, it } from 'vitest';
import { type Cpu, type CpuProfile, HardwareError, HwStep, LocalApic, type Platform, Pmu, Vector } from '../src/index.js';
import { busyUntil, GENOA, handles, MILAN, platform, XEON } from './support.js';

const PERIOD = 100_000;

/** A handler of PMU interrupts in NMI context; returns whether it found work. */
type Handler = (cpu: Cpu) => boolean;

/** What Linux's handler does where there is a status register: read it, reload, clear the bits, unmask the entry. */
const withStatus: Handler = (cpu) => {
  const status = Pmu.of(cpu).readStatus();
  for (let i = 0; i < Pmu.of(cpu).counters; i++) if ((status & (1 << i)) !== 0) Pmu.of(cpu).write(i, -PERIOD);
  Pmu.of(cpu).clearStatus(status);
  LocalApic.of(cpu).configurePerformanceCounter('nmi');
  return status !== 0;
};

/** Where there is none: the top bit of every counter that is believed to run. */
const withTopBit: Handler = (cpu) => {
  let handled = false;
  for (let i = 0; i < Pmu.of(cpu).counters; i++) {
    if ((Pmu.of(cpu).enabled & (1 << i)) === 0 || !Pmu.of(cpu).wrapped(i)) continue;
    Pmu.of(cpu).write(i, -PERIOD);
    handled = true;
  }
  return handled;
};

interface Sampling {
  readonly machine: Platform;
  readonly cpu: Cpu;
  /** Times of the NMIs since the start. */
  readonly nmis: number[];
  /** NMIs in which the handler found nothing. */
  unknown: number;
}

/** Counter 0 samples cycles with a period on a busy processor. */
function sampling(profile: CpuProfile, handler: Handler): Sampling {
  const machine = platform({ profile });
  const cpu = machine.cpus[0] as Cpu;
  const start = cpu.clock;
  const state: Sampling = { machine, cpu, nmis: [], unknown: 0 };
  cpu.trap = handles({
    interrupt: () => {},
    nmi(on) {
      on.charge(HwStep.nmi);
      state.nmis.push(on.clock - start);
      if (!handler(on)) state.unknown++;
      on.charge(HwStep.iret);
      on.unblockNmi();
    },
  });
  busyUntil(cpu, start + 2_000_000);
  LocalApic.of(cpu).configurePerformanceCounter('nmi');
  Pmu.of(cpu).program(0, { event: 'refCycles', interrupt: true });
  Pmu.of(cpu).write(0, -PERIOD);
  Pmu.of(cpu).enable(1);
  return state;
}

describe('counting', () => {
  it('follows the core clock and the TSC, but not while halted', () => {
    const machine = platform();
    const cpu = machine.cpus[0] as Cpu;
    Pmu.of(cpu).program(0, { event: 'cycles' });
    Pmu.of(cpu).program(1, { event: 'refCycles' });
    cpu.trap = handles({ interrupt: () => {}, nmi: () => {} });
    busyUntil(cpu, cpu.clock + 10_000);
    Pmu.of(cpu).enable(3);
    const began = cpu.clock;
    machine.run(cpu.clock + 10_000);
    const busy = cpu.clock - began;
    // Halted for a long time, then woken.
    LocalApic.of(cpu).configureTimer('tsc-deadline', 0x40);
    LocalApic.of(cpu).writeTscDeadline(cpu.clock + 1_000_000);
    machine.run();
    const ref = Pmu.of(cpu).read(1);
    const core = Pmu.of(cpu).read(0);
    expect(ref).toBeGreaterThanOrEqual(busy);
    expect(ref).toBeLessThan(busy + 3000);
    expect(core / ref).toBeCloseTo(3.0 / 2.3, 1);
  });

  it('counts what the model counts: page walks, for one', () => {
    const machine = platform();
    const cpu = machine.cpus[0] as Cpu;
    cpu.wake(cpu.clock);
    Pmu.of(cpu).program(2, { event: 'pageWalks' });
    Pmu.of(cpu).enable(4);
    cpu.mmu.translate(0x1000, 0);
    cpu.mmu.translate(0x2000, 0);
    expect(Pmu.of(cpu).read(2)).toBe(2);
    Pmu.of(cpu).enable(0);
    cpu.mmu.translate(0x3000, 0);
    expect(Pmu.of(cpu).read(2)).toBe(2);
  });

  it('is 48 bits wide', () => {
    const cpu = platform().cpus[0] as Cpu;
    Pmu.of(cpu).write(0, -1);
    expect(Pmu.of(cpu).read(0)).toBe(2 ** 48 - 1);
    expect(() => Pmu.of(cpu).write(0, 2 ** 48)).toThrow('value: 281474976710656 does not fit a 48-bit counter; use -2^47 .. 2^48-1');
  });

  it('refuses counters that are not there and interrupts that cannot be foreseen', () => {
    const cpu = platform().cpus[0] as Cpu;
    expect(() => Pmu.of(cpu).read(8)).toThrow('index: 8 is not a counter of xeon-platinum-8336c; use 0 .. 7');
    expect(() => Pmu.of(cpu).program(0, { event: 'linesMoved', interrupt: true })).toThrow(
      'setup.interrupt: a counter of linesMoved cannot interrupt; use cycles or refCycles',
    );
  });
});

describe('overflow', () => {
  it.each([
    [XEON, withStatus],
    [GENOA, withStatus],
    [MILAN, withTopBit],
  ])('is an NMI every period on $name, with the handler that it needs', (profile, handler) => {
    const { machine, nmis, ...state } = sampling(profile, handler);
    machine.run();
    expect(nmis.length).toBeGreaterThanOrEqual(18);
    expect(nmis.length).toBeLessThanOrEqual(20);
    expect(state.unknown).toBe(0);
    const delivery = profile.pmu.delivery.central * profile.clock.tscGHz;
    expect(nmis[0]).toBeGreaterThanOrEqual(PERIOD + delivery);
    expect(nmis[0]).toBeLessThan(PERIOD + delivery + 2000);
  });

  it('comes once on Intel if the handler forgets to unmask the entry, again and again on AMD', () => {
    const forgetful: Handler = (cpu) => {
      Pmu.of(cpu).write(0, -PERIOD);
      return true;
    };
    const count = (profile: CpuProfile): number => {
      const { machine, nmis } = sampling(profile, forgetful);
      machine.run();
      return nmis.length;
    };
    expect(count(XEON)).toBe(1);
    expect(count(MILAN)).toBeGreaterThan(15);
  });

  it('leaves its bit in the status register until it is cleared', () => {
    const { machine, cpu } = sampling(XEON, (on) => Pmu.of(on).readStatus() === 1);
    machine.run();
    expect(Pmu.of(cpu).readStatus()).toBe(1);
    Pmu.of(cpu).clearStatus(1);
    expect(Pmu.of(cpu).readStatus()).toBe(0);
  });

  it('interrupts although the counter was stopped in the meantime: nobody claims that NMI on AMD', () => {
    const { machine, cpu, nmis, ...state } = sampling(MILAN, withTopBit);
    const delivery = Math.round(MILAN.pmu.delivery.central * MILAN.clock.tscGHz);
    machine.run(cpu.clock + PERIOD + Math.floor(delivery / 2));
    expect(nmis).toHaveLength(0);
    Pmu.of(cpu).enable(0);
    const handled = { count: 0 };
    cpu.trap = handles({
      interrupt: () => {},
      nmi(on) {
        if (withTopBit(on)) handled.count++;
        else state.unknown++;
        on.unblockNmi();
      },
    });
    machine.run();
    expect([handled.count, state.unknown]).toEqual([0, 1]);
  });

  it('of two counters in one delivery time leaves the second NMI without work', () => {
    const { machine, cpu, nmis, ...state } = sampling(MILAN, withTopBit);
    const delivery = Math.round(MILAN.pmu.delivery.central * MILAN.clock.tscGHz);
    // Counter 1 overflows while the NMI of counter 0 is on its way, and is found by its handler.
    Pmu.of(cpu).program(1, { event: 'refCycles', interrupt: true });
    Pmu.of(cpu).write(1, -PERIOD - Math.floor(delivery / 2));
    Pmu.of(cpu).enable(3);
    let unknown = 0;
    cpu.trap = handles({
      interrupt: () => {},
      nmi(on) {
        if (!withTopBit(on)) unknown++;
        on.unblockNmi();
      },
    });
    machine.run(cpu.clock + PERIOD + 5 * delivery);
    expect(unknown).toBe(1);
    expect(state.unknown).toBe(0);
  });

  it('is delivered as an ordinary interrupt if the entry says so, and not at all while masked', () => {
    const { machine, cpu } = sampling(XEON, withStatus);
    const vectors: number[] = [];
    cpu.trap = handles({ interrupt: (_, vector) => vectors.push(vector), nmi: () => vectors.push(Vector.nmi) });
    LocalApic.of(cpu).configurePerformanceCounter('fixed', 0xf5);
    machine.run();
    expect(vectors).toEqual([0xf5]);
    expect(LocalApic.of(cpu).performanceCounterMasked).toBe(true);
  });

  it('has no status register to be read on AMD before PerfMonV2', () => {
    const cpu = platform({ profile: MILAN }).cpus[0] as Cpu;
    expect(() => Pmu.of(cpu).readStatus()).toThrow(HardwareError);
    expect(() => Pmu.of(cpu).clearStatus(1)).toThrow('epyc-7713 has no global status register (PerfMonV2): #GP');
  });
});
