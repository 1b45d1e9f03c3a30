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
  /** As published: cycles one way, messages in 1000 cycles, and how both came to be known. */
  readonly cycles: number;
  readonly rate: number;
  readonly status: Published['status'];
}

type Known = readonly [cycles: number, rate: number, status: Published['status']];

function pairing(id: string, what: string, profile: CpuProfile, partners: readonly number[], [cycles, rate, status]: Known): Pairing {
  return { id, what, profile, partners, cycles, rate, status };
}

const PAIRINGS: readonly Pairing[] = [
  pairing('MK-2', '2x4 Intel, shared cache', xeonX5355, [1], [180, 11.97, 'published']),
  pairing('MK-3', '2x4 Intel, no shared cache', xeonX5355, [2, 3, 4, 5, 6, 7], [570, 3.78, 'recalled']),
  pairing('MK-4a', '2x2 AMD, same die', opteron2220, [1], [450, 3.42, 'published']),
  pairing('MK-4b', '2x2 AMD, one hop', opteron2220, [2, 3], [532, 3.19, 'recalled']),
  pairing('MK-5a', '4x4 AMD, same die', opteron8380, [1, 2, 3], [448, 3.57, 'recalled']),
  pairing('MK-5b', '4x4 AMD, one hop', opteron8380, apart(opteron8380, 1), [545, 3.53, 'recalled']),
  pairing('MK-5c', '4x4 AMD, two hops', opteron8380, apart(opteron8380, 2), [558, 3.51, 'recalled']),
  pairing('MK-6a', '8x4 AMD, same die', opteron8350, [1, 2, 3], [538, 2.77, 'recalled']),
  pairing('MK-6b', '8x4 AMD, one hop', opteron8350, apart(opteron8350, 1), [613, 2.79, 'recalled']),
  pairing('MK-6c', '8x4 AMD, two hops', opteron8350, apart(opteron8350, 2), [618, 2.75, 'published']),
];

/** The first core of each socket that is `links` links away from core 0. */
function apart({ topology: { hops = [], coresPerSocket } }: CpuProfile, links: number): number[] {
  return (hops[0] ?? []).flatMap((distance, socket) => (distance === links ? [socket * coresPerSocket] : []));
}

const source = 'Baumann et al., The Multikernel, SOSP 2009, Table 2';

const figure = { kind: 'figure', within: 0.25, source } as const;

const published: readonly Published[] = PAIRINGS.flatMap(({ id, what, cycles, rate, status }) => [
  { ...figure, id, what: `${what}: one way`, value: cycles, unit: 'cycles', status },
  { ...figure, id: `${id}t`, what: `${what}: messages in 1000 cycles`, value: rate, unit: 'messages', status },
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
