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

  it('has runs up to a section, 16 MiB, and up to its last frame', () => {
    const frames = (16 * MIB) / PAGE_SIZE;
    expect(new PhysicalMemory([64 * MIB]).allocateRun(frames + 1)).toBe(-1);
    const memory = new PhysicalMemory([16 * MIB]);
    const [first] = [memory.allocate()];
    expect(memory.allocateRun(frames - first - 1)).toBe(first + 1);
    expect(memory.allocate()).toBe(-1);
  });

  it('never hands out the first MiB, so no frame is at address 0', () => {
    expect(new PhysicalMemory([16 * MIB]).allocate()).toBeGreaterThanOrEqual(256);
  });

  it('costs the host little although a terabyte is installed', () => {
    const memory = new PhysicalMemory([512 * GIB, 512 * GIB]);
    memory.allocate();
    expect(memory.hostBytes).toBeLessThanOrEqual(64 * MIB);
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

  it('copies ranges that overlap as if by way of a third', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    // Half of them aligned to words, which are copied otherwise.
    const offset = fc.tuple(fc.nat(40), fc.constantFrom(1, 4)).map(([count, unit]) => count * unit);
    fc.assert(
      fc.property(offset, offset, offset, (from, to, length) => {
        const bytes = Uint8Array.from({ length: 400 }, (_, at) => 7 * at);
        memory.store(0, bytes);
        memory.copy(to, from, length);
        const copied = new Uint8Array(400);
        memory.load(0, copied);
        expect(copied).toEqual(bytes.copyWithin(to, from, from + length));
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

  it('reads and writes values of every size at every address as an array of bytes would', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    const bytes = new DataView(new ArrayBuffer(64));
    const at = (offset: number): number => 4096 + offset;
    const access = fc.record({
      size: fc.constantFrom(1, 2, 4, 8),
      offset: fc.nat(56),
      value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    });
    fc.assert(
      fc.property(fc.array(access, { minLength: 1, maxLength: 40 }), (accesses) => {
        for (const { size, offset, value } of accesses) {
          if (size === 1) {
            memory.write8(at(offset), value);
            bytes.setUint8(offset, value);
          } else if (size === 2) {
            memory.write16(at(offset), value);
            bytes.setUint16(offset, value, true);
          } else if (size === 4) {
            memory.write32(at(offset), value);
            bytes.setInt32(offset, value, true);
          } else {
            const wide = value * 0x10_0001;
            memory.write64(at(offset), wide);
            bytes.setBigInt64(offset, BigInt(wide), true);
          }
        }
        for (let i = 0; i < 56; i++) {
          expect(memory.read8(at(i))).toBe(bytes.getUint8(i));
          expect(memory.read16(at(i))).toBe(bytes.getUint16(i, true));
          expect(memory.read32(at(i))).toBe(bytes.getInt32(i, true));
          expect(memory.read64(at(i))).toBe(Number(bytes.getBigInt64(i, true)));
        }
      }),
    );
  });

  it('refuses an unaligned access beyond its end, where there are no bytes', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    expect(() => memory.read32(memory.hostBytes - 2)).toThrow('physical memory where there is none');
    expect(() => memory.write32(-3, 1)).toThrow('physical memory where there is none');
  });

  it('stores and loads bytes of the host', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    memory.store(4097, Uint8Array.of(9, 1, 2, 3, 9), 1, 3);
    expect([0, 1, 2, 3, 4].map((i) => memory.read8(4096 + i))).toEqual([0, 1, 2, 3, 0]);
    const into = new Uint8Array(5);
    memory.load(4097, into, 2);
    expect([...into]).toEqual([0, 0, 1, 2, 3]);
    expect(() => memory.load(4096, into, 3, 3)).toThrow('3 bytes from 3 on are not in an array of 5');
  });
});

describe('an observer of physical memory', () => {
  it('is told of every access before it is made, until it ends that', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    const seen: string[] = [];
    const end = memory.observe({
      read: (address, length) => seen.push(`read ${address - 4096}+${length}`),
      write: (address, length) => seen.push(`write ${address - 4096}+${length}`),
    });
    const touched = (step: () => void): string => {
      seen.length = 0;
      step();
      return seen.join('; ');
    };
    const bytes = new Uint8Array(3);
    expect(touched(() => memory.read8(4096))).toBe('read 0+1');
    expect(touched(() => memory.write8(4097, 1))).toBe('write 1+1');
    expect(touched(() => memory.read16(4098))).toBe('read 2+2');
    expect(touched(() => memory.write16(4096, 1))).toBe('write 0+2');
    expect(touched(() => memory.read32(4096))).toBe('read 0+4');
    expect(touched(() => memory.write32(4100, 1))).toBe('write 4+4');
    expect(touched(() => memory.read64(4096))).toBe('read 0+4; read 4+4');
    expect(touched(() => memory.write64(4096, 1))).toBe('write 0+4; write 4+4');
    expect(touched(() => memory.copy(4096, 4200, 8))).toBe('read 104+8; write 0+8');
    expect(touched(() => memory.equal(4096, 4200, 8))).toBe('read 0+8; read 104+8');
    expect(touched(() => memory.fill(4096, 16))).toBe('write 0+16');
    expect(touched(() => memory.store(4096, bytes))).toBe('write 0+3');
    expect(touched(() => memory.load(4096, bytes))).toBe('read 0+3');
    end();
    expect(touched(() => memory.write32(4096, 1))).toBe('');
  });

  it('changes nothing of what is read and written, and may be one of several', () => {
    const memory = new PhysicalMemory([16 * MIB]);
    let first = 0;
    let second = 0;
    const count = (add: () => void) => ({ read: add, write: add });
    const endFirst = memory.observe(count(() => first++));
    memory.observe(count(() => second++));
    memory.write32(4096, -5);
    endFirst();
    endFirst();
    expect(memory.read32(4096)).toBe(-5);
    memory.write64(4104, 2 ** 40 + 1);
    memory.copy(4112, 4104, 8);
    expect([memory.read64(4112), memory.equal(4112, 4104, 8)]).toEqual([2 ** 40 + 1, true]);
    expect([first, second]).toEqual([1, 10]);
  });
});
