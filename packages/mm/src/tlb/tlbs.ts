import type { EventSeam, NotifyHook } from '@rpal/bus';
import { type Cpu, PAGE_SIZE, type Platform, Translations } from '@rpal/hw-x86';
import { MmStep } from '../steps.js';
import { FlushTargets } from './flush-targets.js';
import { clearBit, setBit, TlbState, type TranslatedSpace } from './tlb-state.js';

/** A range of more pages than this is not flushed page by page (Linux: tlb_single_page_flush_ceiling). @public for programs that reach the limit */
export const SINGLE_PAGE_FLUSH_CEILING = 33;

/** Whether what is flushed was reached through page tables that are freed now: then no CPU may defer the flush. */
const Tables = { KEPT: false, FREED: true } as const;

/** The border between user and kernel mode, where an interrupt that asks for a flush crosses it. */
export interface FlushEntry {
  /** The interrupt arrives at `time`: a CPU that computes, and takes no turns meanwhile, has come as far as that. */
  arrive(cpu: Cpu, time: number): void;
  /**
   * The interrupt has come on `cpu`, whatever that was doing; the flush is next, of what is loaded afterwards.
   * @returns true if `leave` is to take the CPU back, instead of the return whose cost is part of the flush
   */
  enter(cpu: Cpu): boolean;
  leave(cpu: Cpu): void;
}

/** The seams at which others take part in flushes, or see them. */
export interface TlbSeams<Space extends TranslatedSpace> {
  readonly hooks: { readonly mmFlush: NotifyHook<[targets: FlushTargets<Space>]> };
  readonly events: {
    readonly tlbFlush: EventSeam<[cpu: number, time: number, mm: Space, start: number, end: number, interrupted: number]>;
    readonly tlbCatchUp: EventSeam<[cpu: number, time: number, mm: Space]>;
  };
}

/** The TLBs of a machine: which address space each CPU has loaded, and the flushes that keep them right (arch/x86/mm/tlb.c). */
export class Tlbs<Space extends TranslatedSpace> {
  /** Address spaces are kept apart by PCID, so a switch need not flush. */
  readonly pcids: boolean;
  /** Shootdowns: flushes that had to interrupt others, and interrupts received, since boot. */
  flushesSent = 0;
  flushesReceived = 0;
  readonly #platform: Platform;
  readonly #states: readonly TlbState<Space>[];
  /** Of the flush that each CPU has begun last, re-used by each of its flushes; null before the first. */
  readonly #targets: (FlushTargets<Space> | null)[];
  readonly #seams: TlbSeams<Space>;
  readonly #entry: FlushEntry | null;
  readonly #ipiDelivery: number;
  readonly #cyclesPerSecond: number;
  /** By x2APIC cluster: whether it has been met. */
  readonly #clusters: Uint8Array;

  constructor(platform: Platform, seams: TlbSeams<Space>, entry: FlushEntry | null) {
    const { cpus, profile, costs } = platform;
    this.#platform = platform;
    this.#seams = seams;
    this.#entry = entry;
    this.pcids = profile.features.pcid;
    this.#states = cpus.map(() => new TlbState());
    this.#targets = cpus.map(() => null);
    this.#ipiDelivery = Math.round(costs.primitive('ipiDelivery'));
    this.#cyclesPerSecond = profile.clock.tscGHz * 1e9;
    // No cluster is smaller than one CPU.
    this.#clusters = new Uint8Array(cpus.length);
  }

  state(cpu: Cpu): TlbState<Space> {
    return this.#states[cpu.id] as TlbState<Space>;
  }

  /** Makes `mm` the address space of `cpu` (Linux: `switch_mm_irqs_off`). */
  switchTo(cpu: Cpu, mm: Space): void {
    const state = this.state(cpu);
    if (state.loaded === mm) {
      cpu.charge(MmStep.switchMmLazy);
      const wasLazy = state.lazy;
      state.lazy = false;
      // While lazy the CPU was spared flush interrupts; what it missed it does now.
      if (wasLazy && (state.generations[state.asid] as number) < mm.tlbGeneration) this.#catchUp(cpu, state, mm);
      return;
    }
    // The old address space keeps this CPU in its mask, as its translations stay in the TLB under their PCID; a flush that
    // finds the CPU elsewhere passes it over, and the generation tells the CPU on its return.
    setBit(mm.cpuMask, cpu.id);
    const { pcids } = this;
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
    cpu.mmu.loadRoot(mm.tables.root, pcids ? asid + 1 : 0, current ? Translations.KEEP : Translations.DROP);
  }

  #catchUp(cpu: Cpu, state: TlbState<Space>, mm: Space): void {
    const { tlbCatchUp } = this.#seams.events;
    if (tlbCatchUp.observed) tlbCatchUp.emit(cpu.id, cpu.clock, mm);
    flushLoaded(cpu, state, mm);
  }

  /** `cpu` runs a task without an address space from now on, and keeps the one that it has loaded (Linux: `enter_lazy_tlb`). */
  enterLazy(cpu: Cpu): void {
    this.state(cpu).lazy = true;
  }

  /**
   * Drops translations of [start, end) of `mm` on every CPU that may hold them, lazy ones included (Linux: `flush_tlb_range`). `cpu`
   * sends interrupts to the others and waits until the last has acknowledged. `end` Infinity flushes everything.
   */
  flushRange(cpu: Cpu, mm: Space, start: number, end: number): void {
    this.flushChanged(cpu, mm, start, end, PAGE_SIZE, Tables.FREED);
  }

  /**
   * As `flushRange`, for a caller that knows what was changed (Linux: `flush_tlb_mm_range`).
   * @param stride size of the smallest page that was changed, bytes @param freedTables see `FlushTargets`
   */
  flushChanged(cpu: Cpu, mm: Space, start: number, end: number, stride: number, freedTables: boolean): void {
    const targets = this.#begin(cpu, mm, freedTables, stride);
    targets.start = start;
    targets.end = end;
    targets.first = start;
    this.#flush(cpu, mm, targets);
  }

  /** Drops the translation of the one page around `address`; no table is freed (Linux: `flush_tlb_page`). */
  flushPage(cpu: Cpu, mm: Space, address: number): void {
    const targets = this.#begin(cpu, mm, Tables.KEPT, PAGE_SIZE);
    targets.start = address - (address & (PAGE_SIZE - 1));
    targets.end = targets.start + PAGE_SIZE;
    targets.first = address;
    this.#flush(cpu, mm, targets);
  }

  #begin(cpu: Cpu, mm: Space, freedTables: boolean, stride: number): FlushTargets<Space> {
    mm.tlbGeneration++;
    this.#targets[cpu.id] ??= new FlushTargets(cpu, mm);
    const targets = this.#targets[cpu.id] as FlushTargets<Space>;
    targets.begin(cpu, mm, freedTables, stride);
    return targets;
  }

  #flush(cpu: Cpu, mm: Space, targets: FlushTargets<Space>): void {
    const { hooks, events } = this.#seams;
    hooks.mmFlush.call(targets);
    cpu.charge(MmStep.flushLocal);
    const { told } = targets;
    const sent = this.#chooseTold(cpu, mm, targets);
    for (let i = 0; i < sent; i++) {
      const other = told[i] as Cpu;
      // Each target gets an entry on its queue. The head of the queue, which the target wrote last, is read and then exchanged:
      // the line moves to be shared, then to be owned, and nothing behind the locked exchange begins before (Linux: `llist_add`).
      // The interrupt goes to up to 16 at once.
      cpu.charge(i === 0 ? MmStep.flushSend : MmStep.flushTarget);
      cpu.transfer.move(cpu, other.core, 2);
    }
    // One interrupt command for all targets of a cluster, the first of which is part of `flushSend` (Linux: `__x2apic_send_IPI_mask`).
    for (let more = this.#clustersOf(told, sent); more > 1; more--) cpu.charge(MmStep.flushCluster);
    targets.acknowledged = cpu.clock;
    for (let i = 0; i < sent; i++) this.#interrupt(cpu, told[i] as Cpu, targets);
    this.#flushOn(cpu, targets);
    if (sent > 0) this.#await(cpu, mm, targets, sent);
    if (events.tlbFlush.observed) events.tlbFlush.emit(cpu.id, cpu.clock, mm, targets.start, targets.end, sent);
  }

  /** Waits until the last of those that were interrupted has acknowledged. */
  #await(cpu: Cpu, mm: Space, targets: FlushTargets<Space>, sent: number): void {
    this.flushesSent++;
    mm.flushesSent++;
    mm.flushesReceived += sent;
    if (targets.acknowledged > cpu.clock) cpu.chargeCycles(MmStep.flushWait, targets.acknowledged - cpu.clock);
    // Each clears a line when it is done; the loads that read these lines do not wait for one another (Linux: `csd_lock_wait`).
    cpu.transfer.gather(cpu, targets.told, sent);
  }

  /** Fills `targets.told`. @returns how many are to be interrupted */
  #chooseTold(cpu: Cpu, mm: Space, targets: FlushTargets<Space>): number {
    const { cpus } = this.#platform;
    const trim = targets.trims && this.#shouldTrim(cpu, mm);
    let sent = 0;
    for (let word = 0; word < targets.cpus.length; word++) {
      for (let bits = targets.cpus[word] as number; bits !== 0; bits &= bits - 1) {
        const other = cpus[32 * word + 31 - Math.clz32(bits & -bits)] as Cpu;
        if (other !== cpu && mustTell(this.state(other), targets, trim)) targets.told[sent++] = other;
      }
    }
    return sent;
  }

  /** Once a second every CPU in the mask is told, and one that has no use for it leaves the mask (Linux: `should_trim_cpumask`). */
  #shouldTrim(cpu: Cpu, mm: Space): boolean {
    if (cpu.clock <= mm.nextTrim) return false;
    mm.nextTrim = cpu.clock + this.#cyclesPerSecond;
    return true;
  }

  /** How many x2APIC clusters the first `count` of `cpus` are in: one interrupt command reaches up to 16 CPUs of one. */
  #clustersOf(cpus: readonly Cpu[], count: number): number {
    const { coresPerSocket, threadsPerCore } = this.#platform.profile.topology;
    const perSocket = Math.ceil((coresPerSocket * threadsPerCore) / 16);
    const seen = this.#clusters;
    seen.fill(0);
    let clusters = 0;
    for (let i = 0; i < count; i++) {
      const { core, socket, thread } = cpus[i] as Cpu;
      const cluster = socket * perSocket + Math.floor(((core % coresPerSocket) * threadsPerCore + thread) / 16);
      if (seen[cluster] === 0) clusters++;
      seen[cluster] = 1;
    }
    return clusters;
  }

  /**
   * `other` takes the flush interrupt that `sender` has just sent: at the end of the step it is in, or when the interrupt arrives if that
   * is later. `targets` records when it has acknowledged.
   */
  #interrupt(sender: Cpu, other: Cpu, targets: FlushTargets<Space>): void {
    const arrival = sender.clock + this.#ipiDelivery;
    this.#entry?.arrive(other, arrival);
    const before = other.clock;
    other.charge(MmStep.flushReceive);
    const entered = this.#entry?.enter(other) === true;
    // Its queue, the entry on it, and what that says is to be flushed: the sender wrote all three, and each leads to the next.
    other.transfer.move(other, sender.core, 3);
    this.#flushOn(other, targets);
    this.flushesReceived++;
    // It acknowledges before it returns from the interrupt.
    const done = other.clock;
    if (entered) this.#entry?.leave(other);
    else other.charge(MmStep.flushReturn);
    targets.acknowledged = Math.max(targets.acknowledged, done, arrival + (done - before));
  }

  /** What a CPU does about a flush: nothing, page by page, or everything of the address space it has loaded (Linux: `flush_tlb_func`). */
  #flushOn(cpu: Cpu, targets: FlushTargets<Space>): void {
    const state = this.state(cpu);
    const { loaded } = state;
    if (loaded === null) return;
    if (loaded !== targets.mm && !targets.sharers.includes(loaded)) {
      // It was told for nothing: it is not told again until it comes back, and then it finds that its generation is old.
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
}

/** Must a CPU of the mask be interrupted (Linux: `should_flush_tlb`)? */
function mustTell<Space extends TranslatedSpace>(state: TlbState<Space>, targets: FlushTargets<Space>, trim: boolean): boolean {
  // Freed tables concern every CPU that may walk them, whatever it has loaded.
  if (targets.freedTables) return true;
  // A lazy CPU catches up when it switches back.
  if (state.lazy) return false;
  // One with other memory loaded has no use for it, unless it is to be taken out of the mask.
  if (state.loaded === targets.mm || trim) return true;
  return targets.reachSharers && targets.sharers.includes(state.loaded as Space);
}

function flushLoaded(cpu: Cpu, state: TlbState, mm: TranslatedSpace): void {
  cpu.charge(MmStep.flushFull);
  cpu.mmu.invpcidContext(cpu.mmu.pcid);
  state.generations[state.asid] = mm.tlbGeneration;
}
