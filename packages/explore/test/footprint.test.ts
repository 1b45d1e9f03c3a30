import { entryFrame, LARGE_PAGE_SIZE, profiles, walk } from '@rpal/hw-x86';
import { type Call, createMachine, executable, type Program } from '@rpal/kernel';
import { MapFlag, Prot } from '@rpal/uapi';
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
    ['bytes of the host that are stored are written', () => memory.store(at + 6, new Uint8Array(3)), [], [4, 8]],
    ['bytes that are loaded are read', () => memory.load(at + 6, new Uint8Array(3)), [4, 8], []],
    ['a misaligned word is in two', () => memory.write32(at + 6, 1), [], [4, 8]],
  ])('%s', (_what, step, reads, writes) => expect(touched(step)).toEqual({ reads, writes }));
});

describe('what a program touches', () => {
  /** The words of the program's page that `step` has read and written, as offsets in the page. */
  function touched(step: (p: Program, at: number) => Call): { reads: number[]; writes: number[] } {
    const machine = createMachine({ profile: profiles[0] as (typeof profiles)[number] });
    const footprint = recordFootprints(machine);
    const { memory } = machine.platform;
    const seen = { reads: [-1], writes: [-1] };
    machine.spawn(
      executable('program', function* (p) {
        const page = yield* p.allocate(4096);
        // All of it is there, and holds a stamp, before anything is recorded.
        yield* p.sprintfStamp(page + 64, 7);
        footprint.clear();
        yield* step(p, page + 64);
        const { root } = p.context.cpu.mmu;
        const { low, high } = walk(memory, root, page);
        const frame = entryFrame(low, high) * 4096;
        const inPage = (words: ReadonlySet<number>) =>
          [...words]
            .filter((word) => word >= frame && word < frame + 4096)
            .map((word) => word - frame)
            .sort((a, b) => a - b);
        seen.reads = inPage(footprint.reads);
        seen.writes = inPage(footprint.writes);
      }),
      0,
    );
    machine.run();
    return seen;
  }
  const STAMP = [64, 68, 72, 76, 80];

  it.each<[string, (p: Program, at: number) => Call, number[], number[]]>([
    ['storeBytes', (p, at) => p.storeBytes(at, new Uint8Array(6)), [], [64, 68]],
    ['loadBytes', (p, at) => p.loadBytes(at, new Uint8Array(6)), [64, 68], []],
    ['sprintfStamp', (p, at) => p.sprintfStamp(at, 1), [], STAMP],
    ['sscanfStamp', (p, at) => p.sscanfStamp(at), STAMP, []],
  ])('%s', (_what, step, reads, writes) => expect(touched(step)).toEqual({ reads, writes }));

  it('page tables that are kept folded, when they are written out', () => {
    const machine = createMachine({ profile: profiles[0] as (typeof profiles)[number] });
    const { memory } = machine.platform;
    const footprint = recordFootprints(machine);
    let written = 0;
    machine.spawn(
      executable('program', function* (p) {
        const fd = yield* p.memfd('shared');
        yield* p.ftruncate(fd, 4 * LARGE_PAGE_SIZE);
        const mapped = yield* p.mmap(0, 4 * LARGE_PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.POPULATE, fd);
        const at = Math.ceil(mapped / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE;
        footprint.clear();
        yield* p.load8(at);
        const { root } = p.context.cpu.mmu;
        const { entry } = walk(memory, root, at);
        const table = entry - (entry % 4096);
        for (let word = table; word < table + 4096; word += 4) if (footprint.writes.has(word)) written++;
      }),
      0,
    );
    machine.run();
    expect(written).toBe(1024);
  });
});
