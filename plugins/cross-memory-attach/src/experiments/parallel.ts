import {
  type Curves,
  type Experiment,
  type ExperimentOptions,
  type MpiOptions,
  type MpiResult,
  mpiPingPong,
  mpiRing,
  type Outcome,
  type Published,
  type Transport,
  transports,
} from '@rpal/compare';
import { type CpuProfile, defaultProfile, Rng } from '@rpal/hw-x86';
import { cmaTransport } from '../mechanism.js';

const SOURCE = 'C. Yeoh, Cross Memory Attach, linux-mm, 15 September 2010: HPCC on Open MPI, 64-way POWER6';
/** Bytes of HPCC's largest messages. */
const SIZE = 2_000_000;
const ROUNDS = 1;
const RANKS = [4, 8, 16, 32] as const;
/** Messages for the size from which one copy pays. */
const SIZES = [256, 1024, 4096, 16_384, 65_536] as const;

/** MB/s of a process, without and with the calls, for each of `RANKS`. */
const RINGS = {
  'CMA-1': { order: 'naturally', without: [1235, 935, 622, 419], with: [4741, 3769, 1977, 703] },
  'CMA-2': { order: 'randomly', without: [1227, 947, 638, 412], with: [4666, 3682, 1978, 710] },
} as const;
type RingId = keyof typeof RINGS;
const RING_IDS = Object.keys(RINGS) as RingId[];
/** The same of the fastest pair: 3.7 to 4.1 times as much, whatever the number of processes. */
const PAIR = { without: [2028, 1938, 1928, 1882], with: [7424, 7510, 7598, 7708] } as const;

const published: readonly Published[] = [
  ...RING_IDS.flatMap((id) =>
    RANKS.map(
      (ranks, at): Published => ({
        kind: 'figure',
        id: rowOf(id, ranks),
        what: `${RINGS[id].order} ordered ring, ${ranks} processes, with over without`,
        value: (RINGS[id].with[at] as number) / (RINGS[id].without[at] as number),
        unit: 'times',
        within: 0.25,
        source: SOURCE,
        status: 'derived',
      }),
    ),
  ),
  {
    kind: 'figure',
    id: 'CMA-3',
    what: 'fastest ping-pong, mean of 4 to 32 processes, with over without',
    value: RANKS.reduce<number>((sum, _, at) => sum + (PAIR.with[at] as number) / (PAIR.without[at] as number), 0) / RANKS.length,
    unit: 'times',
    within: 0.25,
    source: SOURCE,
    status: 'derived',
  },
  {
    kind: 'law',
    id: 'decline',
    what: 'gain of the rings when many processes send',
    value: 'falls to less than half, from 4.0 times with 8 processes to 1.7 with 32: memory has no more to give',
    source: SOURCE,
    status: 'published',
  },
  {
    kind: 'law',
    id: 'order',
    what: 'naturally against randomly ordered ring',
    value: 'the same within 3 % with the calls, and within 3 % without',
    source: SOURCE,
    status: 'derived',
  },
];

const IN_CACHE =
  'Nobody writes the messages anew, as in HPCC: with the calls a receiver here finds them in its own caches, and copies 15 GB/s. Through ' +
  'shared memory the lines of each fragment move to the receiver and back, and those of the slowest pair, on two sockets, hold up the ' +
  'whole ring. With all processes on one socket the gain is 4.6 (rpal-bench mpi --ranks 4,8).';
const RANDOM = `${IN_CACHE} In random order some processes have both neighbours on the other socket, which costs the copies through shared memory more.`;
const SATURATED =
  '16 processes share the 164 GB/s of a socket, 5.1 for each: every byte is read there and written. Copies through shared memory are slower than that, and ' +
  'memory does not hold them up; on the POWER6 it does: they sink to a third.';

const misses: Readonly<Record<string, string>> = {
  ...Object.fromEntries(RANKS.slice(0, -1).map((ranks) => [rowOf('CMA-1', ranks), IN_CACHE])),
  ...Object.fromEntries(RANKS.slice(0, -1).map((ranks) => [rowOf('CMA-2', ranks), RANDOM])),
  [rowOf('CMA-1', 32)]: SATURATED,
  [rowOf('CMA-2', 32)]: SATURATED,
  'CMA-3':
    'Between two, the copies in and out of shared memory go on at the same time, fragment by fragment: the gain is smaller than in a ring, whose processes do both. Published, it is as large as there; why is not known.',
  order:
    'Copies through shared memory move lines between processes, and between sockets that takes longer: more pairs are on two sockets in random order. ' +
    'With the calls the two rings are the same here, too.',
};

function rowOf(id: RingId, ranks: number): string {
  return `${id} ${ranks}`;
}

/** Half of the ranks on the cores of each socket, as a kernel spreads them, in order or in any. */
function coresOf({ topology: { sockets, coresPerSocket } }: CpuProfile, ranks: number, order: 'naturally' | 'randomly'): number[] {
  const each = Math.ceil(ranks / sockets);
  const cores = Array.from({ length: ranks }, (_, rank) => Math.floor(rank / each) * coresPerSocket + (rank % each));
  if (order === 'randomly') {
    const rng = new Rng(ranks);
    for (let i = ranks - 1; i > 0; i--) {
      const j = rng.below(i + 1);
      [cores[i], cores[j]] = [cores[j] as number, cores[i] as number];
    }
  }
  return cores;
}

/** Bandwidths of a rank without the calls, and with them, GB/s. */
interface Pair {
  readonly without: number;
  readonly with: number;
}

/** What a workload of parallel programs comes to by copies through shared memory, and by one copy. */
function both(run: (options: MpiOptions) => MpiResult, options: Omit<MpiOptions, 'transport'>): Pair {
  const by = (transport: Transport): number => run({ ...options, transport }).bandwidth;
  return { without: by(transports[0] as Transport), with: by(cmaTransport) };
}

/** TSC cycles of a message between two ranks. */
function oneWay(transport: Transport, size: number, machine: MpiOptions['machine']): number {
  return mpiPingPong({ machine, transport, ranks: 2, size, rounds: 5 }).interval / 2;
}

const times = (pair: Pair): number => pair.with / pair.without;

/** What a parallel program gains by one copy for two, with 4 to 32 processes. */
export const parallelExperiment: Experiment = {
  name: 'parallel',
  title: "HPCC's rings and ping-pong with messages of 2 MB on the RFC's server, half of the processes on each socket (CMA-1 to CMA-3)",
  published,
  misses,
  left: [
    'POWER6, its memory and its copies: what carries over is what one copy gains over two as long as memory keeps up, and that the gain goes where it does not; not MB/s, and not the number of processes at which that happens',
    "HPCC's ring sends both ways at a time; this one sends one way",
    'NAS and IMB (CMA-4 to CMA-6): whole programs',
  ],
  run: (options) => parallelOn(defaultProfile, SIZE, options),
};

/** The experiment on a machine of at least 16 cores on each of its sockets. @param size bytes of a message */
export function parallelOn(profile: CpuProfile, size: number, { costs, seed }: ExperimentOptions): Outcome {
  const machine = { profile, costs, seed };
  const rings = RING_IDS.map((id) => ({
    id,
    pairs: RANKS.map((ranks) => both(mpiRing, { machine, ranks, size, rounds: ROUNDS, cores: coresOf(profile, ranks, RINGS[id].order) })),
  }));
  const pair = both(mpiPingPong, { machine, ranks: 2, size, rounds: ROUNDS });
  const [natural, random] = rings.map(({ pairs }) => pairs) as [Pair[], Pair[]];
  const gains = natural.map(times);
  const apart = Math.max(
    ...natural.flatMap((one, at) => {
      const other = random[at] as Pair;
      return [Math.abs(one.without / other.without - 1), Math.abs(one.with / other.with - 1)];
    }),
  );
  const most = Math.max(...gains);
  const last = gains.at(-1) as number;
  const curves: Curves[] = [
    ...rings.map(
      ({ id, pairs }): Curves => ({
        title: `MB/s that a process sends in the ${RINGS[id].order} ordered ring: published, and here`,
        over: 'processes',
        names: ['without', 'with', 'without, here', 'with, here'],
        points: RANKS.map((at, i) => ({
          at,
          values: [
            RINGS[id].without[i] as number,
            RINGS[id].with[i] as number,
            1000 * (pairs[i] as Pair).without,
            1000 * (pairs[i] as Pair).with,
          ],
        })),
      }),
    ),
    {
      title: 'TSC cycles of a message between two processes of a socket, which watch shared memory',
      over: 'bytes',
      names: ['two copies', 'copy_from_process', 'process_vm_readv'],
      points: SIZES.map((at) => ({
        at,
        values: [transports[0] as Transport, cmaTransport, transports[1] as Transport].map((transport) => oneWay(transport, at, machine)),
      })),
    },
  ];
  return {
    findings: [
      ...rings.flatMap(({ id, pairs }) => RANKS.map((ranks, at) => ({ id: rowOf(id, ranks), here: times(pairs[at] as Pair) }))),
      { id: 'CMA-3', here: times(pair) },
      {
        id: 'decline',
        here: `from ${most.toFixed(1)} times at most to ${last.toFixed(1)} with ${RANKS.at(-1)}`,
        holds: last < most / 2,
      },
      { id: 'order', here: `${(100 * apart).toFixed(1)} % apart at most`, holds: apart <= 0.03 },
    ],
    curves,
  };
}
