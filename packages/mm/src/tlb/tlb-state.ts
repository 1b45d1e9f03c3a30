/** Address spaces whose translations a CPU keeps apart by PCID at the same time (Linux: TLB_NR_DYN_ASIDS). */
export const DYNAMIC_ASIDS = 6;

/** An address space as TLBs know it (Linux: `mm_context_t` and the mask of CPUs). */
export interface TranslatedSpace {
  /** Never used again (Linux: `context.ctx_id`). */
  readonly contextId: number;
  readonly tables: {
    /** Frame of the top-level table. */
    readonly root: number;
  };
  /** Counts changes that translations must follow; a CPU that has seen less must flush (Linux: `context.tlb_gen`). */
  tlbGeneration: number;
  /** CPUs that may hold translations, as bits, 32 to a word (Linux: `mm_cpumask`). */
  readonly cpuMask: Int32Array;
  /** When the mask is next cleared of CPUs that have gone elsewhere, TSC cycles. */
  nextTrim: number;
  /** Shootdowns that had to interrupt other CPUs, and how many they interrupted. */
  flushesSent: number;
  flushesReceived: number;
}

/** What one CPU knows of address spaces (Linux: per-CPU `cpu_tlbstate`). */
export class TlbState<Space extends TranslatedSpace = TranslatedSpace> {
  loaded: Space | null = null;
  asid = 0;
  /** Runs a task without an address space; flushes may wait until it switches back. */
  lazy = false;
  #next = 0;
  readonly contextIds: Int32Array = new Int32Array(DYNAMIC_ASIDS);
  readonly generations: Float64Array = new Float64Array(DYNAMIC_ASIDS);

  /** The slot that holds `mm`; else one is taken over round robin, to be flushed. */
  choose(mm: Space): number {
    for (let asid = 0; asid < DYNAMIC_ASIDS; asid++) if (this.contextIds[asid] === mm.contextId) return asid;
    const asid = this.#next++ % DYNAMIC_ASIDS;
    this.contextIds[asid] = mm.contextId;
    this.generations[asid] = 0;
    return asid;
  }
}

/** Puts CPU number `bit` into a mask. */
export function setBit(mask: Int32Array, bit: number): void {
  mask[bit >>> 5] = (mask[bit >>> 5] as number) | (1 << (bit & 31));
}

export function clearBit(mask: Int32Array, bit: number): void {
  mask[bit >>> 5] = (mask[bit >>> 5] as number) & ~(1 << (bit & 31));
}
