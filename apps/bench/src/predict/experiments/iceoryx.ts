import type { Experiment, Mechanism, PublishedFigure, Side } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import { builtIn } from '../../compare/mechanism-loader.js';
import { exchanged, machineOf, RATIO } from './setting.js';

const SOURCE =
  'iceoryx2, data of its plots: latencies one way between two processes. Its programs (iceperf) send datagrams and messages of at most 4 KiB, so 64 KiB are sixteen of them';

/** Microseconds one way for 64 B, 4 KiB and 64 KiB. */
const PUBLISHED = [
  { host: 'i7-13700H', mq: [1.1, 2.2, 19], unix: [1.6, 2.3, 19] },
  { host: '7840S', mq: [0.73, 1.8, 16], unix: [2.1, 3.0, 35] },
] as const;
const SIZES = [64, 4096, 65_536] as const;
/** What a program sends in one piece. */
const PACKET = 4096;
/** Growth from which size to which. */
const STEPS = [
  { from: 0, to: 1, words: '4 KiB over 64 B' },
  { from: 1, to: 2, words: '64 KiB over 4 KiB' },
] as const;
const KINDS = [
  { kind: 'mq', mechanism: 'mq', words: 'POSIX message queue' },
  { kind: 'unix', mechanism: 'datagram', words: 'Unix datagram socket' },
] as const;

const growth = PUBLISHED.flatMap(({ host, ...published }) =>
  KINDS.flatMap(({ kind, words: who }) =>
    STEPS.map(
      ({ from, to, words }): PublishedFigure => ({
        kind: 'figure',
        id: `${kind}-${SIZES[to]}-${host}`,
        what: `${who}, ${words}, ${host}`,
        value: published[kind][to] / published[kind][from],
        unit: 'times',
        within: RATIO,
        source: SOURCE,
        status: 'derived',
      }),
    ),
  ),
);

const zeroCopy: PublishedFigure = {
  kind: 'figure',
  id: 'zero-copy',
  what: 'iceoryx2, i7-13700H: only a reference passes, at every size',
  value: 0.098,
  unit: 'us',
  within: null,
  source: SOURCE,
  status: 'published',
};

const BASE =
  'what does not grow with the size, the wake-up of an idle CPU, is larger on this server than on those laptops (4 KiB take 3.0 us here, 1.8 and 2.2 us there), which makes the ratios smaller. What 60 KiB more take is 13.5 us here, 14.2 and 16.8 us there';

/** How latency grows with the size of a message. */
export const iceoryx: Experiment = {
  name: 'iceoryx',
  title: 'growth with the size of a message (C3); two CPUs of a socket, idle in C1',
  published: [...growth, zeroCopy],
  misses: {
    'mq-65536-i7-13700H': BASE,
    'mq-4096-7840S': BASE,
    'mq-65536-7840S': BASE,
    'unix-65536-7840S':
      'the two machines of the source lie farther from each other than from the model: 60 KiB more take 17 us on one and 32 us on the other, and 22 us here',
  },
  left: ['the Raspberry Pi: the machine is an x86', 'iceoryx itself: its library'],
  run(options) {
    const machine = machineOf(options, { profile: defaultProfile, idle: 'C1' });
    const ways = KINDS.map(({ mechanism }) => SIZES.map((size) => oneWay(mechanism, size, machine)));
    const grown = PUBLISHED.flatMap(({ host }) =>
      KINDS.flatMap(({ kind }, index) =>
        STEPS.map(({ from, to }) => {
          const cycles = ways[index] as readonly number[];
          return { id: `${kind}-${SIZES[to]}-${host}`, here: (cycles[to] as number) / (cycles[from] as number) };
        }),
      ),
    );
    const reference = exchanged(builtIn('spin'), 8, machine).roundTrip.nanoseconds / 2000;
    return {
      findings: [...grown, { id: 'zero-copy', here: reference }],
      curves: [
        {
          title: 'TSC cycles one way',
          over: 'bytes',
          names: KINDS.map(({ words }) => words),
          points: SIZES.map((at, index) => ({ at, values: ways.map((cycles) => cycles[index] as number) })),
        },
      ],
    };
  },
};

function oneWay(name: string, size: number, machine: MachineOptions): number {
  return exchanged(inPackets(builtIn(name)), size, machine, { waiting: 'sleep' }).roundTrip.cycles / 2;
}

/** The mechanism with messages that go packet by packet. */
function inPackets(mechanism: Mechanism): Mechanism {
  const split =
    (side: Side): Side =>
    (p, end) =>
      side(p, {
        ...end,
        *send(address, length) {
          for (let at = 0; at < length; at += PACKET) yield* end.send(address + at, Math.min(PACKET, length - at));
        },
        *receive(address, length) {
          for (let at = 0; at < length; at += PACKET) yield* end.receive(address + at, Math.min(PACKET, length - at));
          return address;
        },
      });
  return {
    ...mechanism,
    sizes: [1, SIZES[2]],
    start: (machine, { size, client, server, ...meeting }) =>
      mechanism.start(machine, { ...meeting, size: Math.min(PACKET, size), client: split(client), server: split(server) }),
  };
}
