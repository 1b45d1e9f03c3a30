import type { Experiment, ExperimentOptions, PublishedFigure, Waiting } from '@rpal/compare';
import { type Cause, defaultProfile } from '@rpal/hw-x86';
import { builtIn } from '../../compare/mechanism-loader.js';
import { asOf } from './as-of.js';
import { exchanged, machineOf, RATIO } from './setting.js';

const SOURCE = 'Peter et al., Arrakis, OSDI 2014, table 1: scheduler share of a UDP echo on Xeon E5-2430, 2.2 GHz';
/** What the paper counts as the scheduler's. */
const SCHEDULER: readonly Cause[] = ['wake-up', 'switch', 'idle'];
const SIZE = 64;

const IDLE = ['C1', 'C1E'] as const;

const row = { kind: 'figure', unit: 'us', source: SOURCE, status: 'recalled' } as const;
const published: readonly PublishedFigure[] = [
  { ...row, id: 'running', what: 'scheduler, receiver runs on its CPU', value: 0.17, within: null },
  ...IDLE.map((idle) => ({ ...row, id: idle, what: `scheduler, receiver woken from idle, ${idle}`, value: 2.4, within: RATIO })),
];

const IDLE_STATE = "the paper does not say in which idle state the receiver's CPU was; C1 and C1E lie on both sides of its figure";

/** What it costs to wake a receiver, and what it costs to find it running. */
export const arrakis: Experiment = {
  name: 'arrakis',
  title: 'a receiver that runs against one that sleeps on an idle CPU (ARR-3); datagrams, two CPUs',
  published,
  misses: { C1: IDLE_STATE, C1E: IDLE_STATE },
  left: ['the network stack (ARR-1, ARR-2): Unix datagrams stand for UDP, and only the part of the scheduler is compared'],
  run(options) {
    const asleep = IDLE.map((idle) => ({ id: idle, here: share('sleep', idle, options) }));
    return { findings: [{ id: 'running', here: share('poll', 'C1', options) }, ...asleep] };
  },
};

/** Microseconds of the way there that are the scheduler's. */
function share(waiting: Waiting, idle: (typeof IDLE)[number], options: ExperimentOptions): number {
  const profile = asOf(defaultProfile, ['pressure', 'rseq']);
  const machine = machineOf(options, { profile, idle, coreGHz: 2.2 });
  const { there } = exchanged(builtIn('datagram'), SIZE, machine, { waiting });
  const cycles = SCHEDULER.reduce((sum, cause) => sum + (there.causes.get(cause) ?? 0), 0);
  return ((cycles / there.cycles) * there.nanoseconds) / 1000;
}
