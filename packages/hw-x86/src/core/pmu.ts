import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import type { CoreClock } from '../time/core-clock.js';
import { type EventQueue, TimedEvent } from '../time/event-queue.js';
import type { Cpu } from './cpu.js';
import { LocalApic } from './local-apic.js';

/**
 * What a counter counts. `cycles` and `refCycles` count while the processor is not halted, at the clock of the core and
 * of the TSC; only they can interrupt, because only their overflow can be foreseen. The others follow the model's counters.
 */
export type PmuEvent = 'cycles' | 'refCycles' | 'pageWalks' | 'stlbHits' | 'linesMoved' | 'interrupts';

/** How a counter is set up: an event-select register. */
export interface CounterSetup {
  readonly event: PmuEvent;
  /** The counter interrupts when it overflows. `cycles` and `refCycles` only. */
  readonly interrupt?: boolean;
}

/** What the performance-monitoring unit needs from its processor. */
export interface PmuProcessor extends CoreClock {
  readonly halted: boolean;
  readonly interruptsTaken: number;
  readonly mmu: { readonly walks: number; readonly stlbHits: number };
}

/** Counters are 48 bits wide on all profiles. A negative start value makes one overflow after so many events. */
const MODULUS = 2 ** 48;

/**
 * The performance-monitoring unit of one processor: general-purpose counters whose overflow is signalled through the
 * local APIC's performance-counter entry, usually as an NMI. The interrupt comes a while after the overflow
 * (profile: `pmu.delivery`); stopping the counter in between does not prevent it.
 *
 * How a handler learns what overflowed depends on the profile's `pmu.model`:
 * `intel` and `amd-v2` (PerfMonV2) have a global status register, whose bits stay set until they are cleared;
 * `amd` has none, so a handler tests the top bit of each counter that it believes to be running.
 * Intel's APIC masks the performance-counter entry with each interrupt, and the handler must unmask it; AMD's does not.
 */
export class Pmu {
  readonly #cpu: PmuProcessor;
  readonly #apic: LocalApic;
  readonly #counters: readonly Counter[];
  /** Overflow bits, by counter. Not visible to programs on `amd`. */
  #status = 0;
  #enabled = 0;
  /** Interrupts sent to the local APIC since boot. */
  interrupts = 0;

  /** The counters of `cpu`; they come into being when first asked for. */
  static of(cpu: Cpu): Pmu {
    cpu.pmu ??= new Pmu(cpu, LocalApic.of(cpu), cpu.queue, cpu.arm);
    return cpu.pmu;
  }

  /** @param apic where overflows are signalled */
  constructor(cpu: PmuProcessor, apic: LocalApic, queue: EventQueue, arm: (event: TimedEvent, time: number) => void) {
    this.#cpu = cpu;
    this.#apic = apic;
    const { profile } = cpu.costs;
    const delivery = cpu.costs.ns(profile.pmu.delivery);
    const environment = {
      cpu,
      queue,
      arm,
      delivery,
      overflow: (index: number) => this.#overflow(index),
      signal: (time: number) => this.#signal(time),
    };
    this.#counters = Array.from({ length: profile.pmu.counters }, (_, index) => new Counter(index, environment));
  }

  get counters(): number {
    return this.#counters.length;
  }

  /**
   * Writes an event-select register; the counter stays stopped until `enable`.
   * @throws HardwareError INVALID_ARGUMENT for a counter that is not there, or an interrupt on an event that cannot have one
   */
  program(index: number, setup: CounterSetup): void {
    const counter = this.#counter(index);
    if (setup.interrupt === true && setup.event !== 'cycles' && setup.event !== 'refCycles') {
      throw new HardwareError('INVALID_ARGUMENT', `setup.interrupt: a counter of ${setup.event} cannot interrupt; use cycles or refCycles`);
    }
    this.#cpu.charge(HwStep.wrmsr);
    this.#enabled &= ~(1 << index);
    counter.stop();
    counter.setup = setup;
  }

  /** Sets a counter: -n makes it overflow after n events. @param value -2^47 .. 2^48-1 */
  write(index: number, value: number): void {
    const counter = this.#counter(index);
    if (!Number.isInteger(value) || value < -MODULUS / 2 || value >= MODULUS) {
      throw new HardwareError('INVALID_ARGUMENT', `value: ${value} does not fit a 48-bit counter; use -2^47 .. 2^48-1`);
    }
    this.#cpu.charge(HwStep.wrmsr);
    counter.set((value + MODULUS) % MODULUS);
  }

  /** RDPMC: the counter as a 48-bit unsigned number. */
  read(index: number): number {
    const counter = this.#counter(index);
    this.#cpu.charge(HwStep.rdpmc);
    return counter.value;
  }

  /** True when the counter's top bit is clear: one started below zero has overflowed. Costs an RDPMC. */
  wrapped(index: number): boolean {
    return this.read(index) < MODULUS / 2;
  }

  /** Starts the counters of `mask` and stops all others. */
  enable(mask: number): void {
    this.#cpu.charge(HwStep.wrmsr);
    this.#enabled = mask & ((1 << this.#counters.length) - 1);
    for (const counter of this.#counters) {
      if ((this.#enabled & (1 << counter.index)) === 0) counter.stop();
      else if (!this.#cpu.halted) counter.start();
    }
  }

  /** Counters that are started, as bits. */
  get enabled(): number {
    return this.#enabled;
  }

  /** The profile has a register that says which counters overflowed. */
  get hasStatus(): boolean {
    return this.#cpu.costs.profile.pmu.model !== 'amd';
  }

  /** Reads the global status register: overflow bits. @throws HardwareError GENERAL_PROTECTION where there is none */
  readStatus(): number {
    this.#requireStatus();
    this.#cpu.charge(HwStep.rdmsr);
    return this.#status;
  }

  /** Clears bits of the global status register. @throws HardwareError GENERAL_PROTECTION where there is none */
  clearStatus(mask: number): void {
    this.#requireStatus();
    this.#cpu.charge(HwStep.wrmsr);
    this.#status &= ~mask;
  }

  /** The processor halts: cycles are no longer counted. */
  pause(): void {
    if (this.#enabled === 0) return;
    for (const counter of this.#counters) counter.stop();
  }

  /** The processor goes on. */
  resume(): void {
    if (this.#enabled === 0) return;
    for (const counter of this.#counters) if ((this.#enabled & (1 << counter.index)) !== 0) counter.start();
  }

  #overflow(index: number): void {
    this.#status |= 1 << index;
  }

  #signal(time: number): void {
    this.interrupts++;
    this.#apic.performanceInterrupt(time);
  }

  #counter(index: number): Counter {
    const counter = this.#counters[index];
    if (counter === undefined) {
      const { name } = this.#cpu.costs.profile;
      throw new HardwareError('INVALID_ARGUMENT', `index: ${index} is not a counter of ${name}; use 0 .. ${this.#counters.length - 1}`);
    }
    return counter;
  }

  #requireStatus(): void {
    if (this.hasStatus) return;
    const { name } = this.#cpu.costs.profile;
    throw new HardwareError(
      'GENERAL_PROTECTION',
      `${name} has no global status register (PerfMonV2): #GP; test the top bit of each counter`,
    );
  }
}

interface CounterEnvironment {
  readonly cpu: PmuProcessor;
  readonly queue: EventQueue;
  readonly arm: (event: TimedEvent, time: number) => void;
  /** From an overflow to the interrupt, TSC cycles. */
  readonly delivery: number;
  readonly overflow: (index: number) => void;
  readonly signal: (time: number) => void;
}

/** One counter. While it runs its value is the one it started from plus what its source has counted since. */
class Counter {
  readonly index: number;
  setup: CounterSetup = { event: 'cycles' };
  readonly #environment: CounterEnvironment;
  readonly #wrap: Moment;
  readonly #interrupt: Moment;
  #running = false;
  #base = 0;
  #since = 0;

  constructor(index: number, environment: CounterEnvironment) {
    this.index = index;
    this.#environment = environment;
    this.#interrupt = new Moment(environment.signal);
    this.#wrap = new Moment((time) => this.#overflow(time));
  }

  get value(): number {
    const counted = this.#running ? Math.floor((this.#source() - this.#since) * this.#rate) : 0;
    return (this.#base + counted) % MODULUS;
  }

  set(value: number): void {
    const running = this.#running;
    this.stop();
    this.#base = value;
    if (running) this.start();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#since = this.#source();
    const { event } = this.setup;
    if (event === 'cycles' || event === 'refCycles') this.#arm();
  }

  stop(): void {
    if (!this.#running) return;
    this.#base = this.value;
    this.#running = false;
    this.#environment.queue.cancel(this.#wrap);
  }

  #arm(): void {
    this.#environment.arm(this.#wrap, this.#since + Math.ceil((MODULUS - this.#base) / this.#rate));
  }

  #overflow(time: number): void {
    this.#base = 0;
    this.#since = time;
    this.#environment.overflow(this.index);
    if (this.setup.interrupt === true) this.#environment.arm(this.#interrupt, time + this.#environment.delivery);
    this.#arm();
  }

  /** Events per unit of the source. */
  get #rate(): number {
    return this.setup.event === 'cycles' ? 1 / this.#environment.cpu.costs.tscPerCore : 1;
  }

  #source(): number {
    const { cpu } = this.#environment;
    switch (this.setup.event) {
      case 'cycles':
      case 'refCycles':
        return cpu.clock;
      case 'pageWalks':
        return cpu.mmu.walks;
      case 'stlbHits':
        return cpu.mmu.stlbHits;
      case 'linesMoved':
        return cpu.linesMoved;
      case 'interrupts':
        return cpu.interruptsTaken;
    }
  }
}

/** An event that calls a function. */
class Moment extends TimedEvent {
  readonly #then: (time: number) => void;

  constructor(then: (time: number) => void) {
    super();
    this.#then = then;
  }

  override fire(): void {
    this.#then(this.time);
  }
}
