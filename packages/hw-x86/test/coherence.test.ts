import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cpu, HwStep, PAGE_SIZE, SpinLock, Touch } from '../src/index.js';
import { GENOA, platform, XEON } from './support.js';

const FRAME = 300;
const LINE = FRAME * PAGE_SIZE + 128;

/** Cycles that `work` takes on `cpu`, by step. */
function spent(cpu: Cpu, work: () => void): Record<string, number> {
  const before = cpu.clock;
  cpu.ownLedger.clear();
  work();
  expect(cpu.ownLedger.total).toBe(cpu.clock - before);
  return Object.fromEntries(cpu.ownLedger.entries.map(({ step, cycles }) => [step.name.replace('@rpal/hw-x86:', ''), cycles]));
}

describe('CoherenceDirectory', () => {
  const ns = (figure: { central: number }): number => Math.round(figure.central * 2.3);

  it('charges a transfer when a line comes from another core, by where that core is', () => {
    const { cpus } = platform();
    const [first, sibling, sameSocket, otherSocket] = [cpus[0], cpus[64], cpus[5], cpus[40]] as [Cpu, Cpu, Cpu, Cpu];
    const write = (cpu: Cpu): Record<string, number> => spent(cpu, () => cpu.coherence.touch(cpu, LINE, Touch.STORE));
    expect(write(first)).toEqual({});
    expect(write(sibling)).toEqual({});
    expect(write(sameSocket)).toEqual({ lineSameCache: ns(XEON.line.sameCache) });
    expect(write(otherSocket)).toEqual({ lineCrossSocket: ns(XEON.line.crossSocket) });
    expect(write(otherSocket)).toEqual({});
    expect([first, sameSocket, otherSocket].map(({ linesMoved }) => linesMoved)).toEqual([0, 1, 1]);
  });

  it('tells core complexes of one socket apart', () => {
    const { cpus } = platform({ profile: GENOA });
    const [first, sameComplex, otherComplex] = [cpus[0], cpus[7], cpus[8]] as [Cpu, Cpu, Cpu];
    const { coherence } = first;
    coherence.touch(first, LINE, Touch.STORE);
    expect(Object.keys(spent(sameComplex, () => coherence.touch(sameComplex, LINE, Touch.STORE)))).toEqual(['lineSameCache']);
    const { line, clock } = GENOA;
    expect(line.sameSocket.central).toBeGreaterThan(line.sameCache.central);
    expect(spent(otherComplex, () => coherence.touch(otherComplex, LINE, Touch.STORE))).toEqual({
      lineSameSocket: Math.round(line.sameSocket.central * clock.tscGHz),
    });
  });

  it('lets readers share a line, and makes a writer take it from them', () => {
    const [a, b, c] = platform().cpus as [Cpu, Cpu, Cpu];
    const { coherence } = a;
    const moved = (cpu: Cpu, write: boolean): number => {
      const before = cpu.linesMoved;
      coherence.touch(cpu, LINE, write);
      return cpu.linesMoved - before;
    };
    moved(a, true);
    expect([moved(b, false), moved(c, false)]).toEqual([1, 1]);
    expect([moved(a, false), moved(b, false), moved(c, false)]).toEqual([0, 0, 0]);
    expect(moved(b, true)).toBe(1);
    expect([moved(b, true), moved(b, false)]).toEqual([0, 0]);
    expect([moved(a, false), moved(c, false)]).toEqual([1, 1]);
  });

  it('tells the lines of a frame apart: neighbours in a page do not disturb each other', () => {
    const [a, b] = platform().cpus as [Cpu, Cpu];
    a.coherence.touch(a, LINE, Touch.STORE);
    b.coherence.touch(b, LINE + 64, Touch.STORE);
    a.linesMoved = b.linesMoved = 0;
    for (let i = 0; i < 5; i++) {
      a.coherence.touch(a, LINE, Touch.STORE);
      b.coherence.touch(b, LINE + 64 + i, Touch.STORE);
    }
    expect([a.linesMoved, b.linesMoved]).toEqual([0, 0]);
  });

  it('forgets all copies of a frame that a core has cleared', () => {
    const [a, b] = platform().cpus as [Cpu, Cpu];
    a.coherence.touch(a, LINE, Touch.STORE);
    b.coherence.touch(b, LINE, Touch.STORE);
    a.coherence.claim(a, FRAME);
    expect(a.coherence.frameOwner(LINE)).toBe(a.coreTag);
    const before = a.linesMoved;
    a.coherence.touch(a, LINE, Touch.STORE);
    expect(a.linesMoved).toBe(before);
  });

  it("is what a list of each line's holders would be, and says beforehand what will move nothing", () => {
    const cores = [0, 1, 31];
    const step = fc.record({
      core: fc.constantFrom(...cores),
      frame: fc.nat(3),
      line: fc.nat(2),
      what: fc.constantFrom('read', 'write', 'claim'),
    });
    const machine = platform();
    let unused = 300;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const first = unused;
        unused += 4;
        const holders = new Map<number, { exclusive: boolean; cores: Set<number> }>();
        const untouched = new Map<number, number>();
        for (const { core, frame, line, what } of steps) {
          const cpu = machine.cpus[core] as Cpu;
          const number = first + frame;
          const address = number * 4096 + line * 64;
          if (what === 'claim') {
            cpu.coherence.claim(cpu, number);
            untouched.set(number, core);
            for (const at of [...holders.keys()]) if (Math.floor(at / 4096) === number) holders.delete(at);
            continue;
          }
          // Whoever is first at a frame has all of it, until others come for single lines.
          const fresh = !untouched.has(number);
          if (fresh) untouched.set(number, core);
          const held = holders.get(address) ?? { exclusive: true, cores: new Set([untouched.get(number) as number]) };
          const write = what === 'write';
          const free = held.cores.has(core) && (held.exclusive || !write);
          const whole = untouched.get(number) === core && !holders.has(address);
          expect(cpu.coherence.holds(cpu, address, write)).toBe(free && !fresh);
          const before = cpu.linesMoved;
          cpu.coherence.touch(cpu, address, write);
          const others = [...held.cores].filter((other) => other !== core);
          expect(cpu.linesMoved - before).toBe(free || others.length === 0 ? 0 : 1);
          expect(cpu.coherence.holds(cpu, address, write)).toBe(true);
          if (whole) continue;
          if (write) holders.set(address, { exclusive: true, cores: new Set([core]) });
          else if (!held.cores.has(core)) holders.set(address, { exclusive: false, cores: new Set([...held.cores, core]) });
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('SpinLock', () => {
  it('makes a core that asks before the release, on its own clock, wait until then', () => {
    const [a, b] = platform().cpus as [Cpu, Cpu];
    const lock = new SpinLock(0, 'one');
    lock.acquire(a);
    a.chargeCycles(HwStep.idle, 500);
    lock.release(a);
    const released = a.clock;
    expect(spent(b, () => lock.acquire(b)).lockWait).toBe(500);
    expect(b.clock).toBe(released);
  });

  it('costs a core that comes later nothing but its lines', () => {
    const [a, b] = platform().cpus as [Cpu, Cpu];
    const lock = new SpinLock(3, 'one');
    lock.pass(a);
    b.chargeCycles(HwStep.idle, 10_000);
    const line = Math.round(XEON.line.sameCache.central * 2.3);
    expect(spent(b, () => lock.acquire(b))).toEqual({ lineSameCache: 3 * line });
    lock.release(b);
    expect(spent(b, () => lock.acquire(b))).toEqual({});
  });
});
