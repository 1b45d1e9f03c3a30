import type { Cpu } from '@rpal/hw-x86';
import { WaitQueue } from '@rpal/sched';

/** A lock of a range of bytes: of a process (POSIX), or of an open file (OFD). */
export interface RangeLock {
  /** Its owner: locks of one owner do not exclude each other. */
  readonly owner: object;
  /** The process that F_GETLK names; -1 for a lock of an open file. */
  readonly pid: number;
  readonly start: number;
  /** Last byte; `END` for all that may ever be. */
  readonly last: number;
  readonly exclusive: boolean;
}

/** Last byte of a lock up to the end of a file. */
export const END: number = Number.POSITIVE_INFINITY;

/** The locks of one file: ranges for fcntl(2), the whole file for flock(2). The two kinds do not see each other. */
export class FileLocks {
  /** By owner in the order of their first lock, and then by range. */
  #ranges: RangeLock[] = [];
  /** Open files that have the whole file: alone, or with others. */
  readonly #whole: Map<object, 'exclusive' | 'shared'> = new Map();
  /** Waiters for a lock. All look again when a lock is released. */
  readonly wait: WaitQueue = new WaitQueue('file locks');

  /** A lock that excludes `wanted`; null if none does. */
  conflict(wanted: RangeLock): RangeLock | null {
    const excludes = (held: RangeLock): boolean =>
      held.owner !== wanted.owner && overlap(held, wanted) && (held.exclusive || wanted.exclusive);
    return this.#ranges.find(excludes) ?? null;
  }

  /** Takes a lock that nothing excludes; it replaces what its owner has of the range. */
  take(cpu: Cpu, wanted: RangeLock): void {
    const { owner, pid, exclusive } = wanted;
    this.#cut(wanted);
    let { start, last } = wanted;
    // Neighbours of the same kind become one lock.
    this.#ranges = this.#ranges.filter((held) => {
      if (held.owner !== owner || held.exclusive !== exclusive || held.last + 1 < start || held.start > last + 1) return true;
      start = Math.min(start, held.start);
      last = Math.max(last, held.last);
      return false;
    });
    const at = this.#ranges.findIndex((held) => held.owner === owner && held.start > start);
    this.#ranges.splice(at < 0 ? this.#placeOf(owner) : at, 0, { owner, pid, start, last, exclusive });
    this.#changed(cpu);
  }

  /** Gives up what `owner` has from `start` to `last`. */
  drop(cpu: Cpu, owner: object, start: number, last: number): void {
    this.#cut({ owner, pid: 0, start, last, exclusive: false });
    this.#changed(cpu);
  }

  /** A file is closed by a process, or for good: all that `owner` has of ranges goes. */
  dropAll(cpu: Cpu, owner: object): void {
    if (this.#ranges.some((held) => held.owner === owner)) this.drop(cpu, owner, 0, END);
  }

  #placeOf(owner: object): number {
    let at = this.#ranges.length;
    while (at > 0 && this.#ranges[at - 1]?.owner !== owner) at--;
    return at === 0 ? this.#ranges.length : at;
  }

  /** Takes a range out of what its owner has. */
  #cut({ owner, start, last }: RangeLock): void {
    this.#ranges = this.#ranges.flatMap((held) => {
      if (held.owner !== owner || held.last < start || held.start > last) return [held];
      const parts: RangeLock[] = [];
      if (held.start < start) parts.push({ ...held, last: start - 1 });
      if (held.last > last) parts.push({ ...held, start: last + 1 });
      return parts;
    });
  }

  /** flock(2). @returns false if somebody else excludes it; what `file` had is then given up all the same */
  takeWhole(cpu: Cpu, file: object, kind: 'exclusive' | 'shared'): boolean {
    if (this.#whole.get(file) === kind) return true;
    this.dropWhole(cpu, file);
    if (kind === 'exclusive' ? this.#whole.size > 0 : [...this.#whole.values()].includes('exclusive')) return false;
    this.#whole.set(file, kind);
    return true;
  }

  dropWhole(cpu: Cpu, file: object): void {
    if (this.#whole.delete(file)) this.#changed(cpu);
  }

  #changed(cpu: Cpu): void {
    this.wait.wakeAll(cpu);
  }
}

function overlap(a: RangeLock, b: RangeLock): boolean {
  return a.start <= b.last && b.start <= a.last;
}

/** Owners that lie in a circle of so many others are not looked for (MAX_DEADLK_ITERATIONS). */
const LONGEST_CIRCLE = 10;

/** Who waits for whose lock on one machine: this is how circles are found. */
export class LockWaits {
  readonly #blockers: Map<object, object> = new Map();

  /** Would `owner`, if it waited for `blocker`, wait for itself? */
  wouldDeadlock(owner: object, blocker: object): boolean {
    let at: object | undefined = blocker;
    for (let i = 0; at !== undefined && i < LONGEST_CIRCLE; i++) {
      if (at === owner) return true;
      at = this.#blockers.get(at);
    }
    return false;
  }

  waits(owner: object, blocker: object): void {
    this.#blockers.set(owner, blocker);
  }

  goesOn(owner: object): void {
    this.#blockers.delete(owner);
  }
}
