import { type Field, type Filter, requireFilter } from './filter.js';
import { type Test, type TrieNode, trieOf } from './trie.js';

/** An index into code, known once it is emitted. @public for who reads code */
export interface Label {
  at: number;
}

/**
 * An operation of emitted code. `base` names a register: 0 is the packet's beginning, each shift has one of its own. `cost` is how many
 * instructions of a RISC it is. @public for who reads code
 */
export type Operation = { readonly cost: number } & (
  | { readonly op: 'check'; readonly base: number; readonly bytes: number; readonly fail: Label }
  | { readonly op: 'load'; readonly base: number; readonly field: Field }
  | { readonly op: 'equal'; readonly value: number; readonly fail: Label }
  | { readonly op: 'switch'; readonly targets: ReadonlyMap<number, Label>; readonly fail: Label }
  | { readonly op: 'shift'; readonly base: number; readonly to: number; readonly scale: number }
  | { readonly op: 'note'; readonly filter: number }
  | { readonly op: 'return'; readonly filter: number }
);

/** From how many values on they are found by a hash, and not one after the other. */
const HASHED = 4;

/** What emitting code for a node has to know. */
interface Place {
  readonly base: number;
  /** Bytes behind the base that are known to be there. */
  readonly bytes: number;
  /** Where to go on when nothing holds here. */
  readonly fail: Label;
  /** The lowest number of a filter that is looked for there. */
  readonly pending: number;
}

/** Compiles filters, merged into a trie: no operation is decoded when a packet comes, and constants are in the code. */
export class FilterCompiler {
  readonly code: Operation[] = [];
  #bases = 0;

  /** @throws ExokernelError USAGE for a filter that makes no sense */
  constructor(filters: readonly Filter[]) {
    for (const filter of filters) requireFilter(filter);
    const end: Label = { at: -1 };
    this.#node(trieOf(filters), { base: 0, bytes: 0, fail: end, pending: Number.POSITIVE_INFINITY });
    end.at = this.code.length;
    this.code.push({ op: 'return', filter: -1, cost: 2 });
  }

  #node({ filter, tests }: TrieNode, place: Place): void {
    const later = (i: number) => Math.min(place.pending, ...tests.slice(i).map(({ first }) => first));
    if (filter >= 0) {
      if (filter < later(0)) {
        this.code.push({ op: 'return', filter, cost: 2 });
        return;
      }
      this.code.push({ op: 'note', filter, cost: 3 });
    }
    // A place to which nothing leads but what comes before it goes on at the alternatives above it.
    if (tests.length === 0) this.#jump(place.fail);
    for (const [i, test] of tests.entries()) {
      const last = i === tests.length - 1;
      const fail = last ? place.fail : { at: -1 };
      this.#test(test, { ...place, fail, pending: later(i + 1) });
      if (!last) fail.at = this.code.length;
    }
  }

  #test({ atom, next }: Test, place: Place): void {
    const { offset, size } = atom;
    const { base, fail } = place;
    const needed = offset + size;
    const bytes = Math.max(place.bytes, needed, ...(next.size === 1 ? [farthest([...next.values()][0] as TrieNode)] : []));
    if (needed > place.bytes) this.code.push({ op: 'check', base, bytes, fail, cost: base === 0 ? 2 : 3 });
    const there = needed > place.bytes ? bytes : place.bytes;
    this.code.push({ op: 'load', base, field: atom, cost: loadCost(atom) });
    if (atom.kind === 'shift') {
      const to = ++this.#bases;
      this.code.push({ op: 'shift', base, to, scale: atom.scale, cost: 2 });
      this.#node(next.get(0) as TrieNode, { ...place, base: to, bytes: 0 });
      return;
    }
    const values = [...next];
    if (values.length <= HASHED) {
      for (const [i, [value, node]] of values.entries()) {
        const last = i === values.length - 1;
        const other = last ? fail : { at: -1 };
        this.code.push({ op: 'equal', value, fail: other, cost: compareCost(value) });
        this.#node(node, { ...place, bytes: there });
        if (!last) other.at = this.code.length;
      }
      return;
    }
    const targets = new Map(values.map(([value]) => [value, { at: -1 }]));
    // A multiplication, two shifts, an address, the key loaded and compared, the target loaded, a jump.
    this.code.push({ op: 'switch', targets, fail, cost: 9 });
    for (const [value, node] of values) {
      (targets.get(value) as Label).at = this.code.length;
      this.#node(node, { ...place, bytes: there });
    }
  }

  #jump(fail: Label): void {
    // Never equal: what is loaded is not below 0.
    this.code.push({ op: 'equal', value: -1, fail, cost: 1 });
  }
}

/** Bytes behind the base that every filter below a node needs, as far as there is one way only. */
function farthest({ filter, tests: [test, ...others] }: TrieNode): number {
  if (filter >= 0 || test === undefined || others.length > 0) return 0;
  const { atom, next } = test;
  const here = atom.offset + atom.size;
  const [node] = next.values();
  return atom.kind === 'shift' || next.size > 1 || node === undefined ? here : Math.max(here, farthest(node));
}

/** Ethernet's 14 bytes lie so that what follows is aligned. A field that is not takes two loads. */
function loadCost({ offset, size, mask }: Field): number {
  const whole = mask === 2 ** (8 * size) - 1;
  return ((offset + 2) % size === 0 ? 1 : 2) + (whole ? 0 : mask < 65_536 ? 1 : 2);
}

/** Zero is a register; a constant of 16 bits is one instruction, of 32 bits two; and a branch. */
function compareCost(value: number): number {
  return value === 0 ? 1 : value < 65_536 ? 2 : 3;
}
