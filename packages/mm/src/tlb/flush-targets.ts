import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import type { TranslatedSpace } from './tlb-state.js';

/**
 * The CPUs that a flush concerns. Taps of `mmFlush` may add CPUs, and what else those must drop. A CPU has one of these, valid until its
 * flush is over (Linux: per-CPU `flush_tlb_info`). A CPU that is interrupted for one may begin one of its own before the first is over.
 */
export class FlushTargets<Space extends TranslatedSpace = TranslatedSpace> {
  initiator: Cpu;
  mm: Space;
  /** The range, bytes; `end` Infinity: everything. */
  start = 0;
  end = 0;
  /** An address in its first page, as it was passed: computing it again would allocate on the host's heap. */
  first: number | null = null;
  /**
   * Page tables are freed, or may be: lazy CPUs must be told too, since they still walk them. As in Linux 6.15, every flush that
   * does not know what was changed says so (`flush_tlb_mm`, `flush_tlb_range`): at fork, at mremap, and where huge pages are split or
   * made.
   */
  freedTables = false;
  /** Bytes that one INVLPG drops: the size of the smallest page that was changed. */
  stride: number = PAGE_SIZE;
  /** CPUs to tell besides the initiator, as bits. */
  readonly cpus: Int32Array;
  /** Address spaces that share pages with `mm`: a CPU that has one of them loaded flushes it instead. */
  readonly sharers: Space[] = [];
  /**
   * Tell CPUs that have a sharer loaded even if no tables are freed. Linux's filter knows only the flushed address space
   * and passes such CPUs over.
   */
  reachSharers = false;
  /** CPUs that have no use for the flush leave the mask. False for a tap whose flush takes the place of Linux's whole path. */
  trims = true;
  /** Those that are interrupted, at the front; what follows them is left from earlier flushes. */
  readonly told: Cpu[] = [];
  /** When the last of those told so far has acknowledged, TSC cycles. */
  acknowledged = 0;

  constructor(initiator: Cpu, mm: Space) {
    this.initiator = initiator;
    this.mm = mm;
    this.cpus = new Int32Array(mm.cpuMask.length);
  }

  /** A new flush begins, of a range that the caller fills in. Only CPUs that may have translations of `mm` are targets so far. */
  begin(initiator: Cpu, mm: Space, freedTables: boolean, stride: number): void {
    this.initiator = initiator;
    this.mm = mm;
    this.freedTables = freedTables;
    this.stride = stride;
    this.sharers.length = 0;
    this.reachSharers = false;
    this.trims = true;
    for (let word = 0; word < this.cpus.length; word++) this.cpus[word] = mm.cpuMask[word] as number;
  }
}
