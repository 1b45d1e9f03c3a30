import type { CostModel } from '../costs/cost-model.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { PAGE_MASK, PAGE_SIZE } from '../memory/address.js';
import type { CoherenceDirectory, TransferCost } from '../memory/coherence.js';
import type { LockingCore } from '../memory/kernel-lock.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { FaultCode, Mmu } from '../mmu/mmu.js';
import type { TlbEntry } from '../mmu/tlb.js';
import type { HardwareSeams } from '../seams.js';
import { CoreClock, type CpuPlace } from '../time/core-clock.js';
import type { CriticalPath } from '../time/critical-path.js';
import type { Disturbance } from '../time/disturbance.js';
import type { EventQueue, TimedEvent } from '../time/event-queue.js';
import type { ExecutionContext, TrapHandler } from './execution-context.js';
import type { GuestMode } from './guest-mode.js';
import { Halt, type Work } from './halt.js';
import { InterruptFlights } from './interrupt-flights.js';
import { InterruptLines } from './interrupt-lines.js';
import { Vector } from './interrupts.js';
import { LoadStoreUnit } from './load-store-unit.js';
import type { LocalApic } from './local-apic.js';
import type { Pmu } from './pmu.js';

/** What a core needs from the machine around it. */
export interface CpuEnvironment {
  readonly costs: CostModel;
  readonly memory: PhysicalMemory;
  readonly queue: EventQueue;
  /** Arms an event so that the running core does not pass it. */
  readonly arm: (event: TimedEvent, time: number) => void;
  readonly coherence: CoherenceDirectory;
  readonly transfer: TransferCost;
  readonly path: CriticalPath;
  /** TSC when the machine is switched on. */
  readonly bootTime: number;
  readonly disturbance: Disturbance | null;
  readonly events: HardwareSeams['events'];
  /** All processors of the machine, this one among them. */
  readonly cpus: readonly Cpu[];
  /** Called when the core becomes runnable or stops being so. */
  readonly activity: (cpu: Cpu) => void;
}

/** One logical processor: its clock, registers, MMU, pending interrupts, and what it is executing. */
export class Cpu extends CoreClock {
  readonly memory: PhysicalMemory;
  readonly mmu: Mmu;
  /** Loads and stores of any size, at any address. */
  readonly lsu: LoadStoreUnit;
  readonly coherence: CoherenceDirectory;
  readonly transfer: TransferCost;
  readonly path: CriticalPath;
  /** Small differences between one time and the next; null: there are none. */
  readonly disturbance: Disturbance | null;

  /** What the core executes. */
  context: ExecutionContext;
  trap: TrapHandler;

  /** IA32_FS_BASE: the user's thread pointer. */
  fsBase = 0;
  gsBase = 0;
  /** EFLAGS.IF. */
  interruptsEnabled = true;
  /** Interrupts and NMIs since boot. */
  interruptsTaken = 0;
  /** Returns from the kernel to user mode since boot. */
  userEntries = 0;

  /** Performance counters, from the first `Pmu.of` on: a bundle whose programs use none does not carry them. */
  pmu: Pmu | null = null;
  /** VMX non-root operation, from the first `GuestMode.of` on; likewise. */
  guest: GuestMode | null = null;
  /** Its local APIC, from the first `LocalApic.of` on; likewise. */
  apic: LocalApic | null = null;
  /** All cores of the machine. */
  readonly cpus: readonly Cpu[];
  /** Events in the machine's time. */
  readonly queue: EventQueue;
  /** Puts an event of this core into the queue, to happen at `time`. */
  readonly arm: (event: TimedEvent, time: number) => void;

  /** Told of the locks that the kernel takes and releases. */
  readonly lockTaken: LockingCore['lockTaken'];
  readonly lockReleased: LockingCore['lockReleased'];

  readonly #lines = new InterruptLines();
  readonly #flights: InterruptFlights;
  readonly #halt: Halt;
  readonly #interruptTaken: HardwareSeams['events']['interruptTaken'];
  readonly #ipiSent: HardwareSeams['events']['ipiSent'];
  readonly #haltEntered: HardwareSeams['events']['haltEntered'];
  readonly #haltLeft: HardwareSeams['events']['haltLeft'];
  readonly #ipiDelivery: number;
  readonly #monitorWake: number;

  /** A core that is halted, as all are when the machine is switched on. */
  constructor(place: CpuPlace, environment: CpuEnvironment, context: ExecutionContext, trap: TrapHandler) {
    super(place, environment.costs);
    const { costs, queue, arm } = environment;
    this.memory = environment.memory;
    this.coherence = environment.coherence;
    this.transfer = environment.transfer;
    this.path = environment.path;
    this.disturbance = environment.disturbance;
    this.queue = queue;
    this.arm = arm;
    this.cpus = environment.cpus;
    const { events } = environment;
    this.#interruptTaken = events.interruptTaken;
    this.#ipiSent = events.ipiSent;
    this.#haltEntered = events.haltEntered;
    this.#haltLeft = events.haltLeft;
    this.lockTaken = events.lockTaken;
    this.lockReleased = events.lockReleased;
    this.context = context;
    this.trap = trap;
    this.advanceTo(environment.bootTime);
    this.#flights = new InterruptFlights(arm, (vector, time) => this.raise(vector, time));
    this.#halt = new Halt(
      this,
      queue,
      arm,
      (time) => this.wake(time),
      () => environment.activity(this),
    );
    this.#ipiDelivery = Math.round(costs.primitive('ipiDelivery'));
    this.#monitorWake = Math.round(costs.primitive('monitorWake'));
    this.mmu = new Mmu(this, environment.memory, costs.profile);
    this.lsu = new LoadStoreUnit(this);
  }

  /** Time-stamp counter, as RDTSC returns it when the instruction has completed. */
  rdtsc(): number {
    this.charge(HwStep.rdtsc);
    return this.clock;
  }

  /**
   * Physical address for a data access of the current context, or -1 with the fault left in the MMU.
   * Moves the line here if another core has it: the access must not reach beyond that line. `lsu` takes any.
   */
  data(address: number, access: number): number {
    const entry = this.mmu.recent(address, access);
    if (entry === null) return this.#translated(address, access);
    const physical = entry.frame * PAGE_SIZE + (address & PAGE_MASK);
    if (entry.ownedIn !== this.coherence.epoch) this.#touch(entry, physical, access);
    return physical;
  }

  /** As `data`, beyond the translations that were used last. */
  #translated(address: number, access: number): number {
    const physical = this.mmu.translate(address, access);
    if (physical >= 0) this.coherence.touch(this, physical, (access & FaultCode.write) !== 0);
    return physical;
  }

  /** Moves a line here, of a frame that is not known to be this core's alone. */
  #touch(entry: TlbEntry, physical: number, access: number): void {
    const { coherence } = this;
    coherence.touch(this, physical, (access & FaultCode.write) !== 0);
    if (coherence.frameOwner(physical) === this.coreTag) entry.ownedIn = coherence.epoch;
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

  /** `cycles` of a latency outside the core, as long as it takes this time. */
  latency(cycles: number): number {
    return this.disturbance === null ? cycles : this.disturbance.latency(cycles);
  }

  /** Sends an interrupt to `target`; it arrives after the delivery time. The caller charges the sending step first. */
  sendInterrupt(target: Cpu, vector: number): void {
    const arrival = this.clock + this.latency(this.#ipiDelivery);
    if (this.#ipiSent.observed) this.#ipiSent.emit(this.id, this.clock, target.id, vector, arrival);
    target.expect(vector, arrival);
  }

  /** Stores to the line that `target` monitors: wakes it from MWAIT or polling. */
  triggerMonitor(target: Cpu): void {
    target.#halt.expectStore(this.clock + this.latency(this.#monitorWake));
  }

  /** An interrupt will be raised here at `time`. */
  expect(vector: number, time: number): void {
    this.#flights.send(vector, time);
  }

  /** An interrupt is raised at `time`: it becomes pending, and ends a halt. */
  raise(vector: number, time: number): void {
    if (this.#lines.request(vector)) this.wake(time);
  }

  /** The local APIC lets vectors above a priority class through, 0 .. 15: vector / 16 must be higher. */
  admitAbove(priority: number): void {
    if (this.#lines.admitAbove(priority)) this.wake(this.clock);
    if (this.interruptible) this.endTurnBy(0);
  }

  /** In HLT or MWAIT, or at work: the core takes no turns. */
  get halted(): boolean {
    return this.#halt.active;
  }

  /** When the present halt began, or the last one. */
  get haltedAt(): number {
    return this.#halt.since;
  }

  /** Stops executing until an interrupt or a store to the monitored line. */
  halt(): void {
    if (this.pmu !== null) this.pmu.pause();
    this.#halt.begin();
    if (this.#haltEntered.observed) this.#haltEntered.emit(this.id, this.clock);
  }

  /**
   * The context computes for `work.cycles` cycles and touches nothing meanwhile that another core could see or change. The
   * core takes no turns until they have passed or an interrupt comes; then what was done is booked under `step` and taken
   * off `work.cycles`, and the context is resumed. Cores that compute side by side cost the model nothing.
   */
  work(step: number, work: Work): void {
    if (!this.interruptible) this.#halt.beginWork(step, work);
  }

  /** Ends a halt at `time`. The time waited is booked as idle; a path on its way to this core arrives. */
  wake(time: number): void {
    const halt = this.#halt;
    if (!halt.active || !halt.end(time)) return;
    if (this.pmu !== null) this.pmu.resume();
    if (this.#haltLeft.observed) this.#haltLeft.emit(this.id, this.clock, halt.since);
  }

  /** One turn: takes a pending interrupt if it may, else goes on with the context. */
  step(): void {
    const lines = this.#lines;
    if (lines.nmiPending && !lines.nmiBlocked) {
      lines.nmiPending = false;
      lines.nmiBlocked = true;
      this.interruptsTaken++;
      if (this.#interruptTaken.observed) this.#interruptTaken.emit(this.id, this.clock, Vector.nmi);
      this.trap.nmi(this);
    } else if (lines.pending > 0 && this.interruptsEnabled) {
      this.interruptsTaken++;
      const vector = lines.accept();
      if (this.apic !== null) this.apic.accepted(vector);
      if (this.#interruptTaken.observed) this.#interruptTaken.emit(this.id, this.clock, vector);
      this.trap.interrupt(this, vector);
    } else {
      this.context.resume(this);
    }
  }

  /** What IRET does besides returning: NMIs are let through again, whatever the IRET returns from (SDM vol. 3, 7.7.1). */
  unblockNmi(): void {
    this.#lines.nmiBlocked = false;
    if (this.#lines.nmiPending) this.endTurnBy(0);
  }

  /** Vectors that wait for `interruptsEnabled`. */
  get pending(): number {
    return this.#lines.pending;
  }

  /** An NMI waits. */
  get nmiPending(): boolean {
    return this.#lines.nmiPending;
  }

  /** NMIs wait, because one was taken and no IRET has come since. */
  get nmiBlocked(): boolean {
    return this.#lines.nmiBlocked;
  }

  /** True if an interrupt would be taken now. */
  get interruptible(): boolean {
    const lines = this.#lines;
    return (lines.pending > 0 && this.interruptsEnabled) || (lines.nmiPending && !lines.nmiBlocked);
  }

  #requirePku(instruction: string): void {
    if (!this.mmu.pke) {
      throw new HardwareError('INVALID_OPCODE', `${instruction} on ${this.costs.profile.name}, which has no protection keys: #UD`);
    }
  }
}
