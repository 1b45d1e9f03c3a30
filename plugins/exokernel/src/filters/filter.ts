import type { CostModel } from '@rpal/hw-x86';
import { ExokernelError } from '../errors.js';

/** Where a value lies: `size` bytes, most significant first, `offset` bytes behind the base, which is the packet's beginning until it is shifted. */
export interface Field {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly mask: number;
}

/** A part of a filter: what a field has to be, or that the base moves on by a field times `scale`, as behind a header whose length the packet says. */
export type Atom =
  | ({ readonly kind: 'equal'; readonly value: number } & Field)
  | ({ readonly kind: 'shift'; readonly scale: number } & Field);

/** Which packets a program wants: those for which all atoms hold, in their order. A field that is not in the packet holds for nothing. */
export type Filter = readonly Atom[];

/** What a run of filters says of a packet. @public for experiments of your own */
export interface Verdict {
  /** The first filter that accepts it, by its number; -1: none. */
  readonly filter: number;
  /** Instructions executed. */
  readonly instructions: number;
}

/** TSC cycles of instructions that filters execute in the kernel. */
export function kernelCycles({ profile, level, tscPerCore }: CostModel, instructions: number): number {
  return instructions * profile.cpi.kernel[level] * tscPerCore;
}

/** Refuses a filter that makes no sense. @throws ExokernelError USAGE */
export function requireFilter(filter: Filter): void {
  for (const [i, atom] of filter.entries()) {
    const { offset, size, mask } = atom;
    const most = 2 ** (8 * size) - 1;
    const fits = (number: number) => Number.isInteger(number) && number >= 0 && number <= most;
    const wrong = !(Number.isInteger(offset) && offset >= 0 && offset < 65_536)
      ? `offset ${offset} is not 0 .. 65535`
      : ![1, 2, 4].includes(size)
        ? `size ${size} is not 1, 2 or 4`
        : !fits(mask)
          ? `mask ${mask} does not fit ${size} bytes`
          : atom.kind === 'equal' && !(fits(atom.value) && (atom.value & ~mask) === 0)
            ? `value ${atom.value} has bits that the mask ${mask} has not`
            : atom.kind === 'shift' && !(Number.isInteger(atom.scale) && atom.scale > 0 && atom.scale <= 256)
              ? `scale ${atom.scale} is not 1 .. 256`
              : null;
    if (wrong !== null) throw new ExokernelError('USAGE', `filter: atom ${i}: ${wrong}`);
  }
}

/** A field of a packet, without its mask; -1 if it is not there. */
export function fieldOf(packet: Uint8Array, at: number, size: 1 | 2 | 4): number {
  if (at + size > packet.length) return -1;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (packet[at + i] as number);
  return value;
}

/** The bits of a field that a mask lets through. */
export function masked(value: number, mask: number): number {
  return (value & mask) >>> 0;
}

/** Whether two atoms look at the same: they can be one test. */
export function sameTest(a: Atom, b: Atom): boolean {
  return (
    a.kind === b.kind &&
    a.offset === b.offset &&
    a.size === b.size &&
    a.mask === b.mask &&
    (a.kind === 'equal' || a.scale === (b as typeof a).scale)
  );
}
