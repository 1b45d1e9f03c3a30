import { definePlugin, type Plugin } from '@rpal/bus';
import { type Cpu, type CpuProfile, profiles } from '@rpal/hw-x86';
import { createMachine, type Machine, type Main, type Process, type Program, type Thread } from '@rpal/kernel';
import { rpalExecutable } from '@rpal/librpal';
import { type Rpal, type RpalOptions, rpal, rpalOf } from '@rpal/rpal-core';

/** A small situation whose interleavings are run. */
export interface Scenario {
  readonly name: string;
  /** One line: who does what at the same time. */
  readonly about: string;
  readonly cpus: number;
  /** One by default. With two, the second half of the CPUs are the siblings of the first. */
  readonly threadsPerCore?: number;
  /** How many ticks and NMIs may be thrown in at any moment, in all. */
  readonly ticks?: number;
  readonly nmis?: number;
  /** A program that is done waits for the others, unless nothing else can happen: what it would do next is not part of the scenario. */
  readonly rests?: boolean;
  /** Invariants are not asked: the run goes on until the kernel or a program says what is wrong. */
  readonly unchecked?: boolean;
  /** Plugins of its machine besides RPAL. */
  readonly plugins?: readonly Plugin[];
  /** Starts the programs. */
  setUp(stage: Stage): void;
  /** Looks at the end of a run: what is wrong, or null. */
  verdict?(stage: Stage): string | null;
}

const base = profiles[0] as CpuProfile;

/** A machine for a scenario: the RFC's processor with few cores, little memory and small second-level TLBs, quickly made. */
function smallProfile(cpus: number, threadsPerCore: number): CpuProfile {
  const cores = cpus / threadsPerCore;
  const topology = { sockets: 1, coresPerSocket: cores, threadsPerCore, coresPerCache: cores, memoryPerSocket: 1 / 64 };
  const tlb = { ...base.tlb, stlb: { entries: 64, ways: 8 }, stlb1g: { entries: 64, ways: 8 } };
  return { ...base, topology, tlb };
}

/** One run of a scenario: the machine, and where its programs stand. */
export class Stage {
  readonly machine: Machine;
  readonly rpal: Rpal;
  readonly processes: Process[] = [];
  /** What programs note for the verdict, by name. */
  readonly notes: Map<string, number> = new Map();
  /** Names of programs that may end by a signal. */
  readonly mayDie: Set<string> = new Set();
  /** What a program has found wrong. */
  wrong: string | null = null;
  /** What there was to be seen has been seen: the run ends here. */
  over = false;
  #arrived = 0;
  #waiting = 0;
  #left = 0;
  #expected = 0;
  /** Threads that have met, may be killed and are not through. */
  readonly #victims: Set<Thread> = new Set();
  /** The programs that meet may go on. */
  open = false;
  /** CPUs on which one that has met has gone on. */
  readonly gone: Set<number> = new Set();

  /** Called at the yield points within a step of the kernel; null while no other CPU may run there. */
  interleave: ((cpu: Cpu, point: string) => void) | null = null;

  constructor({ cpus, threadsPerCore = 1, plugins = [] }: Pick<Scenario, 'cpus' | 'threadsPerCore' | 'plugins'>, options: RpalOptions) {
    const interleaver = definePlugin({
      name: '@rpal/explore:interleaver',
      version: '0.1.0',
      setup: ({ plugin, hooks }) => {
        hooks.kernelYieldPoint.tap(plugin, (cpu, point) => this.interleave?.(cpu, point));
      },
    });
    this.machine = createMachine({ profile: smallProfile(cpus, threadsPerCore), plugins: [rpal(options), interleaver(), ...plugins] });
    this.rpal = rpalOf(this.machine);
  }

  /** Starts an RPAL binary, tied to a CPU. */
  spawn(name: string, cpu: number, main: Main): Process {
    const process = this.machine.spawn(
      rpalExecutable(name, function* (p) {
        yield* p.setAffinity([cpu]);
        return yield* main(p);
      }),
      cpu,
    );
    this.processes.push(process);
    return process;
  }

  /** How many programs will call `meet`. */
  expect(programs: number): void {
    this.#expected = programs;
  }

  /** From here on the order is chosen: all programs that meet are in user mode on their CPUs. */
  *meet(p: Program): Generator<void, void> {
    this.#arrived++;
    const { thread } = p.context;
    if (this.mayDie.has(thread.name)) this.#victims.add(thread);
    while (this.#arrived < this.#expected) yield* p.sleep(20_000);
    this.#waiting++;
    while (!this.open) {
      if (this.#waiting === this.#expected) this.machine.platform.stop();
      yield* p.compute(1);
    }
    this.gone.add(p.context.cpu.id);
    // The turn ends here: what comes next is the first choice.
    yield;
  }

  /** CPUs on which one that has met is through. */
  readonly resting: Set<number> = new Set();

  /** One of those who have met is through: when all are, the order is the usual one again. */
  leave(p?: Program): void {
    this.#left++;
    if (p === undefined) return;
    this.resting.add(p.context.cpu.id);
    this.#victims.delete(p.context.thread);
  }

  /** Everybody who has met is through, or has ended. */
  get closed(): boolean {
    let through = this.#left;
    if (through === 0) return false;
    // The last thing that a thread that ends gives up.
    for (const { mm } of this.#victims) if (mm === null) through++;
    return through >= this.#expected;
  }

  get expected(): number {
    return this.#expected;
  }

  get everybodyWaits(): boolean {
    return this.#waiting === this.#expected;
  }

  note(name: string, value = 1): void {
    this.notes.set(name, (this.notes.get(name) ?? 0) + value);
  }

  noted(name: string): number {
    return this.notes.get(name) ?? 0;
  }
}
