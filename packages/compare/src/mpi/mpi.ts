import { done, exactly, executable, type MachineOptions, type Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Routine } from '../mechanism/mechanism.js';
import { mapRings } from '../mechanisms/ring.js';
import { checkWhole } from '../workload/checks.js';
import { machineWith } from '../workload/machine.js';
import { buffers, check, fill, STRIDE } from '../workload/message.js';
import { MemoryQueues, memoryBandwidthOf } from './memory-bandwidth.js';
import { type Link, Rank, type World } from './rank.js';
import { PASS, type Transport, untilDone } from './transport.js';

/** A parallel program on one machine: a rank to a core. */
export interface MpiOptions {
  readonly machine: MachineOptions;
  readonly transport: Transport;
  /** 2 at least, and no more than the machine has cores. */
  readonly ranks: number;
  /** Bytes of a message. */
  readonly size: number;
  /** Messages of each rank that count. */
  readonly rounds: number;
  /** GB/s of a socket's memory; what is known of the profile's by default. */
  readonly bandwidth?: number;
  /** The core of each rank, which no other one has; in order, the cores of a socket first, by default. */
  readonly cores?: readonly number[];
}

/** What the messages of a parallel program took. */
export interface MpiResult {
  readonly ranks: number;
  /** TSC cycles from the moment at which the first rank begins to the one at which the last has ended. */
  readonly elapsed: number;
  /** GB/s that a rank sends. */
  readonly bandwidth: number;
  /** TSC cycles from one message of a rank to its next. */
  readonly interval: number;
  /** Share of the ranks' time in which they waited for memory. */
  readonly waited: number;
  /** Whether messages came from memory, and not from a cache. */
  readonly fromMemory: boolean;
  /** Hash of the final state of the machine. */
  readonly fingerprint: string;
}

/** What a rank does in a round: sends `out`, receives into `into`. */
interface Pattern {
  /** Whom a rank sends to, and whom it receives from. */
  receiver(rank: number): number;
  sender(rank: number): number;
  round(rank: Rank, transport: Transport, out: number, into: number, size: number): Routine;
}

/** Rounds before those that count: the first meets pages that are not there. */
const WARM_UP = 1;

/**
 * Every rank sends to the next one and receives from the one before, all at the same time (HPCC's naturally ordered ring, one way).
 * @throws CompareError USAGE, CHANGED; MachineError CALL_FAILED
 */
export function mpiRing(options: MpiOptions): MpiResult {
  const { ranks } = options;
  const next = (rank: number): number => (rank + 1) % ranks;
  const previous = (rank: number): number => (rank + ranks - 1) % ranks;
  return run(options, {
    receiver: next,
    sender: previous,
    *round(rank, transport, out, into, size) {
      const sends = yield* transport.send(rank, next(rank.index), out, size);
      yield* untilDone(rank, [sends, yield* transport.receive(rank, previous(rank.index), into, size)]);
    },
  });
}

/**
 * Ranks in pairs that send and receive in turn, all pairs at the same time. With two ranks, HPCC's ping-pong.
 * @throws CompareError USAGE, also if the number of ranks is odd, CHANGED; MachineError CALL_FAILED
 */
export function mpiPingPong(options: MpiOptions): MpiResult {
  const { ranks } = options;
  if (ranks % 2 !== 0) throw new CompareError('USAGE', `ranks: ${ranks} is odd; a ping-pong is between two`);
  const partner = (rank: number): number => rank ^ 1;
  return run(options, {
    receiver: partner,
    sender: partner,
    *round(rank, transport, out, into, size) {
      const other = partner(rank.index);
      const first = rank.index < other;
      if (first) yield* untilDone(rank, [yield* transport.send(rank, other, out, size)]);
      yield* untilDone(rank, [yield* transport.receive(rank, other, into, size)]);
      if (!first) yield* untilDone(rank, [yield* transport.send(rank, other, out, size)]);
    },
  });
}

function run(options: MpiOptions, { receiver, sender, round }: Pattern): MpiResult {
  const { machine: machineOptions, transport, ranks, size, rounds } = options;
  const machine = machineWith(transport.plugins(), machineOptions);
  const { profile } = machine.platform;
  const { sockets, coresPerSocket, coresPerCache } = profile.topology;
  checkWhole('ranks', ranks, 2, sockets * coresPerSocket);
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  const { cores = all } = options;
  if (cores.length !== ranks || new Set(cores).size !== ranks)
    throw new CompareError('USAGE', `cores: ${cores.join(', ')} are not ${ranks} different ones, one for each rank`);
  for (const core of cores) checkWhole('cores', core, 0, sockets * coresPerSocket - 1);
  checkWhole('size', size, 1, 64 * 1024 * 1024);
  checkWhole('rounds', rounds, 1, 1_000_000);
  const bandwidth = memoryBandwidthOf(profile, options.bandwidth);
  const memory = new MemoryQueues(profile, bandwidth, machineOptions.costs ?? 'central');
  const cacheOf = (core: number): number => Math.floor(core / coresPerCache);
  // Between two uses of a message, the ranks at its cache go through two messages each.
  const uncached = cores.map((core) => {
    const sharers = cores.filter((other) => cacheOf(other) === cacheOf(core)).length;
    return 2 * size * sharers > profile.cache.l3.bytes;
  });
  const begun: number[] = [];
  const ended: number[] = [];

  /** A barrier, outside of what is measured. */
  let arrived = 0;
  function* together(p: Program): Routine {
    const wanted = (Math.floor(arrived / ranks) + 1) * ranks;
    arrived++;
    while (arrived < wanted) yield* p.compute(PASS);
  }

  const program = (world: World, index: number) =>
    function* (p: Program): Routine {
      done('sched_setaffinity', yield* p.setAffinity([cores[index] as number]));
      world.pids[index] = done('getpid', yield* p.getpid());
      const rank = new Rank(p, index, world);
      const [out, into] = yield* buffers(p, size);
      yield* fill(p, out, size, index + STRIDE);
      yield* together(p);
      for (let i = 0; i < WARM_UP; i++) yield* round(rank, transport, out, into, size);
      yield* together(p);
      if (index === 0) memory.waited = 0;
      begun[index] = p.rdtsc();
      for (let i = 0; i < rounds; i++) yield* round(rank, transport, out, into, size);
      ended[index] = p.rdtsc();
      yield* check(p, into, size, sender(index) + STRIDE);
    };

  machine.spawn(
    executable('rank 0', function* (p) {
      const found = new Map<number, Link>();
      for (const from of all) {
        const [there, back] = yield* mapRings(p, { size: transport.slot });
        found.set(from * ranks + receiver(from), { there, back, slot: transport.slot });
      }
      const world: World = {
        size: ranks,
        sockets: cores.map((core) => Math.floor(core / coresPerSocket)),
        pids: [],
        links: found,
        uncached,
        memory,
      };
      for (const index of all.slice(1)) done('fork', yield* p.fork(program(world, index)));
      yield* program(world, 0)(p);
      for (const _ of all.slice(1)) done('wait4', yield* p.wait());
    }),
    cores[0],
  );
  machine.run();
  exactly('ranks that ended as they should', Object.keys(ended).length, ranks);
  const elapsed = Math.max(...ended) - Math.min(...begun);
  const interval = elapsed / rounds;
  return {
    ranks,
    elapsed,
    interval,
    bandwidth: (size / interval) * profile.clock.tscGHz,
    waited: memory.waited / (elapsed * ranks),
    fromMemory: uncached.includes(true),
    fingerprint: machine.fingerprint(),
  };
}
