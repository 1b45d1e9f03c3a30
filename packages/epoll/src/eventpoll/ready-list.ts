/** What can be on a ready list: each item is its own link. */
export interface ReadyItem {
  /** On the list, or on the overflow list while a scan is going on. */
  ready: boolean;
  next: this | null;
}

/**
 * Items in the order in which they became ready (Linux: `rdllist` and `ovflist` of `struct eventpoll`). A scan takes all of them
 * off; what becomes ready meanwhile waits on the overflow list until the scan is over.
 */
export class ReadyList<T extends ReadyItem> {
  #first: T | null = null;
  #last: T | null = null;
  #scanning = false;
  readonly #overflow: T[] = [];

  get empty(): boolean {
    return this.#first === null;
  }

  /** Something is on the list or on the overflow list (Linux: `ep_events_available`). */
  get available(): boolean {
    return this.#first !== null || (this.#scanning && this.#overflow.length > 0);
  }

  get scanning(): boolean {
    return this.#scanning;
  }

  /** An item has become ready. One that is on the list already keeps its place. */
  add(item: T): void {
    if (item.ready) return;
    if (this.#scanning) {
      item.ready = true;
      this.#overflow.push(item);
    } else {
      this.#append(item);
    }
  }

  /** Begins a scan (Linux: `ep_start_scan`). @returns the first of the items, which are now on no list */
  startScan(): T | null {
    const first = this.#first;
    this.#first = null;
    this.#last = null;
    this.#scanning = true;
    return first;
  }

  /**
   * Ends a scan (Linux: `ep_done_scan`): first what was not looked at, then what came meanwhile, then what stays.
   * @param rest chain of items that the scan has not looked at
   * @param stay chain of items that have been delivered and remain ready: those that are level-triggered
   */
  endScan(rest: T | null, stay: T | null): void {
    this.#scanning = false;
    this.#appendAll(rest);
    if (this.#overflow.length > 0) for (const item of this.#overflow.splice(0)) this.#append(item);
    this.#appendAll(stay);
  }

  /** Takes an item off. */
  remove(item: T): void {
    item.ready = false;
    const waiting = this.#overflow.indexOf(item);
    if (waiting >= 0) {
      this.#overflow.splice(waiting, 1);
      return;
    }
    let previous: T | null = null;
    for (let other = this.#first; other !== null; previous = other, other = other.next) {
      if (other !== item) continue;
      if (previous === null) this.#first = item.next;
      else previous.next = item.next;
      if (this.#last === item) this.#last = previous;
      break;
    }
    item.next = null;
  }

  #appendAll(chain: T | null): void {
    for (let item = chain; item !== null; ) {
      const { next }: { next: T | null } = item;
      this.#append(item);
      item = next;
    }
  }

  #append(item: T): void {
    item.ready = true;
    item.next = null;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
  }
}
