import { defaultProfile } from '@rpal/hw-x86';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompiledFilters, Exokernel, type Filter, InterpretedFilters } from '../src/index.js';

/** What a filter means, written down once more and without any merging. */
function accepts(filter: Filter, packet: Uint8Array): boolean {
  let base = 0;
  for (const atom of filter) {
    if (base + atom.offset + atom.size > packet.length) return false;
    const bytes = packet.subarray(base + atom.offset, base + atom.offset + atom.size);
    const value = Number(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) & BigInt(atom.mask));
    if (atom.kind === 'shift') base += value * atom.scale;
    else if (value !== atom.value) return false;
  }
  return true;
}

/** Few values and offsets: filters begin alike, and packets match. */
const field = fc.record({
  offset: fc.integer({ min: 0, max: 5 }),
  size: fc.constantFrom<1 | 2 | 4>(1, 2, 4),
  few: fc.integer({ min: 0, max: 3 }),
});
const atom = fc.oneof(
  {
    weight: 4,
    arbitrary: field.map(
      ({ offset, size, few }) => ({ kind: 'equal', offset, size, mask: few === 3 ? 3 : 2 ** (8 * size) - 1, value: few }) as const,
    ),
  },
  { weight: 1, arbitrary: field.map(({ offset, few }) => ({ kind: 'shift', offset, size: 1, mask: 3, scale: few + 1 }) as const) },
);
const filter = fc.array(atom, { maxLength: 5 });
const packet = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3), { maxLength: 24 }).map((bytes) => Uint8Array.from(bytes));

describe('packets', () => {
  const from = (byte: number): Filter => [{ kind: 'equal', offset: 0, size: 1, mask: 255, value: byte }];

  it('come to whose filter accepts them first, and to nobody once that one has ended', () => {
    const os = new Exokernel({ profile: defaultProfile });
    const got: string[] = [];
    const answers: boolean[] = [];
    const receiver = (name: string, filter: Filter, packets: number) =>
      os.environment(name, function* (e) {
        let left = packets;
        e.entries.packet = function* (bytes) {
          yield;
          got.push(`${name}: ${bytes.join(' ')}`);
          left--;
        };
        yield* e.claim(filter);
        yield* e.wait(() => left === 0);
      });
    const one = receiver('one', from(1), 2);
    const all = receiver('all', [], 2);
    const device = os.environment('device', function* (e) {
      yield* e.yield();
      for (const byte of [1, 2, 1, 1, 3]) {
        answers.push(os.receive(Uint8Array.of(byte, 9)));
        yield* e.yield();
      }
    });
    expect(os.run()).toEqual([]);
    expect([one, all, device].map(({ faulted }) => faulted)).toEqual([false, false, false]);
    expect(got).toEqual(['one: 1 9', 'all: 2 9', 'one: 1 9', 'all: 1 9']);
    expect(answers).toEqual([true, true, true, true, false]);
    expect(os.claims.size).toBe(0);
  });
});

describe('packet filters', () => {
  it('mean the same whether they are compiled from a trie, interpreted one by one, or interpreted together', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 8 }), fc.array(packet, { minLength: 1, maxLength: 8 }), (filters, packets) => {
        const engines = [
          new CompiledFilters(filters),
          new InterpretedFilters(filters, 'each'),
          new InterpretedFilters(filters, 'collapsed'),
        ];
        for (const bytes of packets) {
          const meant = filters.findIndex((candidate) => accepts(candidate, bytes));
          if (meant >= 0) accepted++;
          expect(engines.map((engine) => engine.run(bytes).filter)).toEqual([meant, meant, meant]);
        }
      }),
      { seed: 1995, numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it('find the same among many values of one field, where code has a hash', () => {
    const filters: Filter[] = Array.from({ length: 50 }, (_, i) => [
      { kind: 'equal', offset: 0, size: 2, mask: 0xffff, value: 7 },
      { kind: 'equal', offset: 2, size: 4, mask: 0xffff_ffff, value: 0xc0a8_0000 + 3 * i },
    ]);
    const code = new CompiledFilters(filters);
    const packetTo = (value: number) => Uint8Array.of(0, 7, ...[24, 16, 8, 0].map((shift) => (value >>> shift) & 255));
    for (let i = 0; i < 50; i++) expect(code.run(packetTo(0xc0a8_0000 + 3 * i)).filter).toBe(i);
    expect(code.run(packetTo(0xc0a8_0001)).filter).toBe(-1);
    expect(code.run(Uint8Array.of(0, 7, 0xc0, 0xa8, 0)).filter).toBe(-1);
    // However many there are, a packet is looked at as often.
    expect(code.run(packetTo(0xc0a8_0000)).instructions).toBe(code.run(packetTo(0xc0a8_0000 + 3 * 49)).instructions);
  });

  it('do a test once that many filters begin with', () => {
    const common = { kind: 'equal', offset: 12, size: 2, mask: 0xffff, value: 0x800 } as const;
    const filters = Array.from({ length: 4 }, (_, i) => [common, { kind: 'equal', offset: 14, size: 1, mask: 0xff, value: i } as const]);
    const loads = new CompiledFilters(filters).code.filter(({ op }) => op === 'load');
    expect(loads).toHaveLength(2);
  });

  it.each([
    [{ offset: -1 }, 'offset -1 is not 0 .. 65535'],
    [{ size: 3 }, 'size 3 is not 1, 2 or 4'],
    [{ mask: 256 }, 'mask 256 does not fit 1 bytes'],
    [{ mask: 1, value: 2 }, 'value 2 has bits that the mask 1 has not'],
    [{ kind: 'shift', scale: 0 }, 'scale 0 is not 1 .. 256'],
  ])('refuse an atom with %o', (wrong, message) => {
    const bad = [{ kind: 'equal', offset: 0, size: 1, mask: 255, value: 0, ...wrong }] as unknown as Filter;
    expect(() => new CompiledFilters([bad])).toThrow(`filter: atom 0: ${message}`);
    expect(() => new InterpretedFilters([bad], 'each')).toThrow(message);
  });
});
