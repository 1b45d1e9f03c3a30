import { Cpu } from './core/cpu.js';
import type { ExecutionContext, TrapHandler } from './core/execution-context.js';
import { type CostLevel, CostModel } from './costs/cost-model.js';
import type { CpuProfile } from './costs/profile.js';
import { HardwareError } from './errors.js';
import { Fingerprint } from './fingerprint.js';
import { GIB } from './memory/address.js';
import type { CacheModel } from './memory/cached-coherence.js';
import type { Caches } from './memory/caches.js';
import { CoherenceDirectory, type Topology, TransferCost } from './memory/coherence.js';
import { FirstLevelData } from './memory/first-level.js';
import { PhysicalMemory } from './memory/physical-memory.js';
import type { CoherenceModel } from './memory/queued-coherence.js';
import { Touch } from './memory/touch.js';
import { HardwareSeams } from './seams.js';
import { CriticalPath } from './time/critical-path.js';
import type { DisturbanceModel } from './time/disturbance.js';
import { EventQueue, type TimedEvent } from './time/event-queue.js';
import { Rng } from './time/rng.js';
import { TurnOrder } from './time/turn-order.js';

/** How to build the hardware. */
export interface PlatformOptions {
  readonly profile: CpuProfile;
  /** Which end of uncertain costs to run with; `central` by default. */
  readonly costs?: CostLevel;
  /** Core clock in GHz, in place of the profile's. */
  readonly coreGHz?: number;
  /** Seed of the one random generator; 1 by default. */
  readonly seed?: number;
  /**
   * Data caches line by line, as `dataCaches`: every access to memory, and every entry that a page walk reads, costs what they make of
   * it. By default, or with null, lines only move between cores, and a core keeps a line until another one takes it.
   */
  readonly caches?: CacheModel | null;
  /** Small differences between one time and the next, as `disturbances`; none by default: everything takes exactly as long as before. */
  readonly disturbance?: DisturbanceModel | null;
  /**
   * Who has which line, as `queuedLines`: cores that ask for one line at the same time get it one after the other. By default each
   * gets it as if it had asked alone. Not together with `caches`, which have a directory of their own.
   */
  readonly coherence?: CoherenceModel | null;
}

/** Why `run` came back. */
export type RunEnd = 'stopped' | 'until' | 'deadlock';

/**
 * The hardware of one machine: processors, memory, and the loop that lets the processor furthest behind run up to
 * the next moment at which something else could touch it.
 */
export class Platform {
  readonly profile: CpuProfile;
  readonly costs: CostModel;
  readonly memory: PhysicalMemory;
  readonly queue: EventQueue = new EventQueue();
  readonly path: CriticalPath = new CriticalPath();
  readonly seams: HardwareSeams = new HardwareSeams();
  readonly rng: Rng;
  readonly cpus: readonly Cpu[];
  readonly topology: Topology;
  /** Data caches line by line; null unless asked for. */
  readonly caches: Caches | null;

  /** Processors that are not halted. */
  readonly #active: TurnOrder<Cpu>;
  #running: Cpu | null = null;
  #stopped = false;
  /** Time that has passed while all processors were halted: of the last event, or where the last run ended. */
  #reached: number;

  constructor(options: PlatformOptions) {
    const { profile, seed = 1 } = options;
    if (!Number.isSafeInteger(seed)) throw new HardwareError('INVALID_ARGUMENT', `seed: ${seed} is not an integer below 2^53 in magnitude`);
    this.profile = profile;
    this.costs = new CostModel(profile, options.costs ?? 'central', options.coreGHz);
    this.rng = new Rng(seed);
    const { sockets, coresPerSocket, threadsPerCore, coresPerCache, hops, memoryPerSocket } = profile.topology;
    this.topology = { cores: sockets * coresPerSocket, coresPerSocket, coresPerCache, hops: hops ?? null };
    this.memory = new PhysicalMemory(Array.from({ length: sockets }, () => memoryPerSocket * GIB));
    const transfer = new TransferCost(this.topology, this.costs);
    const cacheModel = options.caches ?? null;
    const coherenceModel = options.coherence ?? null;
    if (cacheModel !== null && coherenceModel !== null) {
      throw new HardwareError('INVALID_ARGUMENT', 'coherence: caches come with a directory of their own; give one of the two');
    }
    const caches = cacheModel?.build(this) ?? null;
    this.caches = caches;
    const cpus: Cpu[] = [];
    const cores = this.topology.cores;
    this.#active = new TurnOrder(cpus, cores * threadsPerCore);
    // Machines have been up for a while when an experiment begins; how long is drawn, so that no result leans on it.
    const bootTime = 0x10_0000_0000 + this.rng.below(0x10_0000_0000);
    this.#reached = bootTime;
    const environment = {
      costs: this.costs,
      memory: this.memory,
      queue: this.queue,
      arm: (event: TimedEvent, time: number) => this.arm(event, time),
      coherence:
        cacheModel === null || caches === null
          ? (coherenceModel?.build(this.topology, transfer) ??
            new CoherenceDirectory(this.topology, transfer, FirstLevelData.of(this.costs, cores)))
          : cacheModel.coherence(this.topology, transfer, caches),
      transfer,
      path: this.path,
      bootTime,
      disturbance: options.disturbance?.build({ rng: this.rng, level: this.costs.level, tscPerNs: this.costs.tscPerNs }) ?? null,
      events: this.seams.events,
      cpus,
      activity: (cpu: Cpu) => this.#activity(cpu),
    };
    for (let id = 0; id < cores * threadsPerCore; id++) {
      // As Linux numbers them: first one thread of every core, socket by socket, then the siblings.
      const core = id % cores;
      const place = { id, core, thread: Math.floor(id / cores), socket: Math.floor(core / coresPerSocket) };
      const cpu = new Cpu(place, environment, powerOn, powerOn);
      if (caches !== null) cpu.mmu.readEntry = (address) => caches.access(cpu, address, Touch.LOAD);
      cpus.push(cpu);
    }
    this.cpus = cpus;
  }

  /** The processor whose context is being executed; null between runs and inside events. */
  get running(): Cpu | null {
    return this.#running;
  }

  /** Time of the machine: no processor that runs is behind it. */
  get now(): number {
    const first = this.#active.first();
    if (first !== null) return Math.min(first.clock, this.queue.nextTime);
    // All are halted. What is armed has not happened yet.
    return this.cpus.reduce((time, { clock }) => Math.max(time, clock), this.#reached);
  }

  /** Arms an event, and ends the running processor's turn no later than that. */
  arm(event: TimedEvent, time: number): void {
    this.queue.arm(event, time);
    const running = this.#running;
    if (running !== null) running.endTurnBy(time);
  }

  /** Ends `run` at the next turn. */
  stop(): void {
    this.#stopped = true;
    this.#running?.endTurnBy(0);
  }

  /**
   * Runs until `stop`, until every processor has passed `until` (TSC cycles), or until nothing can happen any more:
   * all processors are halted and no event is armed.
   */
  run(until: number = Number.POSITIVE_INFINITY): RunEnd {
    this.#stopped = false;
    const queue = this.queue;
    const active = this.#active;
    while (!this.#stopped) {
      const cpu = active.first();
      const due = queue.nextTime;
      if (cpu === null ? due <= until : due <= cpu.clock) {
        if (due === Number.POSITIVE_INFINITY) return 'deadlock';
        this.#reached = due;
        queue.pop().fire();
        continue;
      }
      if (cpu === null || cpu.clock >= until) {
        this.#reached = Math.max(this.#reached, until);
        return 'until';
      }
      cpu.beginTurn(Math.min(until, due, active.secondClock()));
      this.#running = cpu;
      // Whatever could touch this processor earlier ends its turn earlier: until then it may go on undisturbed.
      do cpu.step();
      while (cpu.hasTime && !cpu.halted);
      this.#running = null;
    }
    return 'stopped';
  }

  /**
   * Lets one processor take the shortest turn there is - an interrupt, or one atomic step of its context - whatever the
   * clocks of the others say. For tools that choose the order themselves; may be called from within a turn of another.
   */
  stepOnce(cpu: Cpu): void {
    const before = this.#running;
    cpu.beginTurn(cpu.clock);
    cpu.endTurnBy(cpu.clock);
    this.#running = cpu;
    cpu.step();
    this.#running = before;
  }

  /** Hash of clocks, registers, ledgers and memory. */
  fingerprint(into: Fingerprint = new Fingerprint()): Fingerprint {
    for (const cpu of this.cpus) {
      into.number(cpu.clock).number(cpu.fsBase).number(cpu.mmu.pkru).number(cpu.mmu.root).number(cpu.mmu.walks);
      into.number(cpu.ownLedger.total).number(cpu.linesMoved).number(cpu.interruptsTaken);
    }
    return this.memory.fingerprint(into);
  }

  #activity(cpu: Cpu): void {
    if (cpu.halted) this.#active.remove(cpu.id);
    else this.#active.add(cpu.id);
    const running = this.#running;
    if (running !== null && !cpu.halted && cpu !== running) running.endTurnBy(cpu.clock);
  }
}

/** What a processor has before anything is installed: every use is an error. */
const powerOn: ExecutionContext & TrapHandler = {
  resume(cpu) {
    throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} was started without a context`);
  },
  syscall(cpu) {
    throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} executed SYSCALL without a trap handler; set cpu.trap`);
  },
  exception(cpu, vector) {
    throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} raised exception ${vector} without a trap handler; set cpu.trap`);
  },
  interrupt(cpu) {
    throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} was interrupted without a trap handler`);
  },
  nmi(cpu) {
    throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} received an NMI without a trap handler`);
  },
};
