import { describe, expect, it } from 'vitest';
import { type Cpu, HwStep, LocalApic, type Platform, Vector } from '../src/index.js';
import { busyUntil, handles, MILAN, platform, XEON } from './support.js';

/** Two processors that are busy for `cycles`; what the second one is interrupted by, with the time since the start. */
function setup(cycles = 1_000_000): { machine: Platform; a: Cpu; b: Cpu; start: number; taken: [vector: number, at: number][] } {
  const machine = platform();
  const [a, b] = machine.cpus as [Cpu, Cpu];
  const start = a.clock;
  const taken: [number, number][] = [];
  b.trap = handles({
    interrupt: (cpu, vector) => taken.push([vector, cpu.clock - start]),
    nmi(cpu) {
      taken.push([Vector.nmi, cpu.clock - start]);
      cpu.unblockNmi();
    },
  });
  if (cycles > 0) busyUntil(b, start + cycles);
  else b.context = { resume: (cpu) => cpu.halt() };
  return { machine, a, b, start, taken };
}

/** Interrupts are taken at the next step of the program, which is 50 cycles long here. */
function expectNear(times: readonly number[], wanted: readonly number[], slack = 200): void {
  expect(times).toHaveLength(wanted.length);
  times.forEach((time, i) => {
    expect(time).toBeGreaterThanOrEqual(wanted[i] as number);
    expect(time).toBeLessThan((wanted[i] as number) + slack);
  });
}

describe('the local APIC timer', () => {
  /** One count at 25 MHz is 92 cycles of a 2.3 GHz TSC. */
  const COUNT = 92;

  it('fires once in one-shot mode, after count x divisor cycles of the crystal', () => {
    const { machine, b, taken } = setup();
    LocalApic.of(b).configureTimer('one-shot', 0x40, 4);
    LocalApic.of(b).startTimer(1000);
    machine.run();
    expectNear(
      taken.map(([, at]) => at),
      [4 * 1000 * COUNT],
    );
    expect(taken[0]?.[0]).toBe(0x40);
  });

  it('fires again and again in periodic mode, without drift', () => {
    const { machine, b, taken } = setup();
    LocalApic.of(b).configureTimer('periodic', 0x40);
    LocalApic.of(b).startTimer(1000);
    machine.run(b.clock + 950_000);
    expectNear(
      taken.map(([, at]) => at),
      Array.from({ length: 10 }, (_, i) => (i + 1) * 1000 * COUNT),
    );
    LocalApic.of(b).startTimer(0);
    machine.run();
    expect(taken).toHaveLength(10);
  });

  it('fires at a TSC deadline, at once if it has passed, never if it is disarmed', () => {
    const { machine, b, start, taken } = setup();
    LocalApic.of(b).configureTimer('tsc-deadline', 0x41);
    LocalApic.of(b).writeTscDeadline(start + 500_000);
    machine.run(start + 700_000);
    expectNear(
      taken.map(([, at]) => at),
      [500_000],
    );
    LocalApic.of(b).writeTscDeadline(1);
    machine.run(start + 750_000);
    expect(taken).toHaveLength(2);
    LocalApic.of(b).writeTscDeadline(start + 900_000);
    LocalApic.of(b).writeTscDeadline(0);
    machine.run();
    expect(taken).toHaveLength(2);
  });

  it('wakes a halted processor at exactly its time', () => {
    const { machine, b, start, taken } = setup(0);
    LocalApic.of(b).configureTimer('tsc-deadline', 0x41);
    LocalApic.of(b).writeTscDeadline(start + 123_456);
    machine.run();
    expect(taken).toEqual([[0x41, 123_456]]);
  });

  it('counts down, and says nothing while masked', () => {
    const { machine, b, start, taken } = setup();
    LocalApic.of(b).configureTimer('one-shot', 0x40, 1, 'masked');
    LocalApic.of(b).startTimer(2000);
    machine.run(start + 1000 * COUNT);
    expect(LocalApic.of(b).readTimer()).toBeGreaterThan(990);
    expect(LocalApic.of(b).readTimer()).toBeLessThanOrEqual(1001);
    machine.run();
    expect([taken.length, LocalApic.of(b).readTimer()]).toEqual([0, 0]);
  });

  it('runs at the reference clock on AMD: 100 MHz', () => {
    const [cpu] = platform({ profile: MILAN }).cpus as [Cpu];
    LocalApic.of(cpu).configureTimer('one-shot', 0x40);
    LocalApic.of(cpu).startTimer(5000);
    const first = LocalApic.of(cpu).readTimer();
    expect(first).toBeGreaterThan(4990);
    cpu.advanceTo(cpu.clock + 20 * 4000 - (cpu.costs.step[HwStep.rdmsr] as number));
    expect(first - LocalApic.of(cpu).readTimer()).toBe(4000);
  });

  it('refuses what its registers cannot hold', () => {
    const [cpu] = platform().cpus as [Cpu];
    expect(() => LocalApic.of(cpu).configureTimer('periodic', 3)).toThrow('vector: 3 is not an interrupt vector; use 16 .. 255');
    expect(() => LocalApic.of(cpu).configureTimer('periodic', 0x40, 3)).toThrow('divisor: 3 is not one of 1, 2, 4, 8, 16, 32, 64, 128');
    expect(() => LocalApic.of(cpu).startTimer(2 ** 32)).toThrow('count: 4294967296 does not fit the 32-bit initial-count register');
    expect(() => LocalApic.of(cpu).sendIpi('self', 'fixed', 2)).toThrow('vector: 2 is not an interrupt vector; use 16 .. 255');
  });
});

describe('inter-processor interrupts', () => {
  const delivery = Math.round(XEON.costs.ipiDelivery.central * 2.3);

  it('reach one processor, itself, all others, or all', () => {
    const machine = platform();
    const cpus = machine.cpus.slice(0, 128) as Cpu[];
    const taken: string[] = [];
    for (const cpu of cpus) {
      cpu.trap = handles({ interrupt: (on, vector) => taken.push(`${vector.toString(16)}@${on.id}`), nmi: () => {} });
      cpu.context = { resume: (on) => on.halt() };
    }
    const [a, b] = cpus as [Cpu, Cpu];
    const send = (to: Cpu | 'self' | 'others' | 'all', vector: number): string[] => {
      taken.length = 0;
      LocalApic.of(a).sendIpi(to, 'fixed', vector);
      machine.run();
      return [...taken];
    };
    expect(send(b, Vector.reschedule)).toEqual(['fd@1']);
    expect(send('self', 0x50)).toEqual(['50@0']);
    expect(send('others', Vector.callFunction)).toHaveLength(127);
    expect(send('all', Vector.callFunction)).toHaveLength(128);
  });

  it('cost the sender one register write, and the delivery time on the way', () => {
    const { machine, a, start, taken } = setup(0);
    LocalApic.of(a).sendIpi(machine.cpus[1] as Cpu, 'fixed', Vector.reschedule);
    const sent = a.clock - start;
    expect(sent).toBe(Math.round((150 * 2.3) / 3));
    machine.run();
    expect(taken).toEqual([[Vector.reschedule, sent + delivery]]);
  });

  it('come as NMIs although interrupts are off', () => {
    const { machine, a, b, taken } = setup();
    b.interruptsEnabled = false;
    LocalApic.of(a).sendIpi(b, 'nmi');
    LocalApic.of(a).sendIpi(b, 'fixed', Vector.reschedule);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([Vector.nmi]);
  });
});

describe('NMIs', () => {
  /** b takes `count` NMIs while it is in the handler of the first; the handler returns when it says so. */
  function storm(count: number): { blockedDuring: boolean; before: number; after: number } {
    const { machine, a, b } = setup(20_000);
    let handled = 0;
    b.trap = handles({ interrupt: () => {}, nmi: () => handled++ });
    LocalApic.of(a).sendIpi(b, 'nmi');
    for (let i = 1; i < count; i++) LocalApic.of(a).sendIpi(b, 'nmi');
    machine.run();
    const result = { blockedDuring: b.nmiBlocked, before: handled, after: 0 };
    b.unblockNmi();
    busyUntil(b, b.clock + 1000);
    machine.run();
    result.after = handled;
    return result;
  }

  it('are blocked from delivery until IRET, with one pending', () => {
    expect(storm(1)).toEqual({ blockedDuring: true, before: 1, after: 1 });
    expect(storm(2)).toEqual({ blockedDuring: true, before: 1, after: 2 });
  });

  it('that come while one is pending merge with it', () => {
    expect(storm(5)).toEqual({ blockedDuring: true, before: 1, after: 2 });
  });

  it('nest when an exception inside the handler returns with IRET, as on the real processor', () => {
    const { machine, a, b } = setup(20_000);
    const depth: number[] = [];
    b.trap = handles({
      interrupt: () => {},
      nmi(cpu) {
        depth.push(cpu.clock);
        // A page fault in the handler, resolved: its IRET lets NMIs through although this handler has not ended.
        if (depth.length === 1) cpu.unblockNmi();
      },
    });
    LocalApic.of(a).sendIpi(b, 'nmi');
    LocalApic.of(a).sendIpi(b, 'nmi');
    machine.run();
    expect(depth).toHaveLength(2);
  });
});

describe('priorities', () => {
  it('hold back vectors of the task priority class and below; they come when it is lowered', () => {
    const { machine, b, start, taken } = setup(0);
    LocalApic.of(b).writeTaskPriority(0x45);
    expect(LocalApic.of(b).processorPriority).toBe(0x45);
    for (const vector of [0x31, 0x4f, 0x50, 0x4a]) b.raise(vector, start);
    b.raise(Vector.nmi, start);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([Vector.nmi, 0x50]);
    // A processor in HLT is not woken by what is held back.
    expect(b.halted).toBe(true);
    LocalApic.of(b).writeTaskPriority(0x30);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([Vector.nmi, 0x50, 0x4f, 0x4a]);
    LocalApic.of(b).writeTaskPriority(0);
    machine.run();
    expect(taken.at(-1)?.[0]).toBe(0x31);
    expect(b.pending).toBe(0);
  });

  it('hold back what is not above the vector in service until EOI, if handlers write it', () => {
    const { machine, b, start, taken } = setup(0);
    LocalApic.of(b).needsEoi = true;
    for (const vector of [0x51, 0x58, 0x41]) b.raise(vector, start);
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([0x58]);
    expect([LocalApic.of(b).inService, LocalApic.of(b).processorPriority]).toEqual([[0x58], 0x50]);
    b.raise(0x61, b.clock);
    machine.run();
    // A higher class comes in between, and is ended first.
    expect(LocalApic.of(b).inService).toEqual([0x58, 0x61]);
    LocalApic.of(b).eoi();
    machine.run();
    expect(taken.map(([vector]) => vector)).toEqual([0x58, 0x61]);
    for (const next of [0x51, 0x41]) {
      LocalApic.of(b).eoi();
      machine.run();
      expect(taken.at(-1)?.[0]).toBe(next);
    }
    LocalApic.of(b).eoi();
    LocalApic.of(b).eoi();
    expect(LocalApic.of(b).inService).toEqual([]);
  });

  it('are the higher of task priority and what is in service, and fit their register', () => {
    const { machine, b, start } = setup(0);
    LocalApic.of(b).needsEoi = true;
    b.raise(0x62, start);
    machine.run();
    LocalApic.of(b).writeTaskPriority(0x57);
    expect(LocalApic.of(b).processorPriority).toBe(0x60);
    LocalApic.of(b).writeTaskPriority(0x73);
    expect(LocalApic.of(b).processorPriority).toBe(0x73);
    expect(() => LocalApic.of(b).writeTaskPriority(256)).toThrow('value: 256 does not fit the task priority register; use 0 .. 255');
  });
});
