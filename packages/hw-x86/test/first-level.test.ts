import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cpu, type CpuProfile, HwStep, PAGE_SIZE, Touch } from '../src/index.js';
import { platform, XEON } from './support.js';

const FRAME = 300;
const LINES = PAGE_SIZE / 64;
/** Frames that the first-level cache holds. */
const ROOM = XEON.cache.l1d.bytes / PAGE_SIZE;

/** Core cycles that runs over `frames` take longer because lines come from the second level. */
function fromL2(cpu: Cpu, frames: readonly number[], write: boolean, [offset, length]: readonly [number, number] = [0, PAGE_SIZE]): number {
  cpu.ownLedger.clear();
  for (const frame of frames) cpu.coherence.touchRange(cpu, (FRAME + frame) * PAGE_SIZE + offset, length, write);
  return (cpu.ownLedger.computed[HwStep.runFromL2] as number) / cpu.costs.tscPerCore;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, frame) => frame);
const first = (profile?: CpuProfile): Cpu => platform(profile === undefined ? {} : { profile }).cpus[0] as Cpu;

describe('FirstLevelData', () => {
  const { copy, zero } = XEON.bytesPerCycle;
  const far = XEON.bytesPerCycle.fromL2 as { copy: typeof copy; zero: typeof zero };

  it('charges nothing as long as all data fit', () => {
    const cpu = first();
    for (let turn = 0; turn < 3; turn++) expect(fromL2(cpu, upTo(ROOM), Touch.STORE)).toBe(0);
  });

  it('makes a clear of more than fits as fast as the profile says of data in the second level', () => {
    const cpu = first();
    const frames = upTo(ROOM + 1);
    expect(fromL2(cpu, frames, Touch.STORE)).toBe(0);
    const bytes = frames.length * PAGE_SIZE;
    const cycles = bytes / zero.central + fromL2(cpu, frames, Touch.STORE);
    expect(bytes / cycles).toBeCloseTo(far.zero.central, 0);
  });

  it('makes a copy likewise: one line read, one written', () => {
    const cpu = first();
    const [from, to] = [upTo(ROOM), upTo(ROOM).map((frame) => ROOM + frame)];
    const turn = (): number =>
      from.reduce((sum, frame, i) => sum + fromL2(cpu, [frame], Touch.LOAD) + fromL2(cpu, [to[i] as number], Touch.STORE), 0);
    turn();
    const bytes = from.length * PAGE_SIZE;
    expect(bytes / (bytes / copy.central + turn())).toBeCloseTo(far.copy.central, 0);
  });

  it('fetches those lines of a frame that were pushed out and are used again, each once', () => {
    const cpu = first();
    fromL2(cpu, upTo(ROOM + 1), Touch.STORE);
    const line = fromL2(cpu, [0], Touch.STORE, [0, 128]) / 2;
    expect(line).toBeGreaterThan(1);
    expect(fromL2(cpu, [0], Touch.STORE, [0, 128])).toBe(0);
    // One byte of each neighbour.
    expect(fromL2(cpu, [0], Touch.STORE, [64, 66]) / line).toBeCloseTo(1, 0);
    expect(fromL2(cpu, [0], Touch.STORE)).toBeCloseTo((LINES - 3) * line, -1);
  });

  it('leaves lines that another core has had to the coherence directory', () => {
    const [a, b] = platform().cpus as [Cpu, Cpu];
    fromL2(a, upTo(ROOM + 1), Touch.STORE);
    expect(fromL2(b, [0], Touch.STORE)).toBe(0);
    expect(b.linesMoved).toBe(LINES);
    expect(fromL2(a, [0], Touch.STORE)).toBe(0);
    // What b has not touched is where it was.
    expect(fromL2(a, [1], Touch.STORE)).toBeGreaterThan(0);
  });

  it('counts a cleared page as a run over it', () => {
    const cpu = first();
    fromL2(cpu, [0], Touch.LOAD);
    for (let i = 1; i <= ROOM; i++) cpu.coherence.claim(cpu, FRAME + i);
    expect(fromL2(cpu, [0], Touch.LOAD)).toBeGreaterThan(0);
  });

  it('charges nothing on a profile that does not say what comes from the second level', () => {
    const { fromL2: _, ...bytesPerCycle } = XEON.bytesPerCycle;
    const cpu = first({ ...XEON, bytesPerCycle });
    for (let turn = 0; turn < 2; turn++) expect(fromL2(cpu, upTo(4 * ROOM), Touch.STORE)).toBe(0);
  });

  it('never charges more than every line of every run, and nothing twice in a row', () => {
    const cpu = first();
    fromL2(cpu, upTo(2 * ROOM), Touch.STORE);
    const dearest = fromL2(cpu, [0], Touch.STORE) / LINES;
    fc.assert(
      fc.property(fc.nat(2 * ROOM - 1), fc.nat(PAGE_SIZE - 1), fc.integer({ min: 1, max: PAGE_SIZE }), (frame, offset, wanted) => {
        const length = Math.min(wanted, PAGE_SIZE - offset);
        const lines = ((offset + length - 1) >> 6) - (offset >> 6) + 1;
        expect(fromL2(cpu, [frame], Touch.STORE, [offset, length])).toBeLessThanOrEqual(lines * dearest + 2);
        expect(fromL2(cpu, [frame], Touch.STORE, [offset, length])).toBe(0);
      }),
    );
  });
});
