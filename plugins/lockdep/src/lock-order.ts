import { type KernelLock, LockKind } from '@rpal/hw-x86';

/** A lock that is held, and where it was taken. */
export interface Taken {
  readonly lock: KernelLock;
  /** `mmap, at rpal_mmap (patch 7)`: the system call, and the place if the code tells it. */
  readonly where: string;
}

/** One lock was taken while another was held: as it was seen first. */
export interface Dependency {
  readonly held: Taken;
  readonly taken: Taken;
  /** Who did it. */
  readonly task: string;
  /** TSC cycles since boot. */
  readonly time: number;
}

export const LockProblem = {
  /** Classes are taken in orders that close a circle: their takers can wait for each other for ever. */
  CIRCULAR: 'circular',
  /** A lock is taken by its holder. */
  RECURSIVE: 'recursive',
  /** A sleeping lock is taken under a spin lock, or the holder of a spin lock goes to sleep. */
  ATOMIC: 'atomic',
} as const;

export type LockProblem = (typeof LockProblem)[keyof typeof LockProblem];

/** Something that is wrong about locks, with the way there. */
export interface LockReport {
  readonly problem: LockProblem;
  /** What was seen, the last first: of a circle all its dependencies. */
  readonly chains: readonly Dependency[];
}

/**
 * Which classes of locks are taken after which (Linux: lockdep). What could go wrong in another run is found in this one: that two
 * orders have been seen is enough, nobody needs to have waited.
 */
export class LockOrder {
  /** Every problem once, as it was seen first. */
  readonly reports: LockReport[] = [];
  /** By the name of the class that was held, and of the one that was taken. */
  readonly #after: Map<string, Map<string, Dependency>> = new Map();
  /** Two locks of one class: which was taken while which was held. */
  readonly #siblings: WeakMap<KernelLock, WeakSet<KernelLock>> = new WeakMap();
  readonly #reported: Set<string> = new Set();

  /** Classes that have been taken while another lock was held, or held while one was taken, by name. */
  get classes(): readonly string[] {
    const names = new Set<string>();
    for (const [held, taken] of this.#after) for (const name of [held, ...taken.keys()]) names.add(name);
    return [...names].sort();
  }

  /** Every dependency that was seen. */
  get dependencies(): readonly Dependency[] {
    return [...this.#after.values()].flatMap((taken) => [...taken.values()]);
  }

  /** `taken` is taken by somebody who holds `held`, oldest first. */
  add(held: readonly Taken[], taken: Taken, task: string, time: number): void {
    for (const one of held) {
      const dependency = { held: one, taken, task, time };
      if (one.lock === taken.lock) this.#report(LockProblem.RECURSIVE, [dependency]);
      else if (one.lock.name === taken.lock.name) this.#addSibling(dependency);
      else this.#addClasses(dependency);
      const atomic = one.lock.kind === LockKind.SPIN && taken.lock.kind === LockKind.SLEEPING;
      if (atomic) this.#report(LockProblem.ATOMIC, [dependency]);
    }
  }

  /** Somebody sleeps under spin locks. */
  sleeps(held: readonly Taken[], asleep: Taken, task: string, time: number): void {
    for (const one of held) this.#report(LockProblem.ATOMIC, [{ held: one, taken: asleep, task, time }]);
  }

  #addClasses(dependency: Dependency): void {
    const held = dependency.held.lock.name;
    const taken = dependency.taken.lock.name;
    const after = this.#after.get(held) ?? new Map<string, Dependency>();
    this.#after.set(held, after);
    if (after.has(taken)) return;
    after.set(taken, dependency);
    const back = this.#path(taken, held, new Set());
    if (back !== null) this.#report(LockProblem.CIRCULAR, [dependency, ...back]);
  }

  /** Locks of a class may be taken one after the other (two run queues, by their addresses), but not in both orders. */
  #addSibling(dependency: Dependency): void {
    const held = dependency.held.lock;
    const taken = dependency.taken.lock;
    const after = this.#siblings.get(held) ?? new WeakSet();
    this.#siblings.set(held, after);
    after.add(taken);
    if (this.#siblings.get(taken)?.has(held) === true) this.#report(LockProblem.CIRCULAR, [dependency]);
  }

  /** Dependencies that lead from one class to another. */
  #path(from: string, to: string, seen: Set<string>): readonly Dependency[] | null {
    seen.add(from);
    for (const [name, dependency] of this.#after.get(from) ?? []) {
      if (name === to) return [dependency];
      const rest = seen.has(name) ? null : this.#path(name, to, seen);
      if (rest !== null) return [dependency, ...rest];
    }
    return null;
  }

  #report(problem: LockProblem, chains: readonly Dependency[]): void {
    const key = [problem, ...chains.map(({ held, taken }) => `${held.lock.name} > ${taken.lock.name}`).sort()].join('; ');
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.reports.push({ problem, chains });
  }
}

const HEADINGS: Readonly<Record<LockProblem, string>> = {
  circular: 'possible circular locking dependency',
  recursive: 'possible recursive locking',
  atomic: 'sleeping in atomic context',
};

/** A report in words, as lockdep prints one: the last chain first, then what it contradicts. */
export function reportText({ problem, chains }: LockReport): string {
  const lines = [HEADINGS[problem]];
  for (const [i, { held, taken, task }] of chains.entries()) {
    lines.push(
      i === 0
        ? `  ${task} takes "${taken.lock.name}" in ${taken.where}`
        : `  and before, ${task} took "${taken.lock.name}" in ${taken.where}`,
    );
    lines.push(`    holding "${held.lock.name}" since ${held.where}`);
  }
  return lines.join('\n');
}
