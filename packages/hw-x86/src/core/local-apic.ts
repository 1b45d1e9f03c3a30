import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import type { CoreClock } from '../time/core-clock.js';
import { type EventQueue, TimedEvent } from '../time/event-queue.js';
import type { Cpu } from './cpu.js';
import { Vector } from './interrupts.js';

/** How an interrupt is delivered (SDM vol. 3, 11.5.1): by its vector, or as an NMI, which has none. */
export type DeliveryMode = 'fixed' | 'nmi';

/** What the timer does when its count or its deadline is reached. */
export type TimerMode = 'one-shot' | 'periodic' | 'tsc-deadline';

/** What a local APIC needs from a processor: its own, and those it sends interrupts to. */
export interface ApicProcessor extends CoreClock {
  /** An interrupt is raised at `time`. */
  raise(vector: number, time: number): void;
  /** Vectors of higher classes than this one, 0 .. 15, are let through. */
  admitAbove(priorityClass: number): void;
  /** Sends an interrupt, which arrives after the delivery time. */
  sendInterrupt(target: ApicProcessor, vector: number): void;
}

/** The target of an inter-processor interrupt. */
export type Destination = ApicProcessor | 'self' | 'others' | 'all';

/** Ratios by which the timer's clock can be divided. */
const DIVISORS = [1, 2, 4, 8, 16, 32, 64, 128];

/**
 * The local APIC of one processor, in x2APIC mode: every register access is a WRMSR. Its timer counts at the frequency
 * of the crystal (`clock.apicMHz` of the profile); its performance-counter entry receives the PMU's overflows.
 *
 * Pending interrupts are taken highest vector first, and only if their priority class, vector / 16, is above the processor's:
 * the higher of the task priority and of what is in service.
 */
export class LocalApic {
  readonly #cpu: ApicProcessor;
  readonly #all: readonly ApicProcessor[];
  readonly #timer: ApicTimer;
  /**
   * Handlers must write EOI. Until then their vector is in service and holds back its class and lower ones. Off by default, as if
   * every handler began with EOI.
   */
  needsEoi = false;
  /** Vectors taken and not ended, in ascending order: each was above the one before. */
  readonly #inService: number[] = [];
  #taskPriority = 0;
  #performance: { mode: DeliveryMode; vector: number; masked: boolean } = { mode: 'nmi', vector: 0, masked: true };

  /** That of `cpu`; it comes into being when first asked for. */
  static of(cpu: Cpu): LocalApic {
    cpu.apic ??= new LocalApic(cpu, cpu.cpus, cpu.queue, cpu.arm);
    return cpu.apic;
  }

  /** @param all the processors of the machine, for interrupts to several of them */
  constructor(cpu: ApicProcessor, all: readonly ApicProcessor[], queue: EventQueue, arm: (event: TimedEvent, time: number) => void) {
    this.#cpu = cpu;
    this.#all = all;
    this.#timer = new ApicTimer(cpu, queue, arm);
  }

  /**
   * Writes the timer's entry and its divisor; stops the timer.
   * @param divisor 1, 2, 4 .. 128; means nothing in `tsc-deadline` mode
   */
  configureTimer(mode: TimerMode, vector: number, divisor = 1, delivery: 'masked' | 'unmasked' = 'unmasked'): void {
    requireVector(vector, 'vector');
    if (!DIVISORS.includes(divisor))
      throw new HardwareError('INVALID_ARGUMENT', `divisor: ${divisor} is not one of ${DIVISORS.join(', ')}`);
    this.#cpu.charge(HwStep.wrmsr);
    this.#timer.configure(mode, vector, divisor, delivery === 'masked');
  }

  /** Starts the timer at `count`, 0 .. 2^32-1; 0 stops it. Ignored in `tsc-deadline` mode, as by the processor. */
  startTimer(count: number): void {
    if (!Number.isInteger(count) || count < 0 || count >= 2 ** 32) {
      throw new HardwareError('INVALID_ARGUMENT', `count: ${count} does not fit the 32-bit initial-count register`);
    }
    this.#cpu.charge(HwStep.wrmsr);
    this.#timer.start(count);
  }

  /** Writes the task priority register. @param value 0 .. 255: bits 7:4 are the class up to which interrupts wait */
  writeTaskPriority(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new HardwareError('INVALID_ARGUMENT', `value: ${value} does not fit the task priority register; use 0 .. 255`);
    }
    this.#cpu.charge(HwStep.wrmsr);
    this.#taskPriority = value;
    this.#admit();
  }

  /** Task priority register. */
  get taskPriority(): number {
    return this.#taskPriority;
  }

  /** Processor priority register (SDM vol. 3, 11.8.3.1): the higher class of task priority and what is in service. */
  get processorPriority(): number {
    const inService = (this.#inService.at(-1) ?? 0) & 0xf0;
    return (this.#taskPriority & 0xf0) >= inService ? this.#taskPriority : inService;
  }

  /** Vectors in service, in ascending order. */
  get inService(): readonly number[] {
    return this.#inService;
  }

  /** Writes EOI: the highest vector in service is done. Without one nothing happens, as on the processor. */
  eoi(): void {
    this.#cpu.charge(HwStep.wrmsr);
    this.#inService.pop();
    this.#admit();
  }

  /** The processor takes an interrupt. */
  accepted(vector: number): void {
    if (!this.needsEoi) return;
    this.#inService.push(vector);
    this.#admit();
  }

  #admit(): void {
    this.#cpu.admitAbove(this.processorPriority >>> 4);
  }

  /** What is left of the count; 0 when the timer is stopped or waits for a deadline. */
  readTimer(): number {
    this.#cpu.charge(HwStep.rdmsr);
    return this.#timer.count;
  }

  /** IA32_TSC_DEADLINE: interrupts when the TSC reaches `time`, at once if it has; 0 disarms. Ignored in the other modes. */
  writeTscDeadline(time: number): void {
    this.#cpu.charge(HwStep.wrmsr);
    this.#timer.deadline(time);
  }

  /** Writes the performance-counter entry; this is also how it is unmasked. @param vector for `fixed` delivery */
  configurePerformanceCounter(mode: DeliveryMode, vector = 0): void {
    if (mode === 'fixed') requireVector(vector, 'vector');
    this.#cpu.charge(HwStep.wrmsr);
    this.#performance = { mode, vector, masked: false };
  }

  /** The performance-counter entry is masked: overflows raise no interrupt. */
  get performanceCounterMasked(): boolean {
    return this.#performance.masked;
  }

  /** The PMU signals an overflow at `time`. Intel masks the entry with each delivery (SDM vol. 3, 11.5.1), AMD does not. */
  performanceInterrupt(time: number): void {
    const { mode, vector, masked } = this.#performance;
    if (masked) return;
    if (this.#cpu.costs.profile.vendor === 'intel') this.#performance.masked = true;
    this.#cpu.raise(mode === 'nmi' ? Vector.nmi : vector, time);
  }

  /** Writes the interrupt command register. @throws HardwareError INVALID_ARGUMENT for a fixed vector below 16 */
  sendIpi(to: Destination, mode: DeliveryMode, vector = 0): void {
    if (mode === 'fixed') requireVector(vector, 'vector');
    const cpu = this.#cpu;
    cpu.charge(HwStep.ipiSend);
    const number = mode === 'nmi' ? Vector.nmi : vector;
    if (to === 'self') {
      cpu.sendInterrupt(cpu, number);
    } else if (to === 'others' || to === 'all') {
      for (const other of this.#all) if (other !== cpu || to === 'all') cpu.sendInterrupt(other, number);
    } else {
      cpu.sendInterrupt(to, number);
    }
  }
}

/** The timer of a local APIC. The one event is its next expiry. */
class ApicTimer extends TimedEvent {
  readonly #cpu: ApicProcessor;
  readonly #queue: EventQueue;
  readonly #arm: (event: TimedEvent, time: number) => void;
  /** TSC cycles per count, divisor aside. */
  readonly #tick: number;
  #mode: TimerMode = 'one-shot';
  #vector = 0;
  #masked = true;
  #divisor = 1;
  #initial = 0;
  #startedAt = 0;
  #expiries = 0;

  constructor(cpu: ApicProcessor, queue: EventQueue, arm: (event: TimedEvent, time: number) => void) {
    super();
    this.#cpu = cpu;
    this.#queue = queue;
    this.#arm = arm;
    const { tscGHz, apicMHz } = cpu.costs.profile.clock;
    this.#tick = (tscGHz * 1000) / apicMHz;
  }

  configure(mode: TimerMode, vector: number, divisor: number, masked: boolean): void {
    this.#queue.cancel(this);
    this.#mode = mode;
    this.#vector = vector;
    this.#divisor = divisor;
    this.#masked = masked;
  }

  start(count: number): void {
    if (this.#mode === 'tsc-deadline') return;
    this.#queue.cancel(this);
    this.#initial = count;
    this.#startedAt = this.#cpu.clock;
    this.#expiries = 0;
    if (count > 0) this.#armNext();
  }

  deadline(time: number): void {
    if (this.#mode !== 'tsc-deadline') return;
    this.#queue.cancel(this);
    if (time > 0) this.#arm(this, Math.max(time, this.#cpu.clock));
  }

  get count(): number {
    if (!this.armed || this.#mode === 'tsc-deadline') return 0;
    return Math.max(0, Math.ceil((this.time - this.#cpu.clock) / (this.#tick * this.#divisor)));
  }

  override fire(): void {
    if (!this.#masked) this.#cpu.raise(this.#vector, this.time);
    if (this.#mode === 'periodic') this.#armNext();
  }

  /** Expiries are reckoned from the start, so that rounding to whole TSC cycles does not add up. */
  #armNext(): void {
    this.#expiries++;
    this.#arm(this, this.#startedAt + Math.round(this.#expiries * this.#initial * this.#divisor * this.#tick));
  }
}

function requireVector(vector: number, argument: string): void {
  if (!Number.isInteger(vector) || vector < 16 || vector > 255) {
    throw new HardwareError('INVALID_ARGUMENT', `${argument}: ${vector} is not an interrupt vector; use 16 .. 255`);
  }
}
