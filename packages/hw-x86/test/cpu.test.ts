import { describe, expect, it } from 'vitest';
import { type Cpu, defineSteps, HwStep, Vector } from '../src/index.js';
import { bareCpu, handles, platform, XEON } from './support.js';

describe('registers', () => {
  it('FS base is what was written, at the price of the instructions', () => {
    const { cpu } = bareCpu();
    const before = cpu.clock;
    cpu.wrfsbase(0x7f12_3456_7000);
    expect(cpu.rdfsbase()).toBe(0x7f12_3456_7000);
    const { step } = cpu.costs;
    expect(cpu.clock - before).toBe((step[HwStep.wrfsbase] as number) + (step[HwStep.rdfsbase] as number));
  });

  it('RDTSC gives the clock once the instruction is through', () => {
    const { cpu } = bareCpu();
    expect(cpu.rdtsc()).toBe(cpu.clock);
    expect(cpu.rdtsc() - cpu.rdtsc()).toBe(-(cpu.costs.step[HwStep.rdtsc] as number));
  });

  it('PKRU reads back as an unsigned word, and costs nobody a TLB flush', () => {
    const { cpu } = bareCpu();
    cpu.wrpkru(0xffff_fffc);
    expect(cpu.rdpkru()).toBe(0xffff_fffc);
  });

  it('WRPKRU and RDPKRU are #UD without protection keys', () => {
    const { cpu } = bareCpu({ profile: { ...XEON, name: 'no-pku', features: { ...XEON.features, pku: false } } });
    expect(() => cpu.wrpkru(0)).toThrow('WRPKRU on no-pku, which has no protection keys: #UD');
    expect(() => cpu.rdpkru()).toThrow('RDPKRU on no-pku, which has no protection keys: #UD');
  });
});

const copied = defineSteps('cpu.test', {
  bytes: { cause: 'copy', instructions: 50, perByte: 'copy', source: 'test', status: 'estimated' },
});

describe('charging', () => {
  it('is exact, also where a turn exceeds 31 bits', () => {
    const { cpu } = bareCpu();
    const before = cpu.clock;
    cpu.chargeCycles(HwStep.idle, 2 ** 40 + 1);
    cpu.chargeCycles(HwStep.idle, 2);
    expect(cpu.clock - before).toBe(2 ** 40 + 3);
    expect(cpu.ownLedger.booked(HwStep.idle)).toBe(2 ** 40 + 3);
  });
});

describe('charging many times', () => {
  it('is charging once, so many times over: time, cycles booked and executions counted', () => {
    const { cpu } = bareCpu();
    const price = cpu.costs.step[HwStep.wrpkru] as number;
    const before = cpu.clock;
    cpu.charge(HwStep.wrpkru);
    cpu.chargeTimes(HwStep.wrpkru, 6);
    cpu.chargeTimes(HwStep.wrpkru, 0);
    expect(cpu.clock - before).toBe(7 * price);
    expect(cpu.ownLedger.booked(HwStep.wrpkru)).toBe(7 * price);
    expect(cpu.ownLedger.entries.find(({ step }) => step.id === HwStep.wrpkru)).toMatchObject({ count: 7, cycles: 7 * price });
  });

  it('is exact where the sum exceeds a turn', () => {
    const { cpu } = bareCpu();
    const price = cpu.costs.step[HwStep.wrpkru] as number;
    const before = cpu.clock;
    cpu.chargeTimes(HwStep.wrpkru, 2 ** 28);
    expect(cpu.clock - before).toBe(2 ** 28 * price);
    expect(cpu.ownLedger.booked(HwStep.wrpkru)).toBe(2 ** 28 * price);
  });

  it('by bytes is the step once, and the rate for each byte, rounded once', () => {
    const { cpu } = bareCpu();
    const before = cpu.clock;
    cpu.chargeBytes(copied.bytes, 1001);
    const rate = cpu.costs.perByte[copied.bytes] as number;
    expect(cpu.clock - before).toBe((cpu.costs.step[copied.bytes] as number) + Math.round(1001 * rate));
    expect(cpu.ownLedger.booked(copied.bytes)).toBe(cpu.clock - before);
  });
});

describe('interrupts', () => {
  function pair(): { machine: ReturnType<typeof platform>; a: Cpu; b: Cpu; taken: [vector: number, time: number][] } {
    const machine = platform();
    const [a, b] = machine.cpus as [Cpu, Cpu];
    const taken: [number, number][] = [];
    b.trap = handles({
      interrupt: (cpu, vector) => taken.push([vector, cpu.clock]),
      nmi: (cpu) => taken.push([Vector.nmi, cpu.clock]),
    });
    b.context = { resume: (cpu) => cpu.halt() };
    return { machine, a, b, taken };
  }

  it('arrive after the delivery time and end a halt; the wait is idle time', () => {
    const { machine, a, b, taken } = pair();
    const sent = a.clock;
    a.sendInterrupt(b, Vector.reschedule);
    machine.run();
    const delivery = Math.round(XEON.costs.ipiDelivery.central * 2.3);
    expect(taken).toEqual([[Vector.reschedule, sent + delivery]]);
    expect(b.ownLedger.booked(HwStep.idle)).toBe(delivery);
    expect(b.halted).toBe(true);
  });

  it('are taken highest vector first, each once however often it was raised', () => {
    const { machine, b, taken } = pair();
    for (const vector of [0x31, 0xfd, 0x31, 0xec, 0x20]) b.raise(vector, b.clock);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([0xfd, 0xec, 0x31, 0x20]);
  });

  it('wait while interrupts are off; an NMI does not', () => {
    const { machine, b, taken } = pair();
    b.interruptsEnabled = false;
    b.raise(0xfd, b.clock);
    b.raise(Vector.nmi, b.clock);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([Vector.nmi]);
    expect(b.interruptible).toBe(false);
    b.interruptsEnabled = true;
    expect(b.interruptible).toBe(true);
  });

  it('a second NMI waits for the IRET of the first, which ends the turn that it is in', () => {
    const { b, taken } = pair();
    const nmi = () => b.raise(Vector.nmi, b.clock);
    nmi();
    b.step();
    nmi();
    b.beginTurn(b.clock + 1000);
    b.context = { resume: () => {} };
    b.step();
    expect([taken.length, b.nmiBlocked, b.nmiPending, b.hasTime]).toEqual([1, true, true, true]);
    b.unblockNmi();
    expect([b.nmiBlocked, b.hasTime]).toEqual([false, false]);
    b.beginTurn(b.clock + 1000);
    b.step();
    expect([taken.length, b.nmiPending]).toEqual([2, false]);
    b.unblockNmi();
    expect(b.hasTime).toBe(true);
  });

  it('a store to the monitored line wakes a core in MWAIT after one line transfer, and a running core not at all', () => {
    const { machine, a, b } = pair();
    const at = a.clock;
    let woken = 0;
    b.context = {
      resume: (cpu) => {
        woken = cpu.clock;
        cpu.halt();
      },
    };
    a.triggerMonitor(b);
    a.triggerMonitor(b);
    machine.run();
    expect(woken - at).toBe(Math.round(XEON.costs.monitorWake.central * 2.3));
    b.wake(b.clock);
    a.triggerMonitor(b);
    expect(machine.queue.size).toBe(0);
  });
});
