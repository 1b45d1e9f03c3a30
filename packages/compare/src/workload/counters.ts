import type { Machine } from '@rpal/kernel';

/** What happened in a window of time, on all CPUs of a machine. */
export interface Counts {
  readonly kernelEntries: number;
  readonly contextSwitches: number;
  readonly pageFaults: number;
  /** Interrupts that CPUs have sent each other. */
  readonly ipis: number;
  /** Flushes of TLBs by munmap, mprotect and the like. */
  readonly tlbFlushes: number;
  /** Cache lines that came from another core. */
  readonly linesMoved: number;
}

const WHO = '@rpal/compare';

/** Counts by the events of a machine, from `begin` to `end`. The run is the same with it and without. @public for mechanisms of your own */
export class Counters {
  readonly #machine: Machine;
  readonly #counts: { -readonly [K in keyof Counts]: number } = {
    kernelEntries: 0,
    contextSwitches: 0,
    pageFaults: 0,
    ipis: 0,
    tlbFlushes: 0,
    linesMoved: 0,
  };
  /** TSC cycles that each CPU was halted. */
  readonly #halted: number[];
  /** When the present halt of a CPU began; NaN: it is in none that is known. */
  readonly #since: number[];
  readonly #undo: (() => void)[] = [];
  #began = 0;
  #ended = 0;
  #linesBefore = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#halted = machine.platform.cpus.map(() => 0);
    this.#since = machine.platform.cpus.map(() => Number.NaN);
  }

  /** @param time TSC cycles since boot */
  begin(time: number): void {
    const { kernel, platform } = this.#machine;
    const counts = this.#counts;
    this.#began = time;
    this.#linesBefore = this.#lines();
    for (const cpu of platform.cpus) {
      // A core at work takes no turns either, but it runs a task.
      if (cpu.halted && kernel.scheduler.runQueue(cpu).isIdle) this.#since[cpu.id] = cpu.haltedAt;
    }
    this.#undo.push(
      kernel.seams.events.syscallEnter.on(WHO, () => {
        counts.kernelEntries++;
      }),
      kernel.scheduler.seams.events.contextSwitch.on(WHO, () => {
        counts.contextSwitches++;
      }),
      platform.seams.events.ipiSent.on(WHO, () => {
        counts.ipis++;
      }),
      platform.seams.events.haltEntered.on(WHO, (cpu, now) => {
        this.#since[cpu] = now;
      }),
      platform.seams.events.haltLeft.on(WHO, (cpu, now, since) => {
        this.#since[cpu] = Number.NaN;
        this.#wasHalted(cpu, since, now);
      }),
      kernel.memory.seams.events.tlbFlush.on(WHO, () => {
        counts.tlbFlushes++;
      }),
      kernel.memory.seams.events.pageFault.on(WHO, () => {
        counts.pageFaults++;
      }),
    );
  }

  /** @param time TSC cycles since boot */
  end(time: number): void {
    for (const undo of this.#undo) undo();
    this.#undo.length = 0;
    this.#ended = time;
    this.#counts.linesMoved = this.#lines() - this.#linesBefore;
    for (const [cpu, since] of this.#since.entries()) if (!Number.isNaN(since)) this.#wasHalted(cpu, since, time);
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** TSC cycles of the window. */
  get elapsed(): number {
    return this.#ended - this.#began;
  }

  /** TSC cycles that a CPU was not halted. */
  busy(cpu: number): number {
    return this.elapsed - (this.#halted[cpu] as number);
  }

  #wasHalted(cpu: number, since: number, until: number): void {
    this.#halted[cpu] = (this.#halted[cpu] as number) + Math.max(0, until - Math.max(since, this.#began));
  }

  #lines(): number {
    return this.#machine.platform.cpus.reduce((sum, { linesMoved }) => sum + linesMoved, 0);
  }
}
