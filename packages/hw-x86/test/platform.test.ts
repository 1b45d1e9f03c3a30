import { describe, expect, it } from 'vitest';
import { type Cpu, HardwareError, HwStep, TimedEvent, Vector } from '../src/index.js';
import { GENOA, handles, platform } from './support.js';

/** Makes `cpu` run `step` again and again until it returns false; then it halts. */
function run(cpu: Cpu, step: (cpu: Cpu) => boolean): void {
  cpu.context = {
    resume() {
      do if (!step(cpu)) cpu.halt();
      while (cpu.hasTime && !cpu.halted);
    },
  };
  if (cpu.halted) cpu.wake(cpu.clock);
}

describe('the loop', () => {
  it('lets the processor that is furthest behind go on, so no clock runs away', () => {
    const machine = platform();
    const [a, b] = machine.cpus as [Cpu, Cpu];
    const start = a.clock;
    const order: string[] = [];
    run(a, (cpu) => {
      cpu.chargeCycles(HwStep.pageWalk, 100);
      order.push('a');
      return cpu.clock < start + 600;
    });
    run(b, (cpu) => {
      cpu.chargeCycles(HwStep.pageWalk, 300);
      order.push('b');
      return cpu.clock < start + 600;
    });
    expect(machine.run()).toBe('deadlock');
    expect(order.join('')).toBe('abaaabaa');
  });

  it('fires an event when no running processor is behind it, and never lets one pass it by more than its step', () => {
    const machine = platform();
    const [a] = machine.cpus as [Cpu];
    const start = a.clock;
    let seen = 0;
    class Probe extends TimedEvent {
      override fire(): void {
        seen = a.clock;
      }
    }
    machine.arm(new Probe(), start + 1000);
    run(a, (cpu) => {
      cpu.chargeCycles(HwStep.pageWalk, 30);
      return cpu.clock < start + 5000;
    });
    machine.run();
    expect(seen).toBeGreaterThanOrEqual(start + 1000);
    expect(seen).toBeLessThan(start + 1030);
  });

  it('lets one of two processors at the same time go first, also if both look at the time before they begin', () => {
    const machine = platform();
    const [a, b] = machine.cpus as [Cpu, Cpu];
    const start = a.clock;
    let turns = 0;
    for (const cpu of [a, b]) {
      cpu.context = {
        resume() {
          if (++turns > 1000) throw new Error('no progress');
          while (cpu.hasTime && cpu.clock < start + 1000) cpu.chargeCycles(HwStep.pageWalk, 10);
          if (cpu.clock >= start + 1000) cpu.halt();
        },
      };
      cpu.wake(start);
    }
    expect(machine.run()).toBe('deadlock');
    expect([a.clock, b.clock]).toEqual([start + 1000, start + 1000]);
  });

  it('ends when told, when time is up, or when nothing can happen any more', () => {
    const machine = platform();
    const [a] = machine.cpus as [Cpu];
    const start = a.clock;
    expect(machine.run()).toBe('deadlock');
    run(a, (cpu) => {
      cpu.chargeCycles(HwStep.pageWalk, 10);
      if (cpu.clock >= start + 2000) machine.stop();
      return true;
    });
    expect(machine.run(start + 1000)).toBe('until');
    expect(a.clock).toBe(start + 1000);
    expect(machine.run()).toBe('stopped');
    expect(a.clock).toBe(start + 2000);
  });

  it('refuses to run what nobody installed', () => {
    const machine = platform();
    (machine.cpus[0] as Cpu).wake((machine.cpus[0] as Cpu).clock);
    expect(() => machine.run()).toThrow(HardwareError);
    expect(() => machine.run()).toThrow('core 0 was started without a context');
  });

  it('keeps the books of each core: what it was charged and what it idled make up its clock', () => {
    const machine = platform();
    const [a, b] = machine.cpus as [Cpu, Cpu];
    const start = a.clock;
    b.trap = handles({ interrupt: (cpu) => cpu.charge(HwStep.rdtsc), nmi: () => {} });
    let rounds = 0;
    run(b, () => false);
    run(a, (cpu) => {
      cpu.chargeCycles(HwStep.pageWalk, 777);
      cpu.sendInterrupt(b, Vector.reschedule);
      return ++rounds < 20;
    });
    machine.run();
    for (const cpu of [a, b]) expect(cpu.ownLedger.total).toBe(cpu.clock - start);
    expect(b.interruptsTaken).toBe(20);
  });
});

describe('a platform', () => {
  it('numbers processors as Linux does: one thread of every core, socket by socket, then the siblings', () => {
    const { cpus, profile } = platform();
    expect(cpus).toHaveLength(128);
    expect(profile.topology.threadsPerCore).toBe(2);
    expect([0, 31, 32, 63, 64, 127].map((id) => [cpus[id]!.core, cpus[id]!.thread, cpus[id]!.socket])).toEqual([
      [0, 0, 0],
      [31, 0, 0],
      [32, 0, 1],
      [63, 0, 1],
      [0, 1, 0],
      [63, 1, 1],
    ]);
    expect(platform({ profile: GENOA }).cpus).toHaveLength(384);
  });

  it('refuses options that no machine has, naming them', () => {
    expect(() => platform({ coreGHz: 0 })).toThrow('coreGHz: 0 is not a clock in GHz; use a number above 0');
    expect(() => platform({ seed: 0.5 })).toThrow('seed: 0.5 is not an integer below 2^53 in magnitude');
    expect(() => platform({ costs: 'worst' as 'high' })).toThrow('costs: worst is not low, central or high');
  });

  it('is determined by its options: equal ones give equal fingerprints, another seed another', () => {
    const print = (seed: number): string => platform({ seed }).fingerprint().digest();
    expect(print(1)).toBe(print(1));
    expect(print(2)).not.toBe(print(1));
  });
});
