import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import type { MemoryManager } from '../memory-manager.js';
import type { MmStruct } from '../space/mm-struct.js';
import { MmStep } from '../steps.js';

/** Address spaces whose translations a CPU keeps apart by PCID at the same time (Linux: TLB_NR_DYN_ASIDS). */
export const DYNAMIC_ASIDS = 6;
/** A range of more pages than this is not flushed page by page (Linux: tlb_single_page_flush_ceiling). */
export const SINGLE_PAGE_FLUSH_CEILING = 33;

/** What one CPU knows of address spaces (Linux: per-CPU `cpu_tlbstate`). */
export class TlbState {
  loaded: MmStruct | null = null;
  asid = 0;
  /** Runs a task without an address space; flushes may wait until it switches back. */
  lazy = false;
  #next = 0;
  readonly contextIds: Int32Array = new Int32Array(DYNAMIC_ASIDS);
  readonly generations: Float64Array = new Float64Array(DYNAMIC_ASIDS);
  /**
   * Of the flush that the CPU has begun, re-used by each of its flushes; null before the first (Linux: per-CPU `flush_tlb_info`).
   * A CPU that is interrupted for one may begin one of its own before the first is over.
   */
  flush: FlushTargets | null = null;

  /** The slot that holds `mm`; else one is taken over round robin, to be flushed. */
  choose(mm: MmStruct): number {
    for (let asid = 0; asid < DYNAMIC_ASIDS; asid++) if (this.contextIds[asid] === mm.contextId) return asid;
    const asid = this.#next++ % DYNAMIC_ASIDS;
    this.contextIds[asid] = mm.contextId;
    this.generations[asid] = 0;
    return asid;
  }
}

/** Makes `mm` the address space of `cpu` (Linux: `switch_mm_irqs_off`, arch/x86/mm/tlb.c). */
export function switchMm(manager: MemoryManager, cpu: Cpu, mm: MmStruct): void {
  const state = manager.tlbState(cpu);
  if (state.loaded === mm) {
    cpu.charge(MmStep.switchMmLazy);
    const wasLazy = state.lazy;
    state.lazy = false;
    // While lazy the CPU was spared from flush interrupts; what it missed it does now.
    if (wasLazy && (state.generations[state.asid] as number) < mm.tlbGeneration) flushLoaded(cpu, state, mm);
    return;
  }
  // The old address space keeps this CPU in its mask, as its translations stay in the TLB under their PCID; a flush that
  // finds the CPU elsewhere passes it over, and the generation tells the CPU on its return.
  setBit(mm.cpuMask, cpu.id);
  const pcids = manager.pcids;
  const asid = pcids ? state.choose(mm) : 0;
  const current = pcids && (state.generations[asid] as number) === mm.tlbGeneration;
  state.loaded = mm;
  state.asid = asid;
  state.lazy = false;
  state.contextIds[asid] = mm.contextId;
  state.generations[asid] = mm.tlbGeneration;
  if (current) {
    cpu.charge(MmStep.switchMmCurrent);
  } else {
    cpu.charge(MmStep.switchMm);
    cpu.charge(MmStep.loadCr3Flush);
  }
  // PCID 0 is not used for user address spaces, so that "no PCID" stays recognisable.
  cpu.mmu.loadRoot(mm.tables.root, pcids ? asid + 1 : 0, current);
}

/**
 * Whom a flush concerns. Taps of `mmFlush` may add CPUs, and what those must drop besides. A CPU has one of these, valid until its
 * flush is over.
 */
export class FlushTargets {
  initiator: Cpu;
  mm: MmStruct;
  /** The range, bytes; `end` Infinity: everything. */
  start = 0;
  end = 0;
  /** An address in the first page of it. It is kept as it was passed: to compute it anew takes some of the host's heap. */
  first: number | null = null;
  /**
   * Page tables are freed, or might be: lazy CPUs must be told too, since they still walk them. As in Linux 6.15 so it is wherever a
   * flush does not go by what has been changed (`flush_tlb_mm`, `flush_tlb_range`): at fork, mremap, and where huge pages are
   * split or made.
   */
  freedTables = false;
  /** Bytes that one INVLPG drops: the size of the smallest page that was changed. */
  stride: number = PAGE_SIZE;
  /** CPUs to tell, beside the initiator, as bits. */
  readonly cpus: Int32Array;
  /** Address spaces that share pages with `mm`: a CPU that has one of them loaded flushes it instead. */
  readonly sharers: MmStruct[] = [];
  /**
   * Tell CPUs that have a sharer loaded even if no tables are freed. Linux's filter knows only the flushed address space
   * and passes such CPUs over.
   */
  reachSharers = false;
  /** CPUs that have no use for the flush leave the mask. False for a tap whose flush takes the place of Linux's whole path. */
  trims = true;
  /** Those that are interrupted; what stands behind them is from earlier flushes. */
  readonly told: Cpu[] = [];
  /** When the last of those told so far has acknowledged, TSC cycles. */
  acknowledged = 0;

  constructor(initiator: Cpu, mm: MmStruct) {
    this.initiator = initiator;
    this.mm = mm;
    this.cpus = new Int32Array(mm.cpuMask.length);
  }

  /** A new flush begins, of a range that the caller fills in. Only CPUs that may have translations of `mm` are targets so far. */
  begin(initiator: Cpu, mm: MmStruct, freedTables: boolean, stride: number): void {
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

/**
 * Drops translations of [start, end) of `mm` on every CPU that may hold them (Linux: `flush_tlb_mm_range`).
 * `cpu` sends interrupts to the others and waits until the last has acknowledged. `end` Infinity flushes all.
 * @param freedTables see `FlushTargets` @param stride size of the smallest page that was changed
 */
export function flushRange(
  manager: MemoryManager,
  cpu: Cpu,
  mm: MmStruct,
  start: number,
  end: number,
  freedTables: boolean,
  stride: number = PAGE_SIZE,
): void {
  const targets = beginFlush(manager, cpu, mm, freedTables, stride);
  targets.start = start;
  targets.end = end;
  targets.first = start;
  flush(manager, cpu, mm, targets);
}

/** As `flushRange`, of the one page around `address`, with no table freed (Linux: `flush_tlb_page`). */
export function flushPage(manager: MemoryManager, cpu: Cpu, mm: MmStruct, address: number): void {
  const targets = beginFlush(manager, cpu, mm, false, PAGE_SIZE);
  targets.start = address - (address & (PAGE_SIZE - 1));
  targets.end = targets.start + PAGE_SIZE;
  targets.first = address;
  flush(manager, cpu, mm, targets);
}

function beginFlush(manager: MemoryManager, cpu: Cpu, mm: MmStruct, freedTables: boolean, stride: number): FlushTargets {
  mm.tlbGeneration++;
  const state = manager.tlbState(cpu);
  state.flush ??= new FlushTargets(cpu, mm);
  const targets = state.flush;
  targets.begin(cpu, mm, freedTables, stride);
  return targets;
}

function flush(manager: MemoryManager, cpu: Cpu, mm: MmStruct, targets: FlushTargets): void {
  manager.seams.hooks.mmFlush.call(targets);
  cpu.charge(MmStep.flushLocal);
  const trim = targets.trims && shouldTrim(cpu, mm);
  const { told } = targets;
  let sent = 0;
  for (let word = 0; word < targets.cpus.length; word++) {
    for (let bits = targets.cpus[word] as number; bits !== 0; bits &= bits - 1) {
      const other = manager.cpus[32 * word + 31 - Math.clz32(bits & -bits)] as Cpu;
      if (other !== cpu && mustTell(manager.tlbState(other), targets, trim)) told[sent++] = other;
    }
  }
  for (let i = 0; i < sent; i++) {
    const other = told[i] as Cpu;
    // Each target gets an entry on its queue. The head of the queue, which the target wrote last, is read and then exchanged:
    // the line moves to be shared, then to be owned, and nothing behind the locked exchange begins before (Linux: `llist_add`).
    // The interrupt goes to up to 16 at once.
    cpu.charge(i === 0 ? MmStep.flushSend : MmStep.flushTarget);
    cpu.transfer.move(cpu, other.core, 2);
  }
  // One interrupt command for all targets of a cluster, the first of which is part of `flushSend` (Linux: `__x2apic_send_IPI_mask`).
  for (let more = manager.clustersOf(told, sent); more > 1; more--) cpu.charge(MmStep.flushCluster);
  targets.acknowledged = cpu.clock;
  for (let i = 0; i < sent; i++) manager.interruptForFlush(cpu, told[i] as Cpu, targets);
  flushOn(manager, cpu, targets);
  if (sent === 0) return;
  manager.flushesSent++;
  mm.flushesSent++;
  mm.flushesReceived += sent;
  if (targets.acknowledged > cpu.clock) cpu.chargeCycles(MmStep.flushWait, targets.acknowledged - cpu.clock);
  // That each is done is read from the line that it has cleared, by loads of which none waits for another (Linux: `csd_lock_wait`).
  cpu.transfer.gather(cpu, told, sent);
}

/** Must a CPU of the mask be interrupted (Linux: `should_flush_tlb`)? */
function mustTell(state: TlbState, targets: FlushTargets, trim: boolean): boolean {
  // Tables that go concern everybody who may walk them, whatever he has loaded.
  if (targets.freedTables) return true;
  // A lazy CPU catches up when it switches back.
  if (state.lazy) return false;
  // One with other memory loaded has no use for it, unless it is to be taken out of the mask.
  if (state.loaded === targets.mm || trim) return true;
  return targets.reachSharers && targets.sharers.includes(state.loaded as MmStruct);
}

/** Once a second everybody in the mask is told, and who has no use for it leaves the mask (Linux: `should_trim_cpumask`). */
function shouldTrim(cpu: Cpu, mm: MmStruct): boolean {
  if (cpu.clock <= mm.nextTrim) return false;
  mm.nextTrim = cpu.clock + mm.manager.cyclesPerSecond;
  return true;
}

/** What a CPU does about a flush: nothing, page by page, or everything of the address space it has loaded. */
export function flushOn(manager: MemoryManager, cpu: Cpu, targets: FlushTargets): void {
  const state = manager.tlbState(cpu);
  const loaded = state.loaded;
  if (loaded === null) return;
  const mine = loaded === targets.mm;
  if (!mine && !targets.sharers.includes(loaded)) {
    // Told for nothing: it will not be told again until it comes back, and finds then that its generation is old.
    if (targets.trims && cpu !== targets.initiator) clearBit(targets.mm.cpuMask, cpu.id);
    return;
  }
  const seen = state.generations[state.asid] as number;
  if (seen >= loaded.tlbGeneration) return;
  const pages = (targets.end - targets.start) / targets.stride;
  // A ranged flush brings the CPU up to date only if it had missed nothing else before.
  const ranged = pages <= SINGLE_PAGE_FLUSH_CEILING && seen === loaded.tlbGeneration - 1;
  if (!ranged) {
    flushLoaded(cpu, state, loaded);
    return;
  }
  for (let i = 0; i < pages; i++) {
    cpu.charge(MmStep.flushPage);
    cpu.mmu.invlpg(i === 0 ? (targets.first as number) : targets.start + i * targets.stride);
  }
  state.generations[state.asid] = loaded.tlbGeneration;
}

function flushLoaded(cpu: Cpu, state: TlbState, mm: MmStruct): void {
  cpu.charge(MmStep.flushFull);
  cpu.mmu.invpcidContext(cpu.mmu.pcid);
  state.generations[state.asid] = mm.tlbGeneration;
}

/** Is CPU number `bit` in a mask, 32 to a word? */
export function hasBit(mask: Int32Array, bit: number): boolean {
  return ((mask[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
}

/** Puts CPU number `bit` into a mask. */
export function setBit(mask: Int32Array, bit: number): void {
  mask[bit >>> 5] = (mask[bit >>> 5] as number) | (1 << (bit & 31));
}

export function clearBit(mask: Int32Array, bit: number): void {
  mask[bit >>> 5] = (mask[bit >>> 5] as number) & ~(1 << (bit & 31));
}
