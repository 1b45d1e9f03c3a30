import { FilterCompiler, type Operation } from './compiler.js';
import { type Filter, fieldOf, masked, type Verdict } from './filter.js';

/** Filters compiled into code when they are installed, as DPF does. @public for experiments of your own */
export class CompiledFilters {
  readonly code: readonly Operation[];

  /** @throws ExokernelError USAGE for a filter that makes no sense */
  constructor(filters: readonly Filter[]) {
    this.code = new FilterCompiler(filters).code;
  }

  /** Executes the code on a packet. */
  run(packet: Uint8Array): Verdict {
    const bases = [0];
    let [best, instructions, loaded] = [-1, 0, 0];
    const found = (filter: number) => (best < 0 || (filter >= 0 && filter < best) ? filter : best);
    for (let at = 0; ; ) {
      const operation = this.code[at++] as Operation;
      instructions += operation.cost;
      switch (operation.op) {
        case 'check':
          if ((bases[operation.base] as number) + operation.bytes > packet.length) at = operation.fail.at;
          break;
        case 'load':
          loaded = masked(
            fieldOf(packet, (bases[operation.base] as number) + operation.field.offset, operation.field.size),
            operation.field.mask,
          );
          break;
        case 'equal':
          if (loaded !== operation.value) at = operation.fail.at;
          break;
        case 'switch':
          at = (operation.targets.get(loaded) ?? operation.fail).at;
          break;
        case 'shift':
          bases[operation.to] = (bases[operation.base] as number) + loaded * operation.scale;
          break;
        case 'note':
          best = found(operation.filter);
          break;
        case 'return':
          return { filter: found(operation.filter), instructions };
      }
    }
  }
}
