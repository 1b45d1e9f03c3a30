import { describe, expect, it } from 'vitest';
import {
  Access,
  BareMetal,
  DEVICE_BASE,
  dataCaches,
  MIB,
  type MmioDevice,
  mapPage,
  PAGE_SIZE,
  PhysicalMemory,
  Pointer,
  Pte,
} from '../src/index.js';
import { bareCpu, XEON } from './support.js';

/** A device that remembers what its registers were asked, and answers a load with its offset. */
class Toy implements MmioDevice {
  readonly accesses: string[] = [];

  read(offset: number, size: number): number {
    this.accesses.push(`read ${offset}/${size}`);
    return 0x8000_0000 + offset;
  }

  write(offset: number, size: number, value: number): void {
    this.accesses.push(`write ${offset}/${size} = ${value.toString(16)}`);
  }

  get taken(): string[] {
    return this.accesses.splice(0);
  }
}

function physical(): { memory: PhysicalMemory; toy: Toy } {
  const memory = new PhysicalMemory([16 * MIB]);
  const toy = new Toy();
  memory.devices.open(DEVICE_BASE + PAGE_SIZE, 2 * PAGE_SIZE, toy);
  return { memory, toy };
}

describe('a window of physical memory that leads to a device', () => {
  const AT = DEVICE_BASE + PAGE_SIZE;

  it('hands loads and stores on with offset and size, values unsigned', () => {
    const { memory, toy } = physical();
    expect([memory.read8(AT + 5), memory.read16(AT + 6), memory.read32(AT + 8) >>> 0]).toEqual([5, 6, 0x8000_0008]);
    memory.write8(AT + 1, -1);
    memory.write16(AT + 2, -1);
    memory.write32(AT + 4, -1);
    expect(toy.taken).toEqual(['read 5/1', 'read 6/2', 'read 8/4', 'write 1/1 = ff', 'write 2/2 = ffff', 'write 4/4 = ffffffff']);
  });

  it('sees wide accesses as two, and misaligned ones byte by byte', () => {
    const { memory, toy } = physical();
    expect(memory.read64(AT + 8)).toBe((0x8000_000c | 0) * 2 ** 32 + 0x8000_0008);
    memory.write64(AT + 8, 0x1_0000_0002);
    memory.write16(AT + 3, 0x1234);
    expect(toy.taken).toEqual(['read 8/4', 'read 12/4', 'write 8/4 = 2', 'write 12/4 = 1', 'write 3/1 = 34', 'write 4/1 = 12']);
  });

  it('takes copies, fills and comparisons byte by byte', () => {
    const { memory, toy } = physical();
    memory.write8(4096, 7);
    memory.copy(AT, 4096, 1);
    memory.copy(4097, AT + 3, 1);
    memory.fill(AT + 1, 2, 0x155);
    memory.store(AT + 8, Uint8Array.of(1));
    const into = new Uint8Array(1);
    memory.load(AT + 9, into);
    expect([memory.read8(4097), into[0], memory.equal(AT + 3, 4097, 1), memory.equal(AT + 4, 4097, 1)]).toEqual([3, 9, true, false]);
    expect(toy.taken).toEqual([
      'write 0/1 = 7',
      'read 3/1',
      'write 1/1 = 55',
      'write 2/1 = 55',
      'write 8/1 = 1',
      'read 9/1',
      'read 3/1',
      'read 4/1',
    ]);
  });

  it('is the only place where somebody answers: elsewhere all bits are set, and stores are lost', () => {
    const { memory, toy } = physical();
    memory.write32(DEVICE_BASE, 5);
    expect([memory.read8(DEVICE_BASE), memory.read16(AT + 2 * PAGE_SIZE), memory.read32(DEVICE_BASE)]).toEqual([0xff, 0xffff, -1]);
    expect(toy.taken).toEqual([]);
  });

  it.each([
    [DEVICE_BASE + 1, PAGE_SIZE, 'does not consist of whole pages'],
    [DEVICE_BASE, 100, 'does not consist of whole pages'],
    [DEVICE_BASE, 0, 'does not consist of whole pages'],
    [DEVICE_BASE - PAGE_SIZE, PAGE_SIZE, 'is not within 0x80000000 .. 0xffffffff, where devices are'],
    [0xffff_f000, 2 * PAGE_SIZE, 'is not within'],
    [DEVICE_BASE + 2 * PAGE_SIZE, 4 * PAGE_SIZE, 'overlaps the window 0x80001000 .. 0x80002fff'],
    [DEVICE_BASE, 2 * PAGE_SIZE, 'overlaps the window'],
  ])('cannot be opened at %s for %s bytes: it %s', (base, length, why) => {
    expect(() => physical().memory.devices.open(base, length, new Toy())).toThrow(why);
  });

  it('may begin where another ends', () => {
    const { memory } = physical();
    const next = new Toy();
    memory.devices.open(DEVICE_BASE + 3 * PAGE_SIZE, PAGE_SIZE, next);
    memory.read32(DEVICE_BASE + 3 * PAGE_SIZE);
    expect(next.taken).toEqual(['read 0/4']);
  });
});

describe('a device that is mapped by a page table', () => {
  const UNCACHED = Pte.writable | Pte.user | Pte.cacheDisable | Pte.writeThrough;
  const frame = DEVICE_BASE / PAGE_SIZE;

  it.each([false, true])('is reached through the MMU; no cache and no coherence has it (caches %s)', (caches) => {
    const metal = new BareMetal({ profile: XEON, caches: caches ? dataCaches : null });
    const toy = new Toy();
    metal.platform.memory.devices.open(DEVICE_BASE, PAGE_SIZE, toy);
    const root = metal.addressSpace();
    metal.map(root, 0x1000, { frame, flags: UNCACHED });
    const values: number[] = [];
    for (const core of [0, 1]) {
      metal.start(core, function* (on) {
        on.load(root);
        on.user = true;
        on.write32(0x1010, core);
        values.push(on.read32(0x1020) >>> 0);
        yield;
        on.write32(0x1010, 16 + core);
      });
    }
    metal.run();
    expect(toy.taken.sort()).toEqual(
      ['read 32/4', 'read 32/4', 'write 16/4 = 0', 'write 16/4 = 1', 'write 16/4 = 10', 'write 16/4 = 11'].sort(),
    );
    expect(values).toEqual([0x8000_0020, 0x8000_0020]);
    const { cpu } = metal.core(1);
    if (metal.caches === null) expect(cpu.linesMoved).toBe(0);
    else expect(metal.caches.state(cpu, DEVICE_BASE + 0x10)).toBe(0);
  });

  it('is asked again at every access, also through a pointer that is used over and over', () => {
    const { cpu, memory, root } = bareCpu();
    const toy = new Toy();
    memory.devices.open(DEVICE_BASE, PAGE_SIZE, toy);
    mapPage(memory, root, 0x1000, { frame, flags: UNCACHED });
    const pointer = new Pointer(0x1008);
    for (let i = 0; i < 3; i++) memory.read32(pointer.data(cpu, Access.user));
    expect(toy.taken).toEqual(['read 8/4', 'read 8/4', 'read 8/4']);
  });
});
