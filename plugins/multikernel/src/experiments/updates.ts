import type { Curves, Experiment, ExperimentOptions, Published } from '@rpal/compare';
import { CACHE_LINE } from '@rpal/hw-x86';
import { opteron8380 } from '../machines/index.js';
import { channelBytes, UrpcReceiver, UrpcSender } from '../urpc/channel.js';
import { type Words, wordsOf } from '../urpc/words.js';
import { Lab, mean } from './lab.js';

/** How much state an update changes, in cache lines. */
const LINES = [1, 2, 4, 8];
/** Messages cost the same whatever they have done, so that two will do. */
const BY_MESSAGES = [1, 8];
const CORES = [1, 2, 4, 8, 12, 16];
const UPDATES = 8;
const SLOTS = 16;

/** Adds to a word of each line; as long as a load that hits for each, besides what brings the lines. */
function* update(words: Words, state: number, lines: number) {
  for (let line = 0; line < lines; line++) {
    const at = state + line * CACHE_LINE;
    yield* words.store(at, line);
    yield* words.pause();
  }
}

/** Cores that all update the same lines, without a lock. @returns TSC cycles of an update */
export function bySharedMemory(cores: number, lines: number, options: ExperimentOptions): number {
  const lab = new Lab(opteron8380, options);
  const state = lab.memory(8 * CACHE_LINE);
  const taken: number[] = [];
  for (let core = 0; core < cores; core++) {
    lab.start(core, function* (own) {
      const words = wordsOf(own);
      for (let i = 0; i < 2 * UPDATES; i++) {
        const began = own.cpu.clock;
        yield* update(words, state, lines);
        if (i >= UPDATES) taken.push(own.cpu.clock - began);
      }
    });
  }
  lab.run();
  return mean(taken);
}

/** Clients that have the last core update its lines for them, and wait for its answer. @returns TSC cycles of an update */
export function byMessages(cores: number, lines: number, options: ExperimentOptions): number {
  const lab = new Lab(opteron8380, options);
  const clients = cores - 1;
  const state = lab.memory(8 * CACHE_LINE);
  const channels = Array.from({ length: clients }, () => ({
    there: lab.memory(channelBytes(SLOTS)),
    back: lab.memory(channelBytes(SLOTS)),
  }));
  const taken: number[] = [];
  let busy = clients;
  for (const [core, { there, back }] of channels.entries()) {
    lab.start(core, function* (own) {
      const out = new UrpcSender(wordsOf(own), there, SLOTS);
      const into = new UrpcReceiver(wordsOf(own), back, SLOTS);
      for (let i = 0; i < 2 * UPDATES; i++) {
        const began = own.cpu.clock;
        yield* out.send(i);
        yield* into.receive();
        if (i >= UPDATES) taken.push(own.cpu.clock - began);
      }
      busy--;
    });
  }
  lab.start(clients, function* (own) {
    const words = wordsOf(own);
    const ends = channels.map(({ there, back }) => ({
      into: new UrpcReceiver(words, there, SLOTS),
      out: new UrpcSender(words, back, SLOTS),
    }));
    while (busy > 0) {
      for (const { into, out } of ends) {
        if (!(yield* into.hasMessage())) continue;
        yield* into.receive();
        yield* update(words, state, lines);
        yield* out.send(1);
      }
      yield* words.pause();
    }
  });
  lab.run();
  return mean(taken);
}

const source = 'Baumann et al., The Multikernel, SOSP 2009, Figure 3';
const law = { kind: 'law', source, status: 'recalled' } as const;

const published: readonly Published[] = [
  { ...law, id: 'MK-8a', what: 'an update on one core', value: 'under 30 cycles' },
  {
    kind: 'figure',
    id: 'MK-8b',
    what: '8 lines updated by 16 cores: extra',
    value: 12_000,
    unit: 'cycles',
    within: null,
    source,
    status: 'recalled',
  },
  { ...law, id: 'MK-8c', what: 'shared memory, more cores and more lines', value: 'grows with both' },
  { ...law, id: 'MK-8d', what: 'messages, more cores', value: 'close to linear, whatever the number of lines' },
  { ...law, id: 'MK-8e', what: 'which is cheaper at 16 cores', value: 'shared memory for a line, messages above a few' },
];

const SIDE_BY_SIDE =
  'Cores pass lines on one after the other here, but different lines side by side: from 8 cores on it makes no difference whether an update ' +
  'has one line or four. The lines of the paper have one home node, whose controller handles them one at a time.';

/** Shared state updated by shared memory, and by messages to the core that has it. */
export const updatesExperiment: Experiment = {
  name: 'updates',
  title: 'shared state, updated by shared memory and by messages, on the 4x4 AMD',
  published,
  misses: {
    'MK-8c': SIDE_BY_SIDE,
    'MK-8e':
      'Shared memory comes out too cheap, as above; and the server waits for each of its answers to reach its line, where a store buffer ' +
      'would let it go on to the next request.',
  },
  left: ['What the server core can do with the time that its clients wait.'],
  run(options) {
    const shared = LINES.map((lines) => CORES.map((cores) => bySharedMemory(cores, lines, options)));
    const messages = BY_MESSAGES.map((lines) => CORES.slice(1).map((cores) => byMessages(cores, lines, options)));
    const curves: Curves = {
      title: 'TSC cycles of an update: S by shared memory, M by messages; and how many lines it changes',
      over: 'cores',
      names: [...LINES.map((lines) => `S${lines}`), ...BY_MESSAGES.map((lines) => `M${lines}`)],
      points: CORES.map((at, i) => ({
        at,
        values: [...shared.map((curve) => curve[i] as number), ...messages.map((curve) => (i === 0 ? null : (curve[i - 1] as number)))],
      })),
    };
    const last = (all: readonly number[]): number => all.at(-1) as number;
    const alone = Math.max(...shared.map(([first]) => first as number));
    const cheaper = BY_MESSAGES.filter((lines, i) => last(messages[i] as number[]) < last(shared[LINES.indexOf(lines)] as number[]));
    const growth = messages.map((curve) => (last(curve) - (curve[0] as number)) / (CORES.at(-1) as number));
    const even = spreadOf(messages.map(last));
    const grows = shared.every(rises) && rises(shared.map(last));
    return {
      curves: [curves],
      findings: [
        { id: 'MK-8a', here: `${alone.toFixed(0)} cycles at most`, holds: alone < 30 },
        { id: 'MK-8b', here: last(shared.at(-1) as number[]) - alone },
        {
          id: 'MK-8c',
          here: grows ? 'grows with both' : 'does not always grow',
          holds: grows,
        },
        {
          id: 'MK-8d',
          here: `${mean(growth).toFixed(0)} cycles for each core; ${(100 * even).toFixed(0)} % between 1 and 8 lines`,
          holds: messages.every(rises) && messages.every(straight) && even < 0.25,
        },
        {
          id: 'MK-8e',
          here: `messages for ${cheaper.join(', ') || 'no'} lines, shared memory for the others`,
          holds: !cheaper.includes(1) && cheaper.includes(8),
        },
      ],
    };
  },
};

function rises(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value > (values[i - 1] as number));
}

/** How far values lie apart, as a share of the lowest. */
function spreadOf(values: readonly number[]): number {
  return Math.max(...values) / Math.min(...values) - 1;
}

/** Whether a straight line explains 95 % of how a curve over CORES, from two on, varies. */
function straight(curve: readonly number[]): boolean {
  const cores = CORES.slice(1);
  const [x, y] = [mean(cores), mean(curve)];
  const sum = (of: (i: number) => number): number => curve.reduce((total, _, i) => total + of(i), 0);
  const dx = (i: number): number => (cores[i] as number) - x;
  const dy = (i: number): number => (curve[i] as number) - y;
  return sum((i) => dx(i) * dy(i)) ** 2 >= 0.95 * sum((i) => dx(i) ** 2) * sum((i) => dy(i) ** 2);
}
