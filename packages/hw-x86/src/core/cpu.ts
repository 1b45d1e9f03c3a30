import type { CostModel } from '../costs/cost-model.js';
import { Ledger } from '../costs/ledger.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { PAGE_MASK, PAGE_SIZE } from '../memory/address.js';
import type { CoherenceDirectory, TransferCost } from '../memory/coherence.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Mmu } from '../mmu/mmu.js';
import type { TlbEntry } from '../mmu/tlb.js';
import type { CriticalPath } from '../time/critical-path.js';
import { type EventQueue, TimedEvent } from '../time/event-queue.js';
import type { ExecutionContext, TrapHandler } from './execution-context.js';
import { GuestMode } from './guest-mode.js';
import { Vector } from './interrupts.js';
import { LocalApic } from './local-apic.js';
import { Pmu } from './pmu.js';

/** Bounds a turn, so that what is spent in it stays a small integer. */
const LONGEST_TURN = 1 << 28;

/** An inter-processor interrupt on its way. */
class InterruptInFlight extends TimedEvent {
  vector = 0;
  readonly #target: Cpu;

  constructor(target: Cpu) {
    super();
    this.#target = target;
  }

  override fire(): void {
    this.#target.raise(this.vector, this.time);
    this.#target.recycle(this);
  }
}

/** A store to a monitored line on its way to a core in MWAIT. */
class MonitorTrigger extends TimedEvent {
  readonly #target: Cpu;

  constructor(target: Cpu) {
    super();
    this.#target = target;
  }

  override fire(): void {
    this.#target.wake(this.time);
  }
}

/** What a core needs of the machine around it. */
export interface CpuEnvironment {
  readonly costs: CostModel;
  readonly memory: PhysicalMemory;
  readonly queue: EventQueue;
  /** Arms an event so that the running core does not pass it. */
  readonly arm: (event: TimedEvent, time: number) => void;
  readonly coherence: CoherenceDirectory;
  readonly transfer: TransferCost;
  readonly path: CriticalPath;
  /** All processors of the machine, this one among them. */
  readonly cpus: readonly Cpu[];
  /** Called when the core becomes runnable or stops being so. */
  readonly activity: (cpu: Cpu) => void;
}

/** A stretch of computing; see `Cpu.work`. */
export interface Work {
  /** TSC cycles left, a positive whole number. */
  cycles: number;
}

/** Where a logical processor sits. */
export interface CpuPlace {
  readonly id: number;
  readonly core: number;
  readonly thread: number;
  readonly socket: number;
}

/** One logical processor: registers, clock, MMU, pending interrupts, and what it is executing. */
export class Cpu {
  readonly id: number;
  readonly socket: number;
  /** Physical core: siblings share it. */
  readonly core: number;
  readonly thread: number;
  /** `core + 1`, as the coherence directory stores it. */
  readonly coreTag: number;

  /** Clock at the beginning of the present turn, and cycles spent since: a small integer, which keeps charging cheap. */
  #turnStart = 0;
  #spent = 0;
  /** How much the present turn may spend. */
  #budget = 0;
  /** What this core did outside a followed path. */
  readonly ownLedger: Ledger;
  #ledger: Ledger;
  /** Where that ledger keeps its figures: charging goes straight there. */
  #cells: Int32Array;
  #computed: Float64Array;
  readonly #perByte: Float64Array;

  readonly costs: CostModel;
  readonly memory: PhysicalMemory;
  readonly mmu: Mmu;
  readonly coherence: CoherenceDirectory;
  readonly transfer: TransferCost;
  readonly path: CriticalPath;

  /** What the core executes. */
  context: ExecutionContext;
  trap: TrapHandler;

  /** IA32_FS_BASE: the user's thread pointer. */
  fsBase = 0;
  gsBase = 0;
  interruptsEnabled = true;
  /** In HLT or MWAIT. */
  halted = false;
  haltedAt = 0;
  /** An NMI was taken, and no IRET has come since: another NMI waits. */
  nmiBlocked = false;

  /** Number of vectors pending in `#requested`. */
  pending = 0;
  /** One NMI waits. The processor remembers no more than one: those that come meanwhile merge with it. */
  nmiPending = false;

  linesMoved = 0;
  interruptsTaken = 0;

  readonly #requested = new Int32Array(8);
  /** Vectors of this priority class and below wait at the local APIC; none has class 0. */
  #priority = 0;
  readonly #held = new Int32Array(8);
  readonly #queue: EventQueue;
  readonly #arm: (event: TimedEvent, time: number) => void;
  readonly #activity: (cpu: Cpu) => void;
  readonly #spare: InterruptInFlight[] = [];
  /** A store to the monitored line is on its way, or the present work is done. */
  readonly #monitor: MonitorTrigger;
  #work: Work | null = null;
  #workStep = 0;
  readonly #cpus: readonly Cpu[];
  #apic: LocalApic | null = null;
  #pmu: Pmu | null = null;
  #guest: GuestMode | null = null;
  readonly #ipiDelivery: number;
  readonly #monitorWake: number;

  constructor(place: CpuPlace, environment: CpuEnvironment, context: ExecutionContext, trap: TrapHandler) {
    this.id = place.id;
    this.socket = place.socket;
    this.core = place.core;
    this.thread = place.thread;
    this.coreTag = place.core + 1;
    this.costs = environment.costs;
    this.memory = environment.memory;
    this.coherence = environment.coherence;
    this.transfer = environment.transfer;
    this.path = environment.path;
    this.#queue = environment.queue;
    this.#arm = environment.arm;
    this.#activity = environment.activity;
    this.#cpus = environment.cpus;
    this.#perByte = environment.costs.perByte;
    this.ownLedger = new Ledger(environment.costs);
    this.#ledger = this.ownLedger;
    this.#cells = this.ownLedger.cells;
    this.#computed = this.ownLedger.computed;
    this.context = context;
    this.trap = trap;
    this.#monitor = new MonitorTrigger(this);
    this.#ipiDelivery = Math.round(environment.costs.primitive('ipiDelivery'));
    this.#monitorWake = Math.round(environment.costs.primitive('monitorWake'));
    this.mmu = new Mmu(this, environment.memory, environment.costs.profile);
  }

  /** Its local APIC: timer, inter-processor interrupts, performance-counter entry. */
  get apic(): LocalApic {
    this.#apic ??= new LocalApic(this, this.#cpus, this.#queue, this.#arm);
    return this.#apic;
  }

  /** Its performance counters. */
  get pmu(): Pmu {
    this.#pmu ??= new Pmu(this, this.#queue, this.#arm);
    return this.#pmu;
  }

  /** VMX non-root operation: VMCALL, VMFUNC and second-level tables. */
  get guest(): GuestMode {
    this.#guest ??= new GuestMode(this);
    return this.#guest;
  }

  /** TSC cycles. Advances by what is charged, and by waiting. */
  get clock(): number {
    return this.#turnStart + this.#spent;
  }

  /** False when the running context must give the machine its turn, because something else could touch it from here on. */
  get hasTime(): boolean {
    return this.#spent < this.#budget;
  }

  /** Cycles that the present turn may still spend. */
  get timeLeft(): number {
    return this.#budget - this.#spent;
  }

  /**
   * Begins a turn that ends when the clock reaches `limit`. It has time for one step even if another core has the same
   * clock: otherwise what gives way before it begins would give way for ever.
   */
  beginTurn(limit: number): void {
    this.#turnStart += this.#spent;
    this.#spent = 0;
    this.#budget = Math.max(1, Math.min(LONGEST_TURN, limit - this.#turnStart)) | 0;
  }

  /** Makes the present turn end no later than at `time`. */
  endTurnBy(time: number): void {
    const left = time - this.#turnStart;
    if (left < this.#budget) this.#budget = Math.max(0, left) | 0;
  }

  /** Sets the clock forward to `time`. What passes is the caller's to book. */
  advanceTo(time: number): void {
    this.#turnStart = time - this.#spent;
  }

  /** The ledger that is being booked into: the own one, or the account of the path the core is on. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  set ledger(ledger: Ledger) {
    this.#ledger = ledger;
    this.#cells = ledger.cells;
    this.#computed = ledger.computed;
  }

  /** Spends the price of a step. */
  charge(step: number): void {
    const cells = this.#cells;
    this.#spent += cells[2 * step] as number;
    cells[2 * step + 1] = (cells[2 * step + 1] as number) + 1;
  }

  /** Spends the price of a step `times` times over. */
  chargeTimes(step: number, times: number): void {
    const cells = this.#cells;
    const cycles = (cells[2 * step] as number) * times;
    if (cycles < LONGEST_TURN) this.#spent += cycles;
    else this.#turnStart += cycles;
    cells[2 * step + 1] = (cells[2 * step + 1] as number) + times;
  }

  /** Spends the price of a step on `length` bytes. */
  chargeBytes(step: number, length: number): void {
    this.charge(step);
    this.chargeCycles(step, ((this.#perByte[step] as number) * length + 0.5) | 0);
  }

  /** Spends a computed amount, in whole TSC cycles, on a step. */
  chargeCycles(step: number, cycles: number): void {
    const computed = this.#computed;
    if (cycles < LONGEST_TURN) this.#spent += cycles;
    else this.#turnStart += cycles;
    computed[step] = (computed[step] as number) + cycles;
  }

  /** Time-stamp counter, as RDTSC returns it once the instruction is through. */
  rdtsc(): number {
    this.charge(HwStep.rdtsc);
    return this.clock;
  }

  /**
   * Physical address for a data access of the current context, or -1 with the fault left in the MMU.
   * Moves the line here if another core has it.
   */
  data(address: number, access: number): number {
    const entry = this.mmu.recent(address, access);
    if (entry !== null && entry.ownedIn === this.coherence.epoch) return entry.frame * PAGE_SIZE + (address & PAGE_MASK);
    return this.#data(address, access, entry);
  }

  /** As `data`, where the frame is not known to be this core's alone. */
  #data(address: number, access: number, entry: TlbEntry | null): number {
    const physical = entry === null ? this.mmu.translate(address, access) : entry.frame * PAGE_SIZE + (address & PAGE_MASK);
    if (physical < 0) return -1;
    const { coherence } = this;
    coherence.touch(this, physical, (access & 2) !== 0);
    if (entry !== null && coherence.frameOwner(physical) === this.coreTag) entry.ownedIn = coherence.epoch;
    return physical;
  }

  /** @throws HardwareError INVALID_OPCODE on a processor without protection keys, where WRPKRU raises #UD */
  wrpkru(value: number): void {
    this.#requirePku('WRPKRU');
    this.charge(HwStep.wrpkru);
    this.mmu.pkru = value | 0;
  }

  /** @throws HardwareError INVALID_OPCODE on a processor without protection keys */
  rdpkru(): number {
    this.#requirePku('RDPKRU');
    this.charge(HwStep.rdpkru);
    return this.mmu.pkru >>> 0;
  }

  wrfsbase(value: number): void {
    this.charge(HwStep.wrfsbase);
    this.fsBase = value;
  }

  rdfsbase(): number {
    this.charge(HwStep.rdfsbase);
    return this.fsBase;
  }

  /** Sends an interrupt to `target`; it arrives after the delivery time. Charge the sending step beforehand. */
  sendInterrupt(target: Cpu, vector: number): void {
    target.expect(vector, this.clock + this.#ipiDelivery);
  }

  /** Stores to the line that `target` monitors: wakes it from MWAIT or polling. */
  triggerMonitor(target: Cpu): void {
    if (target.halted && !target.#monitor.armed) this.#arm(target.#monitor, this.clock + this.#monitorWake);
  }

  /** An interrupt will be raised here at `time`. */
  expect(vector: number, time: number): void {
    const flight = this.#spare.pop() ?? new InterruptInFlight(this);
    flight.vector = vector;
    this.#arm(flight, time);
  }

  recycle(flight: InterruptInFlight): void {
    this.#spare.push(flight);
  }

  /** An interrupt is raised: it becomes pending, and ends a halt. */
  raise(vector: number, time: number): void {
    const word = vector >>> 5;
    const bit = 1 << (vector & 31);
    if (vector === Vector.nmi) {
      this.nmiPending = true;
    } else if (vector >>> 4 <= this.#priority) {
      this.#held[word] = (this.#held[word] as number) | bit;
      return;
    } else if (((this.#requested[word] as number) & bit) === 0) {
      this.#requested[word] = (this.#requested[word] as number) | bit;
      this.pending++;
    }
    if (this.halted) this.wake(time);
  }

  /** The local APIC lets vectors above a priority class through, 0 .. 15: vector / 16 must be higher. */
  admitAbove(priority: number): void {
    this.#priority = priority;
    for (let vector = 16; vector < 256; vector++) {
      const [from, to] = vector >>> 4 <= priority ? [this.#requested, this.#held] : [this.#held, this.#requested];
      const word = vector >>> 5;
      const bit = 1 << (vector & 31);
      if (((from[word] as number) & bit) === 0) continue;
      from[word] = (from[word] as number) & ~bit;
      if (to === this.#held) {
        this.#held[word] = (this.#held[word] as number) | bit;
        this.pending--;
      } else {
        this.raise(vector, this.clock);
      }
    }
    if (this.interruptible) this.endTurnBy(0);
  }

  /** Stops executing until an interrupt or a store to the monitored line. */
  halt(): void {
    if (this.#pmu !== null) this.#pmu.pause();
    this.halted = true;
    this.haltedAt = this.clock;
    this.#activity(this);
  }

  /**
   * The context computes for `work.cycles` cycles and touches nothing meanwhile that another core could see or change. The
   * core takes no turns until they have passed or an interrupt comes; then what was done is booked under `step` and taken
   * off `work.cycles`, and the context is resumed. Cores that compute side by side cost the model nothing.
   */
  work(step: number, work: Work): void {
    if (this.interruptible) return;
    this.#work = work;
    this.#workStep = step;
    this.halted = true;
    this.haltedAt = this.clock;
    this.#arm(this.#monitor, this.clock + work.cycles);
    this.#activity(this);
  }

  /** Ends a halt at `time`. The time waited is booked as idle; a path on its way to this core arrives. */
  wake(time: number): void {
    if (!this.halted) return;
    this.#queue.cancel(this.#monitor);
    this.halted = false;
    const waited = Math.max(0, time - this.clock);
    const work = this.#work;
    if (work === null) {
      this.advanceTo(this.clock + waited);
      this.ownLedger.book(HwStep.idle, waited);
      if (this.#pmu !== null) this.#pmu.resume();
    } else {
      this.#work = null;
      this.chargeCycles(this.#workStep, waited);
      work.cycles = Math.max(0, work.cycles - waited);
    }
    this.#activity(this);
  }

  /** One turn: takes a pending interrupt if it may, else goes on with the context. */
  step(): void {
    if (this.nmiPending && !this.nmiBlocked) {
      this.nmiPending = false;
      this.nmiBlocked = true;
      this.interruptsTaken++;
      this.trap.nmi(this);
    } else if (this.pending > 0 && this.interruptsEnabled) {
      this.interruptsTaken++;
      const vector = this.#accept();
      if (this.#apic !== null) this.#apic.accepted(vector);
      this.trap.interrupt(this, vector);
    } else {
      this.context.resume(this);
    }
  }

  /** What IRET does besides returning: NMIs are let through again, whatever the IRET returns from (SDM vol. 3, 7.7.1). */
  unblockNmi(): void {
    this.nmiBlocked = false;
    if (this.nmiPending) this.endTurnBy(0);
  }

  /** True if an interrupt would be taken now. */
  get interruptible(): boolean {
    return (this.pending > 0 && this.interruptsEnabled) || (this.nmiPending && !this.nmiBlocked);
  }

  /** Takes the pending vector of highest priority. */
  #accept(): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.#requested[word] as number;
      if (bits === 0) continue;
      const bit = 31 - Math.clz32(bits);
      this.#requested[word] = bits & ~(1 << bit);
      this.pending--;
      return word * 32 + bit;
    }
    throw new HardwareError('INVALID_ARGUMENT', `core ${this.id} accepts an interrupt while none is pending`);
  }

  #requirePku(instruction: string): void {
    if (!this.mmu.pke) {
      throw new HardwareError('INVALID_OPCODE', `${instruction} on ${this.costs.profile.name}, which has no protection keys: #UD`);
    }
  }
}
