import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GIB, MIB, PAGE_SIZE, PhysicalMemory } from '../src/index.js';

describe('PhysicalMemory', () => {
  it('hands every frame out once, whatever is taken and returned', () => {
    const step = fc.oneof(fc.record({ take: fc.constant(true), run: fc.integer({ min: 1, max: 64 }) }), fc.record({ give: fc.nat() }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const memory = new PhysicalMemory([16 * MIB, 16 * MIB]);
        const taken: number[] = [];
        for (const one of steps) {
          if ('give' in one) {
            if (taken.length > 0) memory.free(taken.splice(one.give % taken.length, 1)[0] as number);
            continue;
          }
          const frame = one.run === 1 ? memory.allocate() : memory.allocateRun(one.run, 8);
          if (frame < 0) continue;
          if (one.run > 1) expect(frame % 8).toBe(0);
          for (let i = 0; i < one.run; i++) taken.push(frame + i);
        }
        expect(new Set(taken).size).toBe(taken.length);
        expect(memory.framesInUse).toBe(taken.length);
      }),
      { numRuns: 60 },
    );
  });

  it('takes frames from the node asked for while it has any, then from the others, then says -1', () => {
    const memory = new PhysicalMemory([16 * MIB, 16 * MIB]);
    const frames = Array.from({ length: 2 * 4096 - 256 }, () => memory.allocate(1));
    expect(new Set(frames).size).toBe(frames.length);
    expect(frames).not.toContain(-1);
    expect(memory.allocate(1)).toBe(-1);
    expect(memory.allocateRun(2)).toBe(-1);
    memory.free(frames[17] as number);
    expect(memory.allocate()).toBe(frames[17]);
  });

  it('never hands out the first MiB, so no frame is at address 0', () => {
    expect(new PhysicalMemory([16 * MIB]).allocate()).toBeGreaterThanOrEqual(256);
  });

  it('costs the host little although a terabyte is installed', () => {
    const memory = new PhysicalMemory([512 * GIB, 512 * GIB]);
    memory.allocate();
    expect(memory.u8.length).toBeLessThanOrEqual(64 * MIB);
  });

  it('keeps 64-bit values exactly up to 2^53, with their sign, little-endian', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        memory.write64(4096, value);
        expect(memory.read64(4096)).toBe(value);
      }),
    );
    memory.write64(4096, 0x1_0203_0405_0607);
    expect([0, 1, 6, 7].map((at) => memory.read8(4096 + at))).toEqual([7, 6, 1, 0]);
  });

  it('copies and compares any ranges', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    const range = fc.record({ from: fc.nat(200), to: fc.integer({ min: 1000, max: 1200 }), length: fc.nat(300), seed: fc.nat(255) });
    fc.assert(
      fc.property(range, ({ from, to, length, seed }) => {
        for (let i = 0; i < length; i++) memory.write8(from + i, (i * 7 + seed) & 255);
        const outside = memory.read8(to + length);
        memory.copy(to, from, length);
        expect(memory.equal(to, from, length)).toBe(true);
        expect(memory.read8(to + length)).toBe(outside);
        if (length > 0) {
          memory.write8(to + (seed % length), memory.read8(to + (seed % length)) ^ 1);
          expect(memory.equal(to, from, length)).toBe(false);
        }
      }),
    );
  });

  it('keeps the frames of a returned large page together, and takes them apart when nothing else is left', () => {
    const memory = new PhysicalMemory([16 * MIB, 16 * MIB]);
    const first = memory.allocateLarge(1);
    expect([first % 512, memory.nodeOf(first), memory.framesInUse]).toEqual([0, 1, 512]);
    memory.freeLarge(first);
    expect(memory.framesInUse).toBe(0);
    expect(memory.allocateLarge(1)).toBe(first);
    memory.freeLarge(first);
    // 32 MiB less the first, which is the firmware's if it is at address 0.
    const frames = new Set<number>();
    for (let frame = memory.allocate(1); frame >= 0; frame = memory.allocate(1)) frames.add(frame);
    expect(frames.size).toBe(memory.framesInUse);
    expect(frames.has(first + 511)).toBe(true);
    expect(frames.size).toBeGreaterThanOrEqual(2 * 4096 - 256);
    expect(memory.allocateLarge()).toBe(-1);
    expect(() => memory.freeLarge(first + 1)).toThrow(`frame ${first + 1} is not the first of a large page`);
  });

  it('refuses nodes that are no multiple of a section, and frames that it does not have', () => {
    expect(() => new PhysicalMemory([PAGE_SIZE])).toThrow('nodeBytes: 4096 is not a positive multiple of 16 MiB');
    expect(() => new PhysicalMemory([16 * MIB]).free(1e6)).toThrow('frame 1000000 is not in any memory node');
  });
});
