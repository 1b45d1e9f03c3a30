import type { Experiment, ExperimentOptions, PublishedFigure } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { builtIn } from '../../compare/mechanism-loader.js';
import { asOf } from './as-of.js';
import { byPipeAndSignals, bySharedMemory } from './ipc-bench-programs.js';
import { exchanged, machineOf, RATIO, tripOf } from './setting.js';

const SOURCE =
  'goldsborough/ipc-bench, README: i5-4590S at 3.0 GHz, Ubuntu 20.04; round trips per second. What each program does: its source';

/** Published round trips per second, by bytes of a message. */
const PUBLISHED = [
  { name: 'Unix socket', perSecond: { 100: 130_372, 1000: 127_582 } },
  { name: 'pipe', perSecond: { 100: 162_441, 1000: 155_404 } },
  { name: 'message queue', perSecond: { 100: 232_253, 1000: 213_796 } },
  { name: 'FIFO', perSecond: { 100: 265_823, 1000: 254_880 } },
  { name: 'shared memory', perSecond: { 100: 4_702_557, 1000: 1_659_291 } },
  { name: 'mapped file', perSecond: { 100: 5_338_860, 1000: 1_701_759 } },
] as const;
type Name = (typeof PUBLISHED)[number]['name'];

const SIZES = [100, 1000] as const;
/** What the others are compared with. */
const UNIT: Name = 'Unix socket';

function idOf(name: Name, size: number): string {
  return `${name.replace(/ .*/, '')}-${size}`;
}

const published = SIZES.flatMap((size) =>
  PUBLISHED.map(({ name, perSecond }): PublishedFigure => {
    const row = { kind: 'figure', id: idOf(name, size), source: SOURCE, status: 'published' } as const;
    const trip = 1e6 / perSecond[size];
    if (name === UNIT) return { ...row, what: `${name}, ${size} B, round trip`, value: trip, unit: 'us', within: null };
    return {
      ...row,
      what: `${name}, ${size} B`,
      value: (trip * PUBLISHED[0].perSecond[size]) / 1e6,
      unit: `of the ${UNIT}`,
      within: RATIO,
    };
  }),
);

const PLACEMENT =
  'nothing is pinned, and the idle state is not stated: pipe and FIFO, which are one program and one path in the kernel, lie 1.64 times apart in the source, so that its ratios carry at least as much of placement';
const LINES =
  'the line of the turn and the message moves twice each way, to who writes it and to who reads it, and each further line as well, one after the other, at the 60 ns of a server: a processor has several requests under way, and the cores of this desktop are nearer to each other';

/** The ladder of mechanisms on a desktop of 2013: programs as in the benchmark, two CPUs of one socket. */
export const ipcBench: Experiment = {
  name: 'ipc-bench',
  title: 'round trips by mechanism (C1), as ratios to the Unix socket; two CPUs, idle in C1',
  published,
  misses: Object.fromEntries(
    SIZES.flatMap((size) => [
      [idOf('FIFO', size), PLACEMENT],
      [idOf('message queue', size), PLACEMENT],
      [idOf('shared memory', size), LINES],
      [idOf('mapped file', size), LINES],
    ]),
  ),
  left: [
    'TCP over loopback and ZeroMQ: the machine has no network',
    "the processor's own figures: there is no profile of a Haswell, hence ratios. It is exposed to Meltdown, and the model has no page tables without the kernel",
    'files that are mapped: the same as shared memory, which is run for both',
  ],
  run(options) {
    const findings = SIZES.flatMap((size) => {
      const unit = nanosecondsOf(UNIT, size, options);
      return PUBLISHED.map(({ name }) => {
        const here = name === UNIT ? unit / 1000 : nanosecondsOf(name, size, options) / unit;
        return { id: idOf(name, size), here };
      });
    });
    return { findings };
  },
};

/** Nanoseconds of a round trip. */
function nanosecondsOf(name: Name, size: number, options: ExperimentOptions): number {
  const profile = asOf(defaultProfile, ['rseq']);
  const machine = machineOf(options, { profile, idle: 'C1', coreGHz: 3 });
  switch (name) {
    case 'Unix socket':
      return exchanged(builtIn('stream'), size, machine).roundTrip.nanoseconds;
    case 'message queue':
      return exchanged(builtIn('sysv-mq'), size, machine).roundTrip.nanoseconds;
    case 'pipe':
    case 'FIFO':
      return tripOf(byPipeAndSignals(size), machine);
    case 'shared memory':
    case 'mapped file':
      return tripOf(bySharedMemory(size), machine);
  }
}
