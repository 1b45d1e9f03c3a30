import { definePlugin } from '@rpal/bus';
import { Rng } from '@rpal/hw-x86';
import { executable } from '@rpal/kernel';
import { LibStep } from '@rpal/librpal';
import type { RpalOptions, RpalService } from '@rpal/rpal-core';
import type { Scenario } from '../scenarios/scenario.js';
import { Run, type Strategy, spinsOf } from '../search/run.js';
import type { QueueMemory } from './queue-memory.js';
import { Books, STORM_SERVICES, type WordCounts } from './storm-books.js';
import { DEATHS, Service, World } from './storm-service.js';

export const STORM_CPUS = 4;

/** Longer than the quarantine of service ids. */
const WITNESS = 40e9;

export interface StormOptions {
  /** The same seed, the same run. */
  readonly seed: number;
  /** Steps after which nothing new is begun; the run then goes on until all have ended. */
  readonly steps: number;
  /** How many of the services die on the way, each in another way: 0 .. 3. 3 by default. */
  readonly deaths?: number;
  readonly rpal?: RpalOptions;
}

/** What a storm came to. */
export interface StormResult extends WordCounts {
  /** What went wrong, or null. */
  readonly failure: string | null;
  readonly steps: number;
  readonly calls: number;
  readonly lazySwitches: number;
  readonly kernelReturns: number;
  readonly refusedWakeUps: number;
  /** What there is after the end of everything and the quarantine. */
  readonly rest: { readonly ids: number; readonly references: number; readonly records: number; readonly frames: number };
}

/** A storm that is ready to begin: tools may look on. */
export interface Storm {
  readonly run: Run;
  readonly strategy: Strategy;
  readonly books: Books;
  readonly services: ReadonlySet<RpalService>;
  readonly victims: ReadonlySet<number>;
  /** The queues of all that live, and whose they are. */
  queues(): readonly { readonly receiver: number; readonly queue: QueueMemory }[];
}

/**
 * Eight services with a receiver and a sender each, all mapped with each other, on four CPUs: they call each other at
 * random, make system calls and faults within calls and outside, fork, map, signal, take requests back and make them again;
 * ticks, NMIs and other CPUs come at random moments; some die. Every word is counted out and in.
 */
export function stormRun({ seed, steps, deaths = DEATHS.length, rpal = { repair: 'all' } }: StormOptions): Storm {
  const books = new Books();
  const services = new Set<RpalService>();
  const rng = new Rng(seed);
  const victims = new Map<number, (typeof DEATHS)[number]>();
  while (victims.size < deaths) {
    const victim = rng.below(STORM_SERVICES);
    if (!victims.has(victim)) victims.set(victim, DEATHS[victims.size] as (typeof DEATHS)[number]);
  }
  let world: World | null = null;
  // After what RPAL does at the end of a service: from here on its memory, which is still there, cannot be reached.
  const mortuary = definePlugin({
    name: '@rpal/explore/mortuary',
    version: '1.0.0',
    setup({ plugin, hooks }) {
      hooks.kernelThreadExit.tap(plugin, (_cpu, { process }, last) => {
        if (last && world !== null) world.members[world.pids.indexOf(process.pid)]?.die();
      });
    },
  });
  const scenario: Scenario = {
    name: 'storm',
    plugins: [mortuary()],
    about: 'eight services do everything to each other',
    cpus: STORM_CPUS,
    ticks: Number.POSITIVE_INFINITY,
    nmis: Number.POSITIVE_INFINITY,
    setUp(stage) {
      stage.expect(1);
      const created = new World(books, () => execution.schedule.length, steps, victims, services);
      world = created;
      for (let i = 0; i < STORM_SERVICES; i++) {
        if (victims.has(i)) stage.mayDie.add(`service-${i}`);
        stage.spawn(`service-${i}`, i % STORM_CPUS, (p) => new Service(created, i, new Rng(seed * 31 + i)).main(p));
      }
      // From here on the order is random: everybody is ready, and nobody has begun.
      stage.spawn('starter', 0, function* (p) {
        while (created.ready < STORM_SERVICES) yield* p.sleep(1e5);
        yield* stage.meet(p);
        created.started = true;
      });
      const witness = executable('witness', function* (p) {
        yield* p.sleep(WITNESS);
      });
      stage.processes.push(stage.machine.spawn(witness, STORM_CPUS - 1));
    },
  };
  // Far beyond any that has ended: who must break the lock of one that is dead, and shares a CPU with three that spin on it, has been waited
  // for during 455,000 steps.
  const execution: Run = new Run(scenario, rpal, { steps: 100 * steps + 200_000 });
  const queues: Storm['queues'] = () =>
    (world?.members ?? []).flatMap((member, receiver) =>
      member.connections.flatMap((fd) => {
        const queue = member.queueOf(fd);
        return queue === null ? [] : [{ receiver, queue }];
      }),
    );
  return { run: execution, strategy: new Weather(seed), books, services, victims: new Set(victims.keys()), queues };
}

/** Runs a storm to its end. */
export function storm(options: StormOptions): StormResult {
  return endOf(stormRun(options));
}

/** Runs a storm that is ready to begin to its end. */
export function endOf({ run: execution, strategy, books, services, victims }: Storm): StormResult {
  const { failure } = execution.execute(strategy);
  const { stage } = execution;
  const rest = {
    ids: stage.rpal.idsInUse,
    references: [...services].reduce((sum, { references }) => sum + references, 0),
    records: stage.rpal.heap.inUse.reduce((sum, count) => sum + count, 0),
    frames: stage.machine.kernel.memory.frames.inUse,
  };
  const balance = books.balance(victims);
  const { ids, references, records } = rest;
  const left = ids + references + records > 0 ? `left over: ${ids} ids, ${references} references, ${records} records of threads` : null;
  const { lazySwitches, kernelReturns, refusedWakeUps } = stage.rpal.instruments;
  return {
    failure: failure ?? books.wrong ?? balance.wrong ?? left,
    steps: execution.schedule.length,
    calls: books.calls,
    ...balance.sums,
    lazySwitches,
    kernelReturns,
    refusedWakeUps,
    rest,
  };
}

/** Mostly the usual order; every third choice or so another CPU goes on, sometimes a tick or an NMI comes. */
export class Weather implements Strategy {
  readonly #rng: Rng;
  readonly #spins: number[] = Array.from({ length: STORM_CPUS }, () => 0);

  constructor(seed: number) {
    this.#rng = new Rng(seed * 7919 + 1);
  }

  /** Who waits for a lock whose holder has lost its CPU waits for a whole slice: in one step what would be many alike. */
  #hurry({ stage }: Run): void {
    for (const cpu of stage.machine.platform.cpus) {
      const spun = spinsOf(cpu);
      if (spun < (this.#spins[cpu.id] as number) + 20) continue;
      cpu.chargeTimes(LibStep.queueSpin, 2000);
      this.#spins[cpu.id] = spinsOf(cpu);
    }
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    this.#hurry(run);
    const luck = this.#rng.below(1000);
    if (luck < 700) return usual;
    const wanted = luck < 992 ? [0, STORM_CPUS] : luck < 996 ? [STORM_CPUS + 1, 2 * STORM_CPUS] : [2 * STORM_CPUS + 1, 3 * STORM_CPUS];
    const fitting = enabled.filter((choice) => choice >= (wanted[0] as number) && choice <= (wanted[1] as number));
    return fitting.length === 0 ? usual : (fitting[this.#rng.below(fitting.length)] as number);
  }
}
