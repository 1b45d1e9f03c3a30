import { grown } from '../grown.js';

/**
 * Items with numbers, the one with the least key first, and of those with one key the one with the least rank: a binary heap. All of it
 * is in arrays of numbers: where there are hundreds, objects that are only compared would be in no cache of the host.
 */
export class NumberedHeap {
  /** By place in the heap. */
  #keys: Float64Array;
  /** By place in the heap; beyond `size` are the items that are not in it. */
  #items: Int32Array;
  /** By item: place in the heap. */
  #places: Int32Array;
  /** By item: what breaks ties. */
  #ranks: Float64Array;
  /** How many items are in it. */
  size = 0;

  /** @param capacity how many items there are; with `unused`, how many at first */
  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
    this.#items = new Int32Array(capacity);
    this.#places = new Int32Array(capacity);
    this.#ranks = new Float64Array(capacity);
    this.#number(0);
  }

  has(item: number): boolean {
    return (this.#places[item] as number) < this.size;
  }

  /** An item that is not in it; there are twice as many if all are. */
  unused(): number {
    if (this.size === this.#items.length) this.#grow();
    return this.#items[this.size] as number;
  }

  /** Item at a place: the first is at 0. Call only while `size` is larger. */
  item(place: number): number {
    return this.#items[place] as number;
  }

  /** Key at a place. Call only while `size` is larger. */
  key(place: number): number {
    return this.#keys[place] as number;
  }

  /** Place of the one that comes behind the first. Call only while `size` is 2 or more. */
  second(): number {
    return this.size > 2 && (this.#keys[2] as number) < (this.#keys[1] as number) ? 2 : 1;
  }

  /** Puts an item in that is not in it. */
  add(item: number, key: number, rank: number): void {
    this.#ranks[item] = rank;
    const end = this.size++;
    // Whatever was at that place changes with it.
    this.#seat(this.#items[end] as number, this.#places[item] as number);
    this.#rise(item, key, end);
  }

  /** Takes an item out that is in it. */
  remove(item: number): void {
    const at = this.#places[item] as number;
    const end = --this.size;
    const last = this.#items[end] as number;
    const key = this.#keys[end] as number;
    this.#seat(item, end);
    if (at === end) return;
    // It came from another branch, and may be earlier than what was above the removed one.
    if (!this.#sink(last, key, at)) this.#rise(last, key, at);
  }

  /** The item at a place gets a later key. */
  delay(place: number, key: number): void {
    this.#sink(this.#items[place] as number, key, place);
  }

  /** Puts an item at `from`, or above where it is earlier. */
  #rise(item: number, key: number, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#isBefore(above, item, key)) break;
      this.#move(above, at);
      at = above;
    }
    this.#keys[at] = key;
    this.#seat(item, at);
  }

  /** Puts an item at `from`, or below where others are earlier. @returns true if it is below */
  #sink(item: number, key: number, from: number): boolean {
    const size = this.size;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      const right = below + 1;
      if (right < size && this.#isBefore(right, this.#items[below] as number, this.#keys[below] as number)) below = right;
      if (!this.#isBefore(below, item, key)) break;
      this.#move(below, at);
      at = below;
    }
    this.#keys[at] = key;
    this.#seat(item, at);
    return at !== from;
  }

  /** Whether what is at a place comes before an item with this key. */
  #isBefore(at: number, item: number, key: number): boolean {
    const other = this.#keys[at] as number;
    return other < key || (other === key && (this.#ranks[this.#items[at] as number] as number) < (this.#ranks[item] as number));
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#seat(this.#items[from] as number, to);
  }

  #seat(item: number, at: number): void {
    this.#items[at] = item;
    this.#places[item] = at;
  }

  #grow(): void {
    const before = this.#items.length;
    const capacity = Math.max(16, 2 * before);
    this.#keys = grown(new Float64Array(capacity), this.#keys);
    this.#items = grown(new Int32Array(capacity), this.#items);
    this.#places = grown(new Int32Array(capacity), this.#places);
    this.#ranks = grown(new Float64Array(capacity), this.#ranks);
    this.#number(before);
  }

  #number(from: number): void {
    for (let item = from; item < this.#items.length; item++) this.#seat(item, item);
  }
}
