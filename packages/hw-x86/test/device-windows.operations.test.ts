import { expect, it } from 'vitest';
import { countOperations } from '../../../scripts/testing/operations.ts';

const TIMES = 1000;

// What tells a device from memory is in the mask that tells misaligned and observed accesses, which memory needs anyway.
it('an access to memory is the body of one function and no branch, however many windows are open', async () => {
  const [without, beside] = await countOperations(async (counter) => {
    const { DEVICE_BASE, MIB, PAGE_SIZE, PhysicalMemory } = await import('../src/index.js');
    const bare = new PhysicalMemory([16 * MIB]);
    const windowed = new PhysicalMemory([16 * MIB]);
    for (let i = 0; i < 8; i++) windowed.devices.open(DEVICE_BASE + i * PAGE_SIZE, PAGE_SIZE, { read: () => 0, write: () => {} });
    const operations = (memory: InstanceType<typeof PhysicalMemory>): readonly number[] => {
      const accesses = [
        () => memory.read8(4097),
        () => memory.read16(4100),
        () => memory.read32(4100),
        () => memory.read64(4104),
        () => memory.write8(4097, 1),
        () => memory.write16(4100, 1),
        () => memory.write32(4100, 1),
        () => memory.write64(4104, 1),
      ];
      return accesses.map((access) => {
        // Pages for the address, before.
        access();
        counter.start();
        for (let i = 0; i < TIMES; i++) access();
        return counter.stop() / TIMES;
      });
    };
    return [operations(bare), operations(windowed)];
  });
  expect(beside).toEqual(without);
  expect(without).toEqual(Array(8).fill(1));
});
