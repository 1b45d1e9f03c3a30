import { type CpuProfile, type Figure, findProfile, parseProfile } from '@rpal/hw-x86';
import { check } from '../outcome.js';
import { takeDescription } from './description.js';
import type { HostReport } from './host-json.js';
import { modelledSteps } from './modelled-steps.js';
import { constant, type Spread, spreadOf } from './spread.js';

/** A profile of a computer, out of its single steps. */
export interface Calibration {
  /** What differs from the profile that it extends: the content of a file. */
  readonly file: Record<string, unknown>;
  readonly profile: CpuProfile;
  readonly figures: readonly Calibrated[];
  /** What could not be had, or cannot be said in a profile. */
  readonly notes: readonly string[];
}

/** A figure that was measured, or follows from some that were. */
export interface Calibrated extends Spread {
  /** In the profile. */
  readonly field: string;
  readonly unit: string;
  readonly how: string;
}

/** What of the measurements a profile is made of: the round trips are not among it. */
export type SingleSteps = Omit<HostReport, 'composites'>;

const SOURCE = 'rpal-bench host, this computer';

/** Prices of single instructions, and what was measured of each. */
const INSTRUCTIONS = {
  rdtsc: 'rdtsc',
  lockedOp: 'locked-add',
  lfence: 'lfence',
  mfence: 'mfence',
  pause: 'pause',
  fpControl: 'fp-control',
  rdfsbase: 'rdfsbase',
  wrfsbase: 'wrfsbase',
  rdpkru: 'rdpkru',
  wrpkru: 'wrpkru',
} as const;

/** Bytes of a copy that the first-level data caches of today (32 to 48 KiB) cannot hold, and the second-level ones (512 KiB and more) can. */
const BEYOND_L1 = 65_536;

/** What calls of the C library take, which the model counts in instructions and the computer in time. */
const LIBRARY = { '@rpal/kernel:sprintf': 'sprintf-stamp', '@rpal/kernel:sscanf': 'sscanf-stamp' } as const;

/** @throws BenchmarkFailure if the core's clock was not measured */
export function calibrate(steps: SingleSteps): Calibration {
  return new Calibrating(steps).result();
}

class Calibrating {
  readonly #host: SingleSteps;
  readonly #base: CpuProfile;
  /** A copy of the base, which becomes the result. */
  readonly #profile: CpuProfile;
  readonly #figures: Calibrated[] = [];
  readonly #notes: string[] = [];
  /** Nanoseconds of a core cycle. */
  readonly #cycle: number;

  constructor(host: SingleSteps) {
    this.#host = host;
    this.#base = nearest(host.computer);
    this.#profile = structuredClone(this.#base);
    const cycle = this.#samples('core-cycle');
    check(cycle !== null, 'the core cycle was not measured: every price in cycles rests on it');
    this.#cycle = spreadOf(cycle).median;
  }

  result(): Calibration {
    this.#clocks();
    this.#notes.push(...takeDescription(this.#profile, this.#host.computer));
    this.#instructions();
    this.#library();
    this.#copies();
    this.#memory();
    this.#kernelPaths();
    this.#otherCpu();
    const { name: _, title, ...content } = this.#profile;
    const { cpu, kernel, guest } = this.#host.computer;
    const file = { extends: this.#base.name, title: `${cpu}, ${kernel}${guest ? ', as a guest' : ''}`, ...different(this.#base, content) };
    const profile = parseProfile({ ...this.#profile, name: 'this-computer', title: file.title });
    return { file, profile, figures: this.#figures, notes: this.#notes };
  }

  #clocks(): void {
    const { clock } = this.#profile;
    clock.tscGHz = this.#host.computer.tscGHz;
    this.#set(
      'clock.coreGHz',
      'GHz',
      'one over the time of an addition',
      ['core-cycle'],
      ([ns]) => 1 / ns,
      (figure) => {
        clock.coreGHz = figure;
      },
    );
  }

  #instructions(): void {
    for (const [name, step] of Object.entries(INSTRUCTIONS)) {
      this.#cycles(
        `costs.${name}`,
        [step],
        ([ns]) => ns,
        (figure) => {
          this.#profile.costs[name as keyof typeof INSTRUCTIONS] = figure;
        },
      );
    }
  }

  /** Library calls in cycles, and a call through a retpoline less one through a register. */
  #library(): void {
    const { costs } = this.#profile;
    this.#cycles(
      'costs.indirectCall',
      ['retpoline', 'indirect-call'],
      ([through, direct]) => Math.max(0, through - (direct as number)),
      (figure) => {
        costs.indirectCall = figure;
      },
    );
    for (const [name, step] of Object.entries(LIBRARY)) {
      this.#cycles(
        `steps.${name}`,
        [step],
        ([ns]) => ns,
        (figure) => {
          this.#profile.steps = { ...this.#profile.steps, [name]: figure };
        },
      );
    }
  }

  /** A copy is a start and a rate: that of 1 to 4 KiB, and another one where neither side is in the first-level cache. */
  #copies(): void {
    const { costs, bytesPerCycle } = this.#profile;
    const rate = ([small, large]: readonly number[]): number => 3072 / (((large as number) - (small as number)) / this.#cycle);
    for (const [name, step] of [
      ['copy', 'copy'],
      ['zero', 'clear'],
    ] as const) {
      const names = [`${step}-1024`, `${step}-4096`];
      this.#set(`bytesPerCycle.${name}`, 'B/cycle', `from ${names.join(' to ')}`, names, rate, (figure) => {
        bytesPerCycle[name] = figure;
      });
    }
    this.#cycles(
      'costs.repString',
      ['copy-64'],
      ([ns]) => Math.max(0, ns - (64 / bytesPerCycle.copy.central) * this.#cycle),
      (figure) => {
        costs.repString = figure;
      },
    );
    const fromL2 = { copy: bytesPerCycle.copy, zero: bytesPerCycle.zero };
    for (const [name, step] of [
      ['copy', `copy-${BEYOND_L1}`],
      ['zero', `clear-${BEYOND_L1}`],
    ] as const) {
      this.#set(
        `bytesPerCycle.fromL2.${name}`,
        'B/cycle',
        step,
        [step],
        ([ns]) => (BEYOND_L1 * this.#cycle) / ns,
        (figure) => {
          fromL2[name] = figure;
          bytesPerCycle.fromL2 = fromL2;
        },
      );
    }
    this.#notes.push('bytesPerCycle: what the second-level cache cannot hold is copied more slowly than any of its figures says');
  }

  #memory(): void {
    const { cache, memory } = this.#profile;
    this.#cycles(
      'cache.l1d.latency',
      ['load-first-level'],
      ([ns]) => ns,
      (figure) => {
        cache.l1d.latency = figure;
      },
    );
    this.#cycles(
      'cache.l2.latency',
      ['load-second-level'],
      ([ns]) => ns,
      (figure) => {
        cache.l2.latency = figure;
      },
    );
    this.#ns(
      'memory.local',
      ['load-memory'],
      ([ns]) => ns,
      (figure) => {
        memory.local = figure;
      },
    );
  }

  /**
   * The null call and the yield, in which entry and instructions have different shares, give both: a factor for the way in and
   * out, and cycles per instruction. The model's own null call and yield are linear in either.
   */
  #kernelPaths(): void {
    const call = this.#samples('null-call');
    const turn = this.#samples('yield');
    if (call === null || turn === null) {
      this.#notes.push(`cpi.kernel and the way into the kernel are those of ${this.#base.name}: null call or yield was not measured`);
      return;
    }
    const [measuredCall, measuredTurn] = [spreadOf(call), spreadOf(turn)];
    const base = this.#profile.cpi.kernel.central;
    const at = (entry: number, cpi: number): readonly [number, number] => {
      const profile = this.#withPaths(entry, cpi);
      return [modelledSteps.nullCall(profile), modelledSteps.yield(profile)];
    };
    const [call1, turn1] = at(1, base);
    const [callEntry, turnEntry] = at(2, base);
    const [callCpi, turnCpi] = at(1, 2 * base);
    const [a, b, c, d] = [callEntry - call1, callCpi - call1, turnEntry - turn1, turnCpi - turn1];
    const [x, y] = [measuredCall.median - call1, measuredTurn.median - turn1];
    const determinant = a * d - b * c;
    const wanted = 1 + (x * d - b * y) / determinant;
    // The way in and out are a few instructions that are known; what they may cost is in the range of the profile's figures.
    const entry = Math.min(Math.max(wanted, this.#entryRange('low')), this.#entryRange('high'));
    const cpi = base * (1 + (y - (entry - 1) * c) / d);
    check(cpi > 0, 'a yield is faster here than its hardware events are on the profile: nothing is left for instructions');
    const both = entry === wanted;
    const how = both ? 'null call and yield, solved for both' : 'yield';
    if (!both) {
      const predicted = modelledSteps.nullCall(this.#withPaths(entry, cpi));
      this.#notes.push(
        `cpi.kernel is the yield's: the model's null call takes ${predicted.toFixed(0)} ns with it, and ${measuredCall.median.toFixed(0)} ns were measured. A way in of ${wanted.toFixed(2)} times ${this.#base.name}'s would meet both, and is beyond its range: hot code and a switch differ in cycles per instruction, and a profile has one figure`,
      );
    }
    const { cpi: rates, costs } = this.#withPaths(entry, cpi);
    this.#profile.cpi.kernel = this.#note('cpi.kernel', 'cycles', how, scaled(rates.kernel.central, measuredTurn));
    for (const name of ENTRY) {
      const { central } = costs[name];
      if (central > 0) {
        this.#profile.costs[name] = this.#note(
          `costs.${name}`,
          'cycles',
          `${this.#base.name}'s times ${entry.toFixed(2)}: ${both ? how : 'the end of its range'}`,
          scaled(central, measuredCall),
        );
      }
    }
  }

  /** An end of the range of the way in and out, as a factor of its middle. */
  #entryRange(end: 'low' | 'high'): number {
    const sum = (level: 'low' | 'central' | 'high'): number => ENTRY.reduce((total, name) => total + this.#profile.costs[name][level], 0);
    return sum(end) / sum('central');
  }

  /** The profile with the way into the kernel priced by a factor, and with cycles per instruction. */
  #withPaths(entry: number, cpi: number): CpuProfile {
    const profile = structuredClone(this.#profile);
    profile.cpi.kernel = constant(cpi, SOURCE);
    for (const name of ENTRY) profile.costs[name] = constant(entry * profile.costs[name].central, SOURCE);
    return profile;
  }

  #otherCpu(): void {
    const { computer } = this.#host;
    if (computer.cpus[1] === null) {
      this.#notes.push(`all that concerns a second CPU is ${this.#base.name}'s`);
      return;
    }
    const { line, costs, topology } = this.#profile;
    const shared = computer.oneCache !== false;
    if (!shared) topology.coresPerCache = 1;
    this.#ns(
      `line.${shared ? 'sameCache' : 'sameSocket'}`,
      ['line-transfer'],
      ([ns]) => ns,
      (figure) => {
        line[shared ? 'sameCache' : 'sameSocket'] = figure;
        costs.monitorWake = { ...figure, unit: 'ns' };
      },
    );
    const handler = (costs.interrupt.central + costs.iret.central) * this.#cycle;
    this.#ns(
      'costs.ipiDelivery',
      ['interrupt-other', 'null-call', 'line-transfer'],
      ([there, call, back]) => Math.max(0, (there as number) - (call as number) - (back as number) - handler),
      (figure) => {
        costs.ipiDelivery = { ...figure, unit: 'ns' };
      },
    );
    this.#idle();
  }

  /** What a wake-up of an idle CPU takes longer than the model's would with no way out of the idle state: for the waker, and in all. */
  #idle(): void {
    const { guest } = this.#host.computer;
    const states = guest ? (['guest'] as const) : (['C1', 'C1E'] as const);
    const [name] = states;
    const put = (profile: CpuProfile, figures: { readonly wake?: Figure; readonly kick?: Figure }): void => {
      for (const state of profile.idle) if ((states as readonly string[]).includes(state.name)) Object.assign(state, figures);
    };
    const without = structuredClone(this.#profile);
    const nothing = constant(0, SOURCE);
    put(without, { wake: nothing, kick: nothing });
    const beyond = (step: string, modelled: number): Spread | null => {
      const samples = this.#samples(step);
      return samples === null ? null : spreadOf(samples.map((ns) => Math.max(0, ns - modelled)));
    };
    const note = (field: string, step: string, modelled: number, spread: Spread): Figure =>
      this.#note(`idle.${name}.${field}`, 'ns', `${step} less the ${modelled.toFixed(0)} ns of the model's without`, spread);
    if (guest) {
      const call = modelledSteps.wakeIdleCall(without, name);
      const kick = beyond('wake-idle-call', call);
      if (kick !== null) {
        const figure = note('kick', 'wake-idle-call', call, kick);
        put(this.#profile, { kick: figure });
        put(without, { kick: figure });
      }
    }
    const rest = modelledSteps.wakeIdle(without, name);
    const wake = beyond('wake-idle', rest);
    if (wake === null) return;
    put(this.#profile, { wake: note('wake', 'wake-idle', rest, wake) });
    if (!guest)
      this.#notes.push('idle: which state the kernel had chosen cannot be told; C1 and C1E both have the price that was measured');
  }

  #cycles(field: string, names: readonly string[], of: (ns: [number, ...number[]]) => number, put: (figure: Figure) => void): void {
    this.#set(field, 'cycles', names.join(', '), names, (ns) => of(ns) / this.#cycle, put);
  }

  #ns(field: string, names: readonly string[], of: (ns: [number, ...number[]]) => number, put: (figure: Figure) => void): void {
    this.#set(field, 'ns', names.join(', '), names, of, put);
  }

  /** A figure out of those of each round. Where one was not measured, the base's stays. */
  #set(
    field: string,
    unit: string,
    how: string,
    names: readonly string[],
    of: (ns: [number, ...number[]]) => number,
    put: (figure: Figure) => void,
  ): void {
    const columns = names.map((name) => this.#samples(name));
    const rounds = Math.min(...columns.map((column) => column?.length ?? 0));
    const values = Array.from({ length: rounds }, (_, round) => of(columns.map((column) => column?.[round]) as [number, ...number[]]));
    const usable = values.filter((value) => Number.isFinite(value) && value >= 0);
    if (usable.length === 0) this.#notes.push(`${field} is ${this.#base.name}'s: ${names.join(', ')} was not measured here`);
    else put(this.#note(field, unit, how, spreadOf(usable)));
  }

  #note(field: string, unit: string, how: string, { median, low, high }: Spread): Figure {
    this.#figures.push({ field, unit, how, median, low, high });
    return { low, central: median, high, source: `${SOURCE}: ${how}`, status: 'measured' };
  }

  #samples(name: string): readonly number[] | null {
    return this.#host.steps.find((step) => step.name === name)?.samples ?? null;
  }
}

/** What the way into the kernel and out is made of. */
const ENTRY = ['syscall', 'sysret', 'swapgs', 'bhbClear'] as const;

/** The built-in profile of the nearest processor, by vendor and by what a generation brought. */
function nearest({ vendor, flags }: HostReport['computer']): CpuProfile {
  const name =
    vendor === 'amd'
      ? flags.includes('avx512f')
        ? 'epyc-9654'
        : 'epyc-7713'
      : flags.includes('avx512_vbmi2')
        ? 'xeon-platinum-8336c'
        : 'xeon-platinum-8160';
  const profile = findProfile(name);
  check(profile !== undefined, `there is no profile ${name}`);
  return profile;
}

/** A figure as uncertain as what it follows from. */
function scaled(central: number, { median, low, high }: Spread): Spread {
  return { median: central, low: Math.min(central, (central * low) / median), high: Math.max(central, (central * high) / median) };
}

/** The fields of `now` that are not as in `before`; lists are whole. */
function different(before: object, now: object): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(now)) {
    const old = (before as Record<string, unknown>)[key];
    if (JSON.stringify(old) === JSON.stringify(value)) continue;
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value) && typeof old === 'object' && old !== null;
    result[key] = nested && !('central' in value) ? different(old, value) : value;
  }
  return result;
}
