import {
  type Curves,
  type Experiment,
  type ExperimentOptions,
  type Mechanism,
  type PingPong,
  type Published,
  pingPong,
} from '@rpal/compare';
import { findProfile } from '@rpal/hw-x86';
import { byDaemon } from '../mechanisms/by-daemon.js';
import { byKernel } from '../mechanisms/by-kernel.js';

/** The text of a method call in the measurements of 2010 is not known; the answer hardly depends on it. */
const TEXT = 32;
const CALLS = 200;
/** The other sizes of the curves. */
const SIZES: readonly number[] = [1024, 16_384, 262_144];
/** Large messages are few: the shares do not change any more. */
const LARGE_CALLS = 20;

const CREQUY = 'A. Crequy, D-Bus mailing list, 20 Sep 2010: dbus-ping-pong, 50,000 calls, KVM guest (i386, CPU not named)';

const published: readonly Published[] = [
  {
    kind: 'figure',
    id: 'KDB-1',
    what: 'daemon / AF_DBUS, 10,000 calls',
    value: 1.86,
    unit: 'times',
    within: 0.25,
    source: 'Golem.de, Sept 2010, reporting A. Crequy: 3.887 s and 2.085 s, KVM guest (i386)',
    status: 'published',
  },
  {
    kind: 'figure',
    id: 'KDB-2',
    what: 'daemon / AF_DBUS, 50,000 calls',
    value: 2.06,
    unit: 'times',
    within: 0.25,
    source: `${CREQUY}; 19.2 s and 9.3 s`,
    status: 'published',
  },
  {
    kind: 'figure',
    id: 'KDB-3',
    what: 'the same, no validation',
    value: 2.11,
    unit: 'times',
    within: 0.25,
    source: `${CREQUY}; 17.7 s and 8.4 s`,
    status: 'published',
  },
  {
    kind: 'figure',
    id: 'KDB-4a',
    what: 'validation, with the daemon',
    value: 8,
    unit: '%',
    within: null,
    source: `${CREQUY}; 1.5 of 19.2 s`,
    status: 'derived',
  },
  {
    kind: 'figure',
    id: 'KDB-4b',
    what: 'validation, AF_DBUS',
    value: 9.7,
    unit: '%',
    within: null,
    source: `${CREQUY}; 0.9 of 9.3 s`,
    status: 'derived',
  },
  {
    kind: 'law',
    id: 'KDB-6',
    what: 'structure',
    value: 'one pass through the kernel and one copy for two and two, and no daemon to wake up',
    source: 'course notes on AF_DBUS',
    status: 'published',
  },
  {
    kind: 'law',
    id: 'KDB-8',
    what: 'why D-Bus is slow',
    value: 'most of a call is user-space code, so it is no argument for a bus in the kernel',
    source: 'L. Torvalds, June 2015, as reported by Phoronix',
    status: 'published',
  },
];

/** A round trip on one CPU, as a guest with one has it. */
function run(mechanism: Mechanism, { costs, seed }: ExperimentOptions, size = TEXT): PingPong {
  const messages = size > 4096 ? LARGE_CALLS : CALLS;
  const machine = { profile: guest(), costs, seed };
  return pingPong(mechanism, { machine, size, cpus: [0, 0], waiting: 'sleep', messages, warmUp: 10 });
}

/** One CPU of a server of later years: only ratios are compared. */
function guest() {
  const profile = findProfile('xeon-platinum-8160');
  if (profile === undefined) throw new Error('the profile xeon-platinum-8160 is gone');
  return {
    ...profile,
    topology: { ...profile.topology, sockets: 1, coresPerSocket: 1, threadsPerCore: 1, coresPerCache: 1, memoryPerSocket: 1 },
  };
}

const perMessage = ({ counts, messages }: PingPong, what: 'kernelEntries' | 'contextSwitches'): number => counts[what] / messages;

/** Method calls and their answers, one at a time. */
export const pingPongExperiment: Experiment = {
  name: 'ping-pong',
  title: 'method calls and their answers by way of a daemon, and by way of the kernel',
  published,
  misses: {},
  left: [
    'the processor, the kernel and the library of 2010: the library is libdbus 1.14.10, whose instructions were counted',
    'absolute times: 384 us a call by way of the daemon then, some 30 us here; what of it was the guest, the processor and the library is not known',
    'in AF_DBUS large messages still went by way of the daemon; here none does',
  ],
  run(options) {
    const trip = (mechanism: Mechanism, size?: number) => run(mechanism, options, size).roundTrip.cycles;
    const [daemon, kernel] = [run(byDaemon('on'), options), run(byKernel('on'), options)];
    const [trustingDaemon, trustingKernel] = [trip(byDaemon('off')), trip(byKernel('off'))];
    const ratio = daemon.roundTrip.cycles / kernel.roundTrip.cycles;
    const entries = [daemon, kernel].map((result) => perMessage(result, 'kernelEntries'));
    const switches = [daemon, kernel].map((result) => perMessage(result, 'contextSwitches'));
    const library = kernel.roundTrip.causes.get('library') ?? 0;
    const share = library / kernel.roundTrip.cycles;
    const curves: Curves = {
      title: 'TSC cycles of a call and its answer, by size of the text',
      over: 'bytes',
      names: ['daemon', 'kernel'],
      points: [
        { at: TEXT, values: [daemon.roundTrip.cycles, kernel.roundTrip.cycles] },
        ...SIZES.map((at) => ({ at, values: [trip(byDaemon('on'), at), trip(byKernel('on'), at)] })),
      ],
    };
    return {
      findings: [
        { id: 'KDB-1', here: ratio },
        { id: 'KDB-2', here: ratio },
        { id: 'KDB-3', here: trustingDaemon / trustingKernel },
        { id: 'KDB-4a', here: 100 * (1 - trustingDaemon / daemon.roundTrip.cycles) },
        { id: 'KDB-4b', here: 100 * (1 - trustingKernel / kernel.roundTrip.cycles) },
        {
          id: 'KDB-6',
          here: `copies 5 and 2 (one of them the library's own), ${entries.map((n) => n.toFixed(1)).join(' and ')} kernel entries, ${switches.map((n) => n.toFixed(1)).join(' and ')} switches a message`,
          holds: (switches[0] as number) > 1.5 * (switches[1] as number),
        },
        { id: 'KDB-8', here: `${(100 * share).toFixed(0)} % of a call by way of the kernel is the library`, holds: share > 0.5 },
      ],
      curves: [curves],
    };
  },
};
