import { type Cpu, HwStep, LocalApic, Pmu } from '@rpal/hw-x86';
import type { PerfEvent, SampleTally } from './perf-event.js';
import { SampleStep } from './steps.js';

/** Counters are 48 bits wide; one that has not overflowed since it was set to -n has its top bit set. */
const MODULUS = 2 ** 48;
/** How often `amd_pmu_wait_on_overflow` looks, one microsecond apart. */
const OVERFLOW_WAIT_COUNT = 50;

/** How one kernel treats late NMIs. */
export interface LateNmis {
  /** NMIs without a counter are claimed this long after one with (`perf_nmi_window`), ns. 0: never, as before Linux 5.1. */
  readonly windowNs: number;
}

/** One CPU's driver of its first counter (arch/x86/events): which event it counts, and what an NMI means. */
export class CpuPmu {
  readonly #cpu: Cpu;
  readonly #pmu: Pmu;
  readonly #tally: SampleTally;
  readonly #late: LateNmis;
  readonly #intel: boolean;
  #event: PerfEvent | null = null;
  #ready = false;
  /** Until when NMIs without a counter are claimed, TSC cycles. */
  #claimUntil = 0;
  /** An NMI before this time has been handled already: it was in flight when its event left the CPU. */
  #anticipatedUntil = 0;
  /** Patch 32, `rpal_nmi`: a lazy switch within the entry of an NMI is under way, with the fix in force. */
  inNmiSwitch = false;

  constructor(cpu: Cpu, tally: SampleTally, late: LateNmis) {
    this.#cpu = cpu;
    this.#tally = tally;
    this.#late = late;
    this.#pmu = Pmu.of(cpu);
    this.#intel = cpu.costs.profile.vendor === 'intel';
  }

  /** The task that has the event gets the CPU (`perf_event_task_sched_in`). */
  schedIn(event: PerfEvent): void {
    const apic = LocalApic.of(this.#cpu);
    const pmu = this.#pmu;
    if (!this.#ready) {
      this.#ready = true;
      apic.configurePerformanceCounter('nmi');
      pmu.program(0, { event: 'refCycles', interrupt: true });
    }
    this.#cpu.charge(SampleStep.switchEvent);
    pmu.write(0, -event.left);
    pmu.enable(1);
    this.#event = event;
  }

  /**
   * It loses the CPU (`perf_event_task_sched_out`). An overflow whose NMI is not handled by now is lost. That can only be
   * while NMIs are blocked: otherwise the NMI has come in the middle of the kernel code that leads here, which the model
   * executes as one step, so it is handled here and now.
   */
  schedOut(task: string): void {
    const event = this.#event;
    if (event === null) return;
    const cpu = this.#cpu;
    cpu.charge(SampleStep.switchEvent);
    this.#pmu.enable(0);
    if (!this.#intel) this.#checkOverflow();
    this.#event = null;
    const value = this.#pmu.read(0);
    event.left = value >= MODULUS / 2 ? MODULUS - value : Math.max(1, event.period - value);
    if (value >= MODULUS / 2) return;
    if (cpu.nmiBlocked) {
      this.#tally.lost++;
      return;
    }
    cpu.charge(HwStep.nmi);
    cpu.charge(SampleStep.handler);
    this.#sample(task);
    this.#claimLate(1);
    this.#anticipatedUntil = cpu.clock + 2 * cpu.costs.ns(cpu.costs.profile.pmu.delivery);
  }

  /**
   * `amd_pmu_check_overflow`: an AMD counter that has overflowed will still interrupt, so that is waited for. It is not
   * when NMIs are blocked; Linux knows by `in_nmi()`, which is not true yet at the entry where the lazy switch happens.
   */
  #checkOverflow(): void {
    if (this.inNmiSwitch) return;
    // Unless NMIs are blocked, the overflow has been handled by the time of the second look.
    const turns = this.#cpu.nmiBlocked ? OVERFLOW_WAIT_COUNT : 1;
    for (let i = 0; i < turns && this.#pmu.wrapped(0); i++) {
      this.#cpu.charge(SampleStep.overflowWait);
      this.#tally.waitedUs++;
    }
  }

  /** The handler of this vendor. @returns causes found, 0 for an NMI that is none of the profiler's */
  handleNmi(task: string): number {
    if (this.#cpu.clock < this.#anticipatedUntil) {
      this.#anticipatedUntil = 0;
      if (this.#intel) LocalApic.of(this.#cpu).configurePerformanceCounter('nmi');
      return 1;
    }
    this.#tally.nmis++;
    this.#cpu.charge(SampleStep.handler);
    return this.#intel ? this.#handleIntel(task) : this.#claimLate(this.#handleAmd(task));
  }

  /** `intel_pmu_handle_irq`: the status register tells; a bit is a cause even if its event is gone. */
  #handleIntel(task: string): number {
    const apic = LocalApic.of(this.#cpu);
    const pmu = this.#pmu;
    // The entry was masked by the delivery.
    apic.configurePerformanceCounter('nmi');
    const status = pmu.readStatus();
    if (status === 0) return 0;
    pmu.clearStatus(status);
    this.#restart(task);
    return 1;
  }

  /** `x86_pmu_handle_irq`, or `amd_pmu_v2_handle_irq` where there is a status register: only active events count. */
  #handleAmd(task: string): number {
    const pmu = this.#pmu;
    if (!pmu.hasStatus) return this.#event !== null && this.#restart(task) ? 1 : 0;
    const status = pmu.readStatus();
    if (status !== 0) pmu.clearStatus(status);
    if (status === 0 || this.#event === null) return 0;
    this.#restart(task);
    return 1;
  }

  /** `amd_pmu_adjust_nmi_window`. */
  #claimLate(handled: number): number {
    const { clock, costs } = this.#cpu;
    if (handled > 0) {
      this.#claimUntil = clock + this.#late.windowNs * costs.tscPerNs;
      return handled;
    }
    if (clock >= this.#claimUntil) return 0;
    this.#tally.late++;
    return 1;
  }

  /** If the active event has overflowed: a sample, and the next period. @returns true if it had */
  #restart(task: string): boolean {
    const event = this.#event;
    const pmu = this.#pmu;
    if (event === null || !pmu.wrapped(0)) return false;
    this.#sample(task);
    event.left = event.period;
    pmu.write(0, -event.left);
    return true;
  }

  #sample(task: string): void {
    this.#cpu.charge(SampleStep.sample);
    const { samples } = this.#tally;
    samples.set(task, (samples.get(task) ?? 0) + 1);
  }
}
