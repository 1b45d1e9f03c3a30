import type { Events } from '@rpal/bus';
import { type Cpu, Vector } from '@rpal/hw-x86';
import { LibStep } from '@rpal/librpal';
import type { RpalOptions } from '@rpal/rpal-core';
import { ExploreError } from '../errors.js';
import { strayFrame, taskState, violation } from '../scenarios/invariants.js';
import { type Scenario, Stage } from '../scenarios/scenario.js';
import { requireScenario } from './checks.js';
import { Choice, PATIENCE } from './choice.js';
import { CpuView, type Footprint, KERNEL, recordFootprints } from './footprint.js';

/** Chooses among what can happen next. */
export interface Strategy {
  /**
   * @param enabled choices that are possible now, ascending
   * @param usual what an ordinary machine would do: one of `enabled`
   * @param run the run so far
   */
  choose(enabled: readonly number[], usual: number, run: Run): number;
}

/** One step of a run, or the part of a kernel entry between two points at which others may come between. */
export interface Segment {
  readonly choice: number;
  readonly enabled: readonly number[];
  /** The order was not chosen any more. */
  readonly settled: boolean;
  /** Words read and written. */
  readonly reads: number[];
  readonly writes: number[];
}

export interface RunLimits {
  /** Choices after which the usual order is followed to the end. */
  readonly depth?: number;
  /** Steps after which a run that does not end counts as stuck. */
  readonly steps?: number;
  /** Record what each step touches. */
  readonly footprints?: boolean;
  /** Is given the machine's events before anything runs, to listen to them. */
  readonly listen?: (events: Events) => void;
  /** Turns to go on for after the first thing that is wrong. */
  readonly beyond?: number;
}

/** How a run ended. */
export interface RunResult {
  /** What went wrong, or null. */
  readonly failure: string | null;
  /** All choices that were made. */
  readonly schedule: readonly number[];
  /** Where a choice was not the usual one: index in the schedule, and the choice. */
  readonly deviations: readonly Deviation[];
  readonly steps: number;
}

export type Deviation = readonly [at: number, choice: number];

const NONE = -1;

/** One execution of a scenario from its beginning under a strategy. */
export class Run {
  readonly stage: Stage;
  readonly schedule: number[] = [];
  readonly segments: Segment[] = [];
  /** Told before each choice is carried out: for tools that show a run. `deviates`: it is not the usual one. */
  observer: ((choice: number, deviates: boolean) => void) | null = null;
  /** By CPU: the point of a kernel entry at which it is held while others have their turn, or null. */
  readonly heldAt: (string | null)[];
  readonly #scenario: Scenario;
  readonly #cpus: readonly Cpu[];
  readonly #depth: number;
  readonly #steps: number;
  readonly #beyond: number;
  readonly #footprint: Footprint | null;
  readonly #views: readonly CpuView[];
  /** CPUs in the middle of a step: others go on within it where a kernel entry is held. */
  readonly #within: boolean[];
  /** CPUs that spin on a lock: they wait until another one has had a turn. */
  readonly #spinning: boolean[];
  #strategy!: Strategy;
  #stopped = false;
  #last = 0;
  #lastFor = 0;
  #ticks: number;
  #nmis: number;
  readonly #deviations: Deviation[] = [];
  #failure: string | null = null;

  constructor(scenario: Scenario, options: RpalOptions, limits: RunLimits = {}) {
    requireScenario(scenario);
    this.#scenario = scenario;
    this.stage = new Stage(scenario, options);
    this.#cpus = this.stage.machine.platform.cpus;
    this.#depth = limits.depth ?? Number.POSITIVE_INFINITY;
    this.#steps = limits.steps ?? 200_000;
    this.#beyond = limits.beyond ?? 0;
    this.heldAt = this.#cpus.map(() => null);
    this.#within = this.#cpus.map(() => false);
    this.#spinning = this.#cpus.map(() => false);
    this.#ticks = scenario.ticks ?? 0;
    this.#nmis = scenario.nmis ?? 0;
    limits.listen?.(this.stage.machine.bus.events);
    scenario.setUp(this.stage);
    this.stage.machine.run();
    if (!this.stage.everybodyWaits)
      throw new ExploreError('INVALID_SCENARIO', `scenario ${scenario.name}: not all programs have met; each must call stage.meet()`);
    this.stage.open = true;
    this.#setOut();
    this.#footprint = limits.footprints === true ? recordFootprints(this.stage.machine) : null;
    this.#views = this.#footprint === null ? [] : this.#cpus.map((cpu) => new CpuView(cpu));
  }

  /** All programs leave the meeting, and are about to do what matters. */
  #setOut(): void {
    const { machine, gone, expected } = this.stage;
    for (let turns = 0; gone.size < expected; turns++) {
      if (turns > PATIENCE)
        throw new ExploreError('INVALID_SCENARIO', `scenario ${this.#scenario.name}: those who meet must be on CPUs of their own`);
      const cpu = this.#cpus.find(({ halted, id }) => !halted && !gone.has(id));
      if (cpu !== undefined) machine.platform.stepOnce(cpu);
      else machine.platform.queue.pop().fire();
    }
  }

  /** Runs to the end, or to the first thing that is wrong. */
  execute(strategy: Strategy): RunResult {
    const { stage } = this;
    const { kernel } = stage.machine;
    this.#strategy = strategy;
    try {
      stage.interleave = (cpu, point) => this.#between(cpu, point);
      for (let left = this.#beyond; !this.#stopped && !stage.over && kernel.processes.alive > 0 && (this.#failure === null || left > 0); ) {
        if (this.#failure !== null) left--;
        if (this.schedule.length >= this.#steps || !this.#next()) {
          const ends = this.schedule.length >= this.#steps ? 'does not end' : 'nothing can happen any more';
          this.#failure ??= `${ends}: ${this.#waiting()}`;
          break;
        }
        if (this.#scenario.unchecked !== true) this.#failure ??= violation(stage, this.heldAt) ?? strayFrame(stage);
      }
      if (!this.#stopped) this.#failure ??= (stage.over ? null : this.#ends()) ?? this.#scenario.verdict?.(stage) ?? null;
    } catch (error) {
      this.#failure ??= `${(error as Error).name}: ${(error as Error).message}`;
    } finally {
      stage.interleave = null;
    }
    return { failure: this.#failure, schedule: this.schedule, deviations: this.#deviations, steps: this.schedule.length };
  }

  /** The rest of the run has nothing new to show. */
  stop(): void {
    this.#stopped = true;
  }

  /** The first thing that went wrong so far. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Makes a choice and carries it out. @returns false if there is none */
  #next(): boolean {
    const enabled = this.#enabled(NONE);
    if (enabled.length === 0) return false;
    this.#perform(this.#decide(enabled, this.#usual(enabled)), enabled);
    return true;
  }

  /** A kernel entry of `cpu` has come to a point at which other CPUs may have their turn. */
  #between(cpu: Cpu, point: string): void {
    if (this.#settled || this.stage.machine.kernel.processes.alive === 0) return;
    this.heldAt[cpu.id] = point;
    // A CPU that has sent a flush waits within its step for the entry of the one it has interrupted.
    const waiting = this.#cpus.filter(({ id }) => this.#within[id] && this.heldAt[id] === null);
    for (const { id } of waiting) this.heldAt[id] = 'waits for its flush';
    let others = false;
    for (;;) {
      const enabled = this.#enabled(cpu.id);
      if (enabled.length === 1 && !others) break;
      this.#close();
      const usual = others && enabled.includes(this.#last) && this.#lastFor <= PATIENCE ? this.#last : cpu.id;
      const choice = this.#decide(enabled, usual);
      if (choice === cpu.id) {
        this.#open(choice, enabled);
        this.#goesOn(waiting);
        break;
      }
      others = true;
      this.#perform(choice, enabled);
      if (this.#scenario.unchecked !== true) this.#failure ??= violation(this.stage, this.heldAt);
      if (this.stage.machine.kernel.processes.alive === 0 || this.schedule.length >= this.#steps) break;
      if (this.#failure !== null && this.#beyond === 0) break;
    }
    for (const { id } of waiting) this.heldAt[id] = null;
    this.heldAt[cpu.id] = null;
  }

  /** The rest of a kernel entry, and of the step of who waits for it. */
  #goesOn(waiting: readonly Cpu[]): void {
    if (this.#footprint === null) return;
    this.#footprint.writes.add(KERNEL);
    for (const { id } of waiting) this.#footprint.writes.add(cpuWord(id));
  }

  #decide(enabled: readonly number[], usual: number): number {
    if (enabled.length === 1 || this.#settled) return usual;
    const choice = this.#strategy.choose(enabled, usual, this);
    if (choice !== usual) this.#deviations.push([this.schedule.length, choice]);
    return choice;
  }

  #perform(choice: number, enabled: readonly number[]): void {
    this.#open(choice, enabled);
    this.#lastFor = choice === this.#last ? this.#lastFor + 1 : 0;
    const n = this.#cpus.length;
    if (choice < n) this.#step(this.#cpus[choice] as Cpu);
    else this.#happen(choice, n);
    this.#close();
  }

  #step(cpu: Cpu): void {
    this.#last = cpu.id;
    const { machine } = this.stage;
    if (this.#footprint !== null && cpu.context === machine.kernel.scheduler.kernelMode) this.#footprint.writes.add(KERNEL);
    const spins = spinsOf(cpu);
    this.#within[cpu.id] = true;
    machine.platform.stepOnce(cpu);
    this.#within[cpu.id] = false;
    this.#spinning.fill(false);
    if (spinsOf(cpu) > spins) this.#spinning[cpu.id] = true;
  }

  #happen(choice: number, n: number): void {
    const { machine } = this.stage;
    if (choice === n) {
      this.#footprint?.writes.add(KERNEL);
      machine.platform.queue.pop().fire();
    } else if (choice <= 2 * n) {
      this.#ticks--;
      this.#footprint?.writes.add(TICKS).add(KERNEL);
      const cpu = this.#cpus[choice - n - 1] as Cpu;
      this.#footprint?.writes.add(cpuWord(cpu.id));
      const { tick } = machine.kernel.scheduler.runQueue(cpu);
      machine.platform.queue.cancel(tick);
      tick.time = cpu.clock;
      tick.fire();
    } else {
      this.#nmis--;
      this.#footprint?.writes.add(NMIS);
      const cpu = this.#cpus[choice - 2 * n - 1] as Cpu;
      this.#footprint?.writes.add(cpuWord(cpu.id));
      cpu.raise(Vector.nmi, cpu.clock);
    }
  }

  /** From here on the order is not chosen. */
  get #settled(): boolean {
    return this.#stopped || this.stage.closed || this.schedule.length >= this.#depth;
  }

  /** What can happen. `going`: a CPU in the middle of a kernel entry that can go on; else -1. */
  #enabled(going: number): number[] {
    const { platform, kernel } = this.stage.machine;
    const n = this.#cpus.length;
    const enabled: number[] = [];
    let latest = Number.NEGATIVE_INFINITY;
    let spinner = NONE;
    const rests = this.#scenario.rests === true && !this.#settled;
    for (let i = 0; i < n; i++) {
      const cpu = this.#cpus[i] as Cpu;
      if (i === going) {
        enabled.push(i);
        continue;
      }
      if (cpu.halted || this.heldAt[i] !== null) continue;
      latest = Math.max(latest, cpu.clock);
      if (this.#spinning[i] || (rests && this.stage.resting.has(i))) spinner = i;
      else enabled.push(i);
    }
    if (enabled.length === 0 && spinner >= 0 && platform.queue.nextTime > latest) enabled.push(spinner);
    const cpusEnabled = enabled.length;
    const due = platform.queue.nextTime;
    if (due !== Number.POSITIVE_INFINITY && (cpusEnabled === 0 || due <= latest)) enabled.push(Choice.event(n));
    if (this.#settled) return enabled;
    for (let i = 0; i < n; i++) {
      const cpu = this.#cpus[i] as Cpu;
      if (cpu.halted || this.heldAt[i] !== null || kernel.scheduler.runQueue(cpu).isIdle) continue;
      if (this.#ticks > 0) enabled.push(Choice.tick(n, i));
    }
    for (let i = 0; i < n; i++) {
      const cpu = this.#cpus[i] as Cpu;
      if (this.#nmis > 0 && !cpu.halted && this.heldAt[i] === null && !cpu.nmiPending && !cpu.nmiBlocked) enabled.push(Choice.nmi(n, i));
    }
    return enabled;
  }

  /** An event that is due for the CPU that would go on, else that CPU, else the next one. */
  #usual(enabled: readonly number[]): number {
    const n = this.#cpus.length;
    let next = enabled[0] as number;
    const held = this.#lastFor > PATIENCE;
    if (held) next = enabled.find((choice) => choice > this.#last && choice < n) ?? next;
    else if (enabled.includes(this.#last)) next = this.#last;
    if (held) this.#lastFor = 0;
    if (next < n && enabled.includes(n) && this.stage.machine.platform.queue.nextTime <= (this.#cpus[next] as Cpu).clock) return n;
    return next;
  }

  #open(choice: number, enabled: readonly number[]): void {
    if (this.observer !== null) {
      const last = this.#deviations[this.#deviations.length - 1];
      this.observer(choice, last !== undefined && last[0] === this.schedule.length);
    }
    this.schedule.push(choice);
    if (this.#footprint === null) return;
    const settled = this.#settled;
    this.segments.push({ choice, enabled: settled ? [choice] : enabled, settled, reads: [], writes: [] });
    if (choice < this.#cpus.length) this.#footprint.writes.add(cpuWord(choice));
    for (const view of this.#views) view.look();
  }

  /** The segment that is open pauses or ends: what it has touched is known. */
  #close(): void {
    const segment = this.segments[this.segments.length - 1];
    if (this.#footprint === null || segment === undefined) return;
    for (const view of this.#views) if (view.changed) this.#footprint.writes.add(cpuWord(view.cpu.id));
    for (const word of this.#footprint.reads) segment.reads.push(word);
    for (const word of this.#footprint.writes) segment.writes.push(word);
    this.#footprint.clear();
  }

  #ends(): string | null {
    for (const { name, exit } of this.stage.processes) {
      if (exit !== null && exit.signal !== 0 && !this.stage.mayDie.has(name))
        return `${name} was killed by signal ${exit.signal}, code ${exit.code}, at address 0x${exit.address.toString(16)}`;
    }
    return null;
  }

  #waiting(): string {
    return this.stage.processes
      .filter(({ exit }) => exit === null)
      .map(({ name, threads }) => `${name} (${threads.map(({ pid, state }) => `thread ${pid} is ${taskState(state)}`).join('; ')})`)
      .join(', ');
  }
}

/** How many ticks and NMIs are left to be thrown in. */
const TICKS = -2;
const NMIS = -3;

/** Stands for what only one CPU uses: its registers, and being interrupted. */
function cpuWord(cpu: number): number {
  return -4 - cpu;
}

/** How often a CPU has spun on a lock of the library. */
export function spinsOf(cpu: Cpu): number {
  return cpu.ledger.cells[2 * LibStep.queueSpin + 1] as number;
}
