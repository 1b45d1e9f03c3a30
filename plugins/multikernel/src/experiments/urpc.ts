import type { Experiment, ExperimentOptions, Published } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import { opteron2220, opteron8350, opteron8380, xeonX5355 } from '../machines/index.js';
import { channelBytes, UrpcReceiver, UrpcSender } from '../urpc/channel.js';
import { wordsOf } from '../urpc/words.js';
import { Lab, mean } from './lab.js';

/** Messages in flight, as in the paper's measurement of throughput. */
const SLOTS = 16;
const WARM_UP = 4 * SLOTS;
const MESSAGES = 10 * SLOTS;

/** What a message takes between two cores. */
export interface UrpcCost {
  /** From the beginning of a send to the moment at which the receiver has the message, TSC cycles. */
  readonly latency: number;
  /** Messages in 1000 cycles, with as many in flight as there is room for. */
  readonly throughput: number;
}

/** Sends messages from one core to another, first one at a time and then as fast as they are taken. */
export function urpcBetween(profile: CpuProfile, sender: number, receiver: number, options: ExperimentOptions): UrpcCost {
  return { latency: latency(profile, sender, receiver, options), throughput: throughput(profile, sender, receiver, options) };
}

function latency(profile: CpuProfile, sender: number, receiver: number, options: ExperimentOptions): number {
  const lab = new Lab(profile, options);
  const [there, back] = [lab.memory(channelBytes(SLOTS)), lab.memory(channelBytes(SLOTS))];
  const taken: number[] = [];
  let sent = 0;
  lab.start(sender, function* (core) {
    const out = new UrpcSender(wordsOf(core), there, SLOTS);
    const into = new UrpcReceiver(wordsOf(core), back, SLOTS);
    for (let i = 0; i < WARM_UP + MESSAGES; i++) {
      sent = core.cpu.clock;
      yield* out.send(i);
      yield* into.receive();
    }
  });
  lab.start(receiver, function* (core) {
    const out = new UrpcSender(wordsOf(core), back, SLOTS);
    const into = new UrpcReceiver(wordsOf(core), there, SLOTS);
    for (let i = 0; i < WARM_UP + MESSAGES; i++) {
      yield* into.receive();
      if (i >= WARM_UP) taken.push(core.cpu.clock - sent);
      yield* out.send(i);
    }
  });
  lab.run();
  return mean(taken);
}

function throughput(profile: CpuProfile, sender: number, receiver: number, options: ExperimentOptions): number {
  const lab = new Lab(profile, options);
  const channel = lab.memory(channelBytes(SLOTS));
  let began = 0;
  let ended = 0;
  lab.start(sender, function* (core) {
    const out = new UrpcSender(wordsOf(core), channel, SLOTS);
    for (let i = 0; i < WARM_UP + MESSAGES; i++) yield* out.send(i);
  });
  lab.start(receiver, function* (core) {
    const into = new UrpcReceiver(wordsOf(core), channel, SLOTS);
    for (let i = 0; i < WARM_UP + MESSAGES; i++) {
      if (i === WARM_UP) began = core.cpu.clock;
      yield* into.receive();
    }
    ended = core.cpu.clock;
  });
  lab.run();
  return (1000 * MESSAGES) / (ended - began);
}

/** A line of the paper's table: a machine, and which cores of it. */
interface Pairing {
  readonly id: string;
  readonly what: string;
  readonly profile: CpuProfile;
  /** Partners of core 0; the mean over them is meant. */
  readonly partners: readonly number[];
  /** As published, and how each of them came to be known. */
  readonly latency: readonly [cycles: number, status: Published['status']];
  readonly throughput: readonly [perKilocycle: number, status: Published['status']];
}

const PAIRINGS: readonly Pairing[] = [
  {
    id: 'MK-2',
    what: '2x4 Intel, shared cache',
    profile: xeonX5355,
    partners: [1],
    latency: [180, 'published'],
    throughput: [11.97, 'published'],
  },
  {
    id: 'MK-3',
    what: '2x4 Intel, no shared cache',
    profile: xeonX5355,
    partners: [2, 3, 4, 5, 6, 7],
    latency: [570, 'recalled'],
    throughput: [3.78, 'recalled'],
  },
  {
    id: 'MK-4a',
    what: '2x2 AMD, same die',
    profile: opteron2220,
    partners: [1],
    latency: [450, 'published'],
    throughput: [3.42, 'published'],
  },
  {
    id: 'MK-4b',
    what: '2x2 AMD, one hop',
    profile: opteron2220,
    partners: [2, 3],
    latency: [532, 'recalled'],
    throughput: [3.19, 'recalled'],
  },
  {
    id: 'MK-5a',
    what: '4x4 AMD, same die',
    profile: opteron8380,
    partners: [1, 2, 3],
    latency: [448, 'recalled'],
    throughput: [3.57, 'recalled'],
  },
  {
    id: 'MK-5b',
    what: '4x4 AMD, one hop',
    profile: opteron8380,
    partners: apart(opteron8380, 1),
    latency: [545, 'recalled'],
    throughput: [3.53, 'recalled'],
  },
  {
    id: 'MK-5c',
    what: '4x4 AMD, two hops',
    profile: opteron8380,
    partners: apart(opteron8380, 2),
    latency: [558, 'recalled'],
    throughput: [3.51, 'recalled'],
  },
  {
    id: 'MK-6a',
    what: '8x4 AMD, same die',
    profile: opteron8350,
    partners: [1, 2, 3],
    latency: [538, 'recalled'],
    throughput: [2.77, 'recalled'],
  },
  {
    id: 'MK-6b',
    what: '8x4 AMD, one hop',
    profile: opteron8350,
    partners: apart(opteron8350, 1),
    latency: [613, 'recalled'],
    throughput: [2.79, 'recalled'],
  },
  {
    id: 'MK-6c',
    what: '8x4 AMD, two hops',
    profile: opteron8350,
    partners: apart(opteron8350, 2),
    latency: [618, 'published'],
    throughput: [2.75, 'published'],
  },
];

/** The first core of each socket that is `links` links away from core 0. */
function apart({ topology: { hops = [], coresPerSocket } }: CpuProfile, links: number): number[] {
  return (hops[0] ?? []).flatMap((distance, socket) => (distance === links ? [socket * coresPerSocket] : []));
}

const source = 'Baumann et al., The Multikernel, SOSP 2009, Table 2';

const published: readonly Published[] = PAIRINGS.flatMap(({ id, what, latency: [cycles, known], throughput: [rate, rateKnown] }) => [
  { kind: 'figure', id, what: `${what}: one way`, value: cycles, unit: 'cycles', within: 0.25, source, status: known } as const,
  {
    kind: 'figure',
    id: `${id}t`,
    what: `${what}: messages in 1000 cycles`,
    value: rate,
    unit: 'messages',
    within: 0.25,
    source,
    status: rateKnown,
  } as const,
]);

const ONE_DIE =
  'Published, a die is hardly faster than a link (3.42 against 3.19, 3.57 against 3.53): there the home node takes its time for every line, ' +
  'wherever it comes from. Here the sender takes one line while the receiver fetches another, and only the way of each counts.';

const EIGHT_SOCKETS =
  'Transfers are taken from machines of two and four sockets. These processors have no probe filter: every request waits for the answers of ' +
  'all sockets, here eight of them, even for a line on the own die. No measurement of such a machine but the one to be predicted was found.';

/** URPC between cores of the paper's machines. */
export const urpcExperiment: Experiment = {
  name: 'urpc',
  title: 'messages between two cores, a cache line each, from line transfers alone',
  published,
  misses: {
    'MK-4at': ONE_DIE,
    'MK-5at': ONE_DIE,
    ...Object.fromEntries(['MK-6a', 'MK-6at', 'MK-6b', 'MK-6bt', 'MK-6c', 'MK-6ct'].map((id) => [id, EIGHT_SOCKETS])),
  },
  left: [
    'MK-7, the lines of code and data that URPC and L4 IPC use on the 2x2 AMD: instruction fetches are not modelled, and L4 is another kernel.',
    'What a message costs in instructions: nothing is charged but line transfers and the looks of who waits.',
  ],
  run: (options) => ({
    findings: PAIRINGS.flatMap(({ id, profile, partners }) => {
      const costs = partners.map((partner) => urpcBetween(profile, 0, partner, options));
      return [
        { id, here: mean(costs.map((cost) => cost.latency)) },
        { id: `${id}t`, here: mean(costs.map((cost) => cost.throughput)) },
      ];
    }),
  }),
};
