/** A piece of memory of the traced process, and where it is in the model. */
interface Region {
  readonly start: number;
  readonly end: number;
  readonly model: number;
}

/** Where memory of a traced process is in the model. A child begins with a copy. */
export class AddressMap {
  #regions: Region[];
  /** First and present break of the traced process, and the first one of the model. */
  breaks: { readonly traced: number; end: number; readonly model: number } | null = null;

  constructor(from?: AddressMap) {
    this.#regions = [...(from?.regions ?? [])];
    this.breaks = from?.breaks == null ? null : { ...from.breaks };
  }

  get regions(): readonly Region[] {
    return this.#regions;
  }

  /** The model's address; null: nothing is known of it. */
  find(address: number): number | null {
    // The youngest mapping of an address counts.
    for (let i = this.#regions.length - 1; i >= 0; i--) {
      const { start, end, model } = this.#regions[i] as Region;
      if (address >= start && address < end) return model + (address - start);
    }
    if (this.breaks !== null && address >= this.breaks.traced && address < this.breaks.end)
      return this.breaks.model + (address - this.breaks.traced);
    return null;
  }

  /** Memory has been mapped. */
  add(start: number, length: number, model: number): void {
    this.#regions.push({ start, end: start + length, model });
  }
}
