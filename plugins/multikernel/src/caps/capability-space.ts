import { type Capability, descends, type Refusal, sameObject } from './capability.js';

/** A slot of somebody's capability space. */
export interface Slot {
  /** The dispatcher that has it. */
  readonly owner: number;
  readonly number: number;
  readonly capability: Capability;
}

/** Memory that is being changed, and by which core's monitor. */
interface Claim {
  readonly memory: Capability;
  readonly by: number;
}

/**
 * The capabilities that one core knows: those of its dispatchers. No core sees another one's; what must hold for all of them, the monitors
 * agree upon by claiming the memory everywhere before it is changed anywhere.
 */
export class CapabilitySpace {
  readonly #slots: Slot[] = [];
  readonly #claims: Claim[] = [];
  #next = 1;

  /** Puts a capability into a free slot of `owner`. @returns the slot's number */
  insert(owner: number, capability: Capability): number {
    const number = this.#next++;
    this.#slots.push({ owner, number, capability });
    return number;
  }

  /** What `owner` has in a slot; undefined if nothing: a number of another one's slot is nothing, too. */
  find(owner: number, number: number): Capability | undefined {
    return this.#slots.find((slot) => slot.owner === owner && slot.number === number)?.capability;
  }

  /** Slots of this core that hold copies of a capability, itself among them. */
  copies(of: Capability): readonly Slot[] {
    return this.#slots.filter(({ capability }) => sameObject(capability, of));
  }

  /** Slots of this core with what was made from a capability. */
  descendants(of: Capability): readonly Slot[] {
    return this.#slots.filter(({ capability }) => descends(capability, of));
  }

  /** Claims memory for a change. @returns why it cannot be had, or null */
  claim(memory: Capability, by: number): Refusal | null {
    if (this.#claims.some((claim) => overlaps(claim.memory, memory))) return 'BUSY';
    if (this.descendants(memory).length > 0) return 'TYPED_ALREADY';
    this.#claims.push({ memory, by });
    return null;
  }

  /** The change that `by` had claimed memory for is done, or given up. */
  release(by: number): void {
    const at = this.#claims.findIndex((claim) => claim.by === by);
    if (at >= 0) this.#claims.splice(at, 1);
  }

  /** Removes slots. */
  remove(slots: readonly Slot[]): void {
    for (const slot of slots) this.#slots.splice(this.#slots.indexOf(slot), 1);
  }

  /** All slots of an owner. */
  of(owner: number): readonly Slot[] {
    return this.#slots.filter((slot) => slot.owner === owner);
  }

  /** How many capabilities and claims there are. */
  get size(): { readonly slots: number; readonly claims: number } {
    return { slots: this.#slots.length, claims: this.#claims.length };
  }
}

function overlaps(a: Capability, b: Capability): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}
