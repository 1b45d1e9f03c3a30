import { CompiledFilters } from '../filters/compiled.js';
import type { Filter } from '../filters/filter.js';
import type { Environment } from './environment.js';

interface Claim {
  readonly owner: Environment;
  readonly filter: Filter;
}

/** Which environment gets which packets: the first one whose filter accepts them. Compiled anew with every change. */
export class PacketClaims {
  #claims: readonly Claim[] = [];
  #code: CompiledFilters = new CompiledFilters([]);

  /** @returns operations that were emitted @throws ExokernelError USAGE for a filter that makes no sense */
  add(owner: Environment, filter: Filter): number {
    return this.#compile([...this.#claims, { owner, filter }]);
  }

  /** Takes an environment's filters away. */
  leave(environment: Environment): void {
    if (this.#claims.some(({ owner }) => owner === environment)) this.#compile(this.#claims.filter(({ owner }) => owner !== environment));
  }

  get size(): number {
    return this.#claims.length;
  }

  classify(packet: Uint8Array): { readonly owner: Environment | null; readonly instructions: number } {
    const { filter, instructions } = this.#code.run(packet);
    return { owner: this.#claims[filter]?.owner ?? null, instructions };
  }

  #compile(claims: readonly Claim[]): number {
    this.#code = new CompiledFilters(claims.map(({ filter }) => filter));
    this.#claims = claims;
    return this.#code.code.length;
  }
}
