import type { CostLevel, CpuProfile, Figure } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Routine } from '../mechanism/mechanism.js';

/** What moves between memory and processors at most, GB/s. */
export interface MemoryBandwidth {
  /** For all cores of a socket together. */
  readonly socket: Figure;
  /** For one core: the lines that it waits for at a time, one latency each. */
  readonly core: Figure;
}

/** Memory channels of a socket, and transfers of eight bytes that each makes, 10^6 a second. */
const CHANNELS: Readonly<Record<string, readonly [channels: number, transfers: number]>> = {
  'xeon-platinum-8336c': [8, 3200],
  'xeon-platinum-8160': [6, 2666],
  'epyc-7713': [8, 3200],
  'epyc-9654': [12, 4800],
};

/** What STREAM gets of the sum of the channels. */
const SUSTAINED = { low: 0.7, central: 0.8, high: 0.87 } as const;
/** Lines that a core waits for at a time: ten to sixteen fill buffers, prefetchers included. */
const LINES = { low: 10, central: 12, high: 16 } as const;
const LINE = 64;

/**
 * Of a profile's sockets.
 * @param socket GB/s of a socket that are known otherwise
 * @throws CompareError USAGE for a CPU whose memory channels are not known, unless `socket` is given
 */
export function memoryBandwidthOf(profile: CpuProfile, socket?: number): MemoryBandwidth {
  const { local } = profile.memory;
  const core = {
    low: (LINES.low * LINE) / local.high,
    central: (LINES.central * LINE) / local.central,
    high: (LINES.high * LINE) / local.low,
    source: `10 to 16 lines of ${LINE} bytes at a time, each after the profile's latency of memory`,
    status: 'derived',
  } as const;
  if (socket !== undefined) {
    if (!(socket > 0)) throw new CompareError('USAGE', `bandwidth: ${socket} is not a number of GB/s above 0`);
    return { core, socket: { low: socket, central: socket, high: socket, source: 'given', status: 'published' } };
  }
  const known = CHANNELS[profile.name];
  if (known === undefined) {
    throw new CompareError('USAGE', `the memory channels of ${profile.name} are not known: give the GB/s of a socket as bandwidth`);
  }
  const [channels, transfers] = known;
  const peak = (channels * transfers * 8) / 1000;
  return {
    core,
    socket: {
      low: peak * SUSTAINED.low,
      central: peak * SUSTAINED.central,
      high: peak * SUSTAINED.high,
      source: `${channels} channels of DDR-${transfers} are ${peak.toFixed(0)} GB/s; STREAM gets 70 to 87 % of that on such machines (recalled)`,
      status: 'derived',
    },
  };
}

/** Bytes that are moved to or from the memory of a socket. */
export interface Move {
  readonly socket: number;
  readonly bytes: number;
}

/**
 * The memories of a machine, each as a queue of what is to be moved: where cores ask for more than it moves, they wait. Within a core's
 * share nobody waits: what a copy takes from caches is charged by the machine.
 */
export class MemoryQueues {
  /** TSC cycles that programs have waited for memory. */
  waited = 0;
  readonly #perCycle: { readonly socket: number; readonly core: number };
  /** When each socket's memory is through with what has been asked for, TSC cycles. */
  readonly #freeAt: number[];

  /** @param tscGHz TSC cycles per nanosecond @param costs a low cost is a high bandwidth */
  constructor({ topology: { sockets }, clock: { tscGHz } }: CpuProfile, { socket, core }: MemoryBandwidth, costs: CostLevel) {
    const level = { low: 'high', central: 'central', high: 'low' }[costs] as CostLevel;
    this.#perCycle = { socket: socket[level] / tscGHz, core: core[level] / tscGHz };
    this.#freeAt = Array.from({ length: sockets }, () => 0);
  }

  /** The caller has copied since `began`: waits until memory has moved its part, too. */
  *moved(p: Program, began: number, moves: readonly Move[]): Routine {
    let until = began;
    for (const { socket, bytes } of moves) {
      this.#freeAt[socket] = Math.max(this.#freeAt[socket] as number, began) + bytes / this.#perCycle.socket;
      until = Math.max(until, this.#freeAt[socket] as number, began + bytes / this.#perCycle.core);
    }
    const wait = Math.ceil(until - p.rdtsc());
    if (wait <= 0) return;
    this.waited += wait;
    yield* p.compute(wait);
  }
}
