/** A machine at work, and its progress. */
export interface Load {
  /** All programs are ready. */
  readonly ready: boolean;
  /** Operations done since it was built. */
  readonly operations: number;
  /** Bytes of the host's memory that stand ready for frames which nobody has taken: the machine's memory doubles as it grows. */
  readonly spare: number;
  /** Goes on for so many TSC cycles of machine time. */
  advance(cycles: number): void;
}

/** How the host's time per operation may grow with the size. */
export interface Law {
  readonly name: string;
  /** What an operation may cost at this size, in any unit. */
  readonly weight: (size: number) => number;
  /** Why it is not flat. */
  readonly why?: string;
}

/** Something of which a machine may have few or many. */
export interface GrowthLine {
  /** What grows. */
  readonly name: string;
  /** The operation that is repeated. */
  readonly operation: string;
  readonly sizes: readonly number[];
  readonly law: Law;
  /** What one more takes of the host's memory, bytes at most; not told where it is the operation that grows. */
  readonly memory?: number;
  build(size: number): Load;
}

/** The same at any size. */
export const FLAT: Law = { name: 'flat', weight: () => 1 };

/** A look-up in an ordered tree takes as many steps as the tree is high. */
export const LOGARITHM: Law = {
  name: 'log n',
  weight: (size) => Math.log2(size + 1),
  why: 'the height of the tree or heap that they are kept in, as in Linux',
};

/**
 * Objects used one after the other, more than the host's caches hold, come from farther away the more there are: between two turns of a
 * CPU the others displace the 200 cache lines that its operation touches, from the first-level cache with 16 CPUs, from one of 2 MiB with 256.
 */
export const CACHES: Law = {
  name: '1 + log2(n) / 16',
  weight: (size) => 1 + Math.log2(size) / 16,
  why: 'the same steps, on objects that the caches of this computer hold less often the more there are',
};
