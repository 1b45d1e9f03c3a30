import { describe, expect, it } from 'vitest';
import { FdNode, FdSlot } from '../src/index.js';
import { FDS_PER_NODE } from '../src/layouts.js';
import { FAULTED, NO_SLOT, slotAddress } from '../src/routine/fd-slots.js';
import { alone, world } from './pair.js';

describe('the slot of a descriptor', () => {
  it('is in the node that has it; a node that is not there has none, and neither has a negative descriptor', () => {
    let second = 0;
    let table = 0;
    const seen = alone(world(), function* (p, lib) {
      yield* lib.init(1);
      const { cpu } = p.context;
      table = lib.process.fdTable;
      // Touched, so that the look-up need not fault.
      expect(slotAddress(cpu, table, FDS_PER_NODE)).toBe(FAULTED);
      expect(yield* p.load64(table + FdNode.next)).toBe(0);
      const before = [-1, 0, FDS_PER_NODE - 1, FDS_PER_NODE, 2 * FDS_PER_NODE].map((fd) => slotAddress(cpu, table, fd));
      second = yield* p.allocate(FdNode.size);
      yield* p.store64(second + FdNode.next, 0);
      yield* p.store64(table + FdNode.next, second);
      return [before, [FDS_PER_NODE - 1, FDS_PER_NODE, FDS_PER_NODE + 7, 2 * FDS_PER_NODE].map((fd) => slotAddress(cpu, table, fd))];
    });
    const last = (node: number) => node + (FDS_PER_NODE - 1) * FdSlot.size;
    expect(seen).toEqual([
      [NO_SLOT, table, last(table), NO_SLOT, NO_SLOT],
      [last(table), second, second + 7 * FdSlot.size, NO_SLOT],
    ]);
  });
});
