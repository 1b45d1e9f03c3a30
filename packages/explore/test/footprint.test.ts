import { profiles } from '@rpal/hw-x86';
import { createMachine } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { recordFootprints } from '../src/search/footprint.js';

describe('what a step touches', () => {
  const machine = createMachine({ profile: profiles[0] as (typeof profiles)[number] });
  const { memory } = machine.platform;
  const at = memory.allocate() * 4096;
  const footprint = recordFootprints(machine);
  const touched = (step: () => void) => {
    footprint.clear();
    step();
    const words = (of: ReadonlySet<number>) => [...of].map((word) => word - at).sort((a, b) => a - b);
    return { reads: words(footprint.reads), writes: words(footprint.writes) };
  };

  it.each<[string, () => void, number[], number[]]>([
    ['a byte is its word', () => memory.write8(at + 7, 1), [], [4]],
    ['so is one that is read', () => memory.read8(at + 9), [8], []],
    ['a 64-bit word is two', () => memory.write64(at + 8, 1), [], [8, 12]],
    ['a fill is all of it', () => memory.fill(at + 6, 8), [], [4, 8, 12]],
    ['a copy reads and writes, also between words', () => memory.copy(at + 18, at + 5, 4), [4, 8], [16, 20]],
    ['a comparison reads both', () => memory.equal(at, at + 100, 2), [0, 100], []],
  ])('%s', (_what, step, reads, writes) => expect(touched(step)).toEqual({ reads, writes }));
});
