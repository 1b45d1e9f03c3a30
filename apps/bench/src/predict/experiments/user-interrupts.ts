import type { Experiment, ExperimentOptions, PublishedFigure } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { builtIn } from '../../compare/mechanism-loader.js';
import { asOf } from './as-of.js';
import { byEventfds, byPipeAndSignals, bySignals } from './ipc-bench-programs.js';
import { exchanged, machineOf, RATIO, tripOf } from './setting.js';

const SOURCE =
  'S. Mehta, user interrupts, RFC of September 2021: latencies of a fork of ipc-bench relative to a user IPI, Linux 5.14, Intel before production';

/** Relative to a user IPI. */
const RELATIVE = { eventfd: 9.7, signal: 14.8, pipe: 16.3, socket: 17.3 } as const;
type Name = keyof typeof RELATIVE;
const SIZE = 1;

const SIGNAL =
  'no cache line is charged for a signal that goes to another CPU (its task, its signals and their lock), so that the answer comes while the sender still runs the handler of its own copy: it does not fall asleep here, and did where this was measured';

/** Latencies of mechanisms relative to each other on a server. */
export const userInterrupts: Experiment = {
  name: 'user-interrupts',
  title: 'latencies relative to an eventfd, from the series that proposed user interrupts (C4); two CPUs, idle in C1',
  published: (['signal', 'pipe', 'socket'] as const).map(
    (name): PublishedFigure => ({
      kind: 'figure',
      id: name,
      what: name === 'pipe' ? 'pipe, announced by signals as in ipc-bench' : name === 'socket' ? 'Unix stream socket' : name,
      value: RELATIVE[name] / RELATIVE.eventfd,
      unit: 'of the eventfd',
      within: RATIO,
      source: SOURCE,
      status: 'derived',
    }),
  ),
  misses: {
    signal: SIGNAL,
    pipe: SIGNAL,
    socket:
      'instructions of a socket are priced as those of an eventfd, at one figure of cycles each: what of its code does not fit the first-level cache (42 to 46 KB a trip, counted, against 27 KB) and what a switch has left cold is not charged',
  },
  left: ['user IPIs: the machine has none'],
  run(options) {
    const unit = nanosecondsOf('eventfd', options);
    return { findings: (['signal', 'pipe', 'socket'] as const).map((id) => ({ id, here: nanosecondsOf(id, options) / unit })) };
  },
};

/** Nanoseconds of a round trip. */
function nanosecondsOf(name: Name, options: ExperimentOptions): number {
  const profile = asOf(defaultProfile, ['rseq']);
  const machine = machineOf(options, { profile, idle: 'C1' });
  switch (name) {
    case 'eventfd':
      return tripOf(byEventfds, machine);
    case 'signal':
      return tripOf(bySignals, machine);
    case 'pipe':
      return tripOf(byPipeAndSignals(SIZE), machine);
    case 'socket':
      return exchanged(builtIn('stream'), SIZE, machine).roundTrip.nanoseconds;
  }
}
