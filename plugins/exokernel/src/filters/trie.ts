import { type Atom, type Filter, sameTest } from './filter.js';

/** A place that packets come to for which the same atoms hold. */
export interface TrieNode {
  /** The first filter that ends here; -1: none. */
  filter: number;
  /** What is looked at next: alternatives. */
  readonly tests: Test[];
}

/** One look at a packet, for all filters that begin alike. A shift leads on by itself; a comparison by its value. */
export interface Test {
  readonly atom: Atom;
  readonly next: Map<number, TrieNode>;
  /** The lowest number of a filter below. */
  readonly first: number;
}

/** Filters merged by what they begin with: each test of a packet is done once for all of them. */
export function trieOf(filters: readonly Filter[]): TrieNode {
  const root: TrieNode = { filter: -1, tests: [] };
  for (const [number, filter] of filters.entries()) {
    let node = root;
    for (const atom of filter) {
      let test = node.tests.find((candidate) => sameTest(candidate.atom, atom));
      if (test === undefined) {
        test = { atom, next: new Map(), first: number };
        node.tests.push(test);
      }
      const value = atom.kind === 'equal' ? atom.value : 0;
      const next: TrieNode = test.next.get(value) ?? { filter: -1, tests: [] };
      test.next.set(value, next);
      node = next;
    }
    if (node.filter < 0) node.filter = number;
  }
  return root;
}
