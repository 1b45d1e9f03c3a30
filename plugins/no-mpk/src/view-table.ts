import { EPTP_LIST_ENTRIES } from '@rpal/hw-x86';
import { canonical, isUsual } from './rights.js';

/** Views that a service may have: as many as an EPTP list has entries, and where views are page tables, 2 MiB of them. */
export const VIEWS_PER_SERVICE: number = EPTP_LIST_ENTRIES;
/** Kept free for `isUsual` rights, so that nobody can use up a call's view by asking for odd ones. */
const USUAL = 137 + 17;

/**
 * The views of one service by rights, each with its index. Whoever runs on a thread of the service can ask for any word of
 * rights, a hostile callee too: there is an end to it.
 */
export class ViewTable<V> {
  readonly #indexes: Map<number, number> = new Map();
  readonly #views: V[] = [];
  #odd = 0;

  /** All views, by index. */
  get views(): readonly V[] {
    return this.#views;
  }

  /** Index of the view of `rights`, or -1: it has to be made first. */
  indexOf(rights: number): number {
    return this.#indexes.get(canonical(rights)) ?? -1;
  }

  /** True if there is room for a view of `rights`. */
  admits(rights: number): boolean {
    return isUsual(canonical(rights)) || this.#odd < VIEWS_PER_SERVICE - USUAL;
  }

  /** Adds what was made for `rights`, which the table has admitted. @returns its index */
  add(rights: number, view: V): number {
    const word = canonical(rights);
    if (!isUsual(word)) this.#odd++;
    this.#indexes.set(word, this.#views.length);
    return this.#views.push(view) - 1;
  }
}
