import { type CostLevel, type CpuProfile, parseProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import type { PingPongOptions } from './ping-pong.js';

/** A figure that somebody measured, and the experiment on the model that corresponds to it. */
export interface Prediction {
  readonly what: string;
  /** Microseconds per round trip. */
  readonly published: number;
  readonly source: string;
  /** What the source does not say and the experiment has to choose, or in what it differs. */
  readonly assumed: string;
  readonly experiment: (profile: CpuProfile, costs: CostLevel) => Omit<PingPongOptions, 'rounds'>;
}

const MOLNAR = 'I. Molnar, linux-kernel, 2025: perf bench sched pipe in a guest, pinned to one CPU, against the RFC';
const SPEED_SELECT = 'Intel Speed Select documentation: perf bench sched pipe at fixed clocks, two-socket Xeon';
const LUTOMIRSKI = 'A. Lutomirski, PCID series, 2017: eventfd between two processes on one CPU, Skylake 2.3 GHz';
const GEFFON = 'B. Geffon, linux-fsdevel, December 2024: epoll on non-blocking pipes, CPU not named';

const ITERATION = 'an iteration read as a round trip; as one way, the model has half';

function without(profile: CpuProfile): CpuProfile {
  return parseProfile({ ...profile, features: { ...profile.features, pcid: false } });
}

/** Two CPUs of one socket at a fixed clock. */
function twoCpus(coreGHz: number, published: number, idle: 'C1' | 'C1E'): Prediction {
  return {
    what: `pipe, two CPUs, ${coreGHz} GHz, idle in ${idle}`,
    published,
    source: SPEED_SELECT,
    assumed: 'idle state and distance are not stated: one socket',
    experiment: (profile, costs) => ({ channel: 'pipe', cpus: [0, 1], machine: { profile, costs, idle, coreGHz } }),
  };
}

function eventfd(what: string, published: number, pages: number, pcid: boolean): Prediction {
  return {
    what,
    published,
    source: LUTOMIRSKI,
    assumed: ITERATION,
    experiment: (profile, costs) => ({
      channel: 'eventfd',
      cpus: [0, 0],
      pages,
      machine: { profile: pcid ? profile : without(profile), costs, coreGHz: 2.3 },
    }),
  };
}

function epoll(published: number, synchronousEpollWakeUps: boolean, idle: NonNullable<MachineOptions['idle']>): Prediction {
  return {
    what: `epoll on pipes, ${synchronousEpollWakeUps ? 'synchronous' : 'ordinary'} wake-ups, idle in ${idle}`,
    published,
    source: GEFFON,
    assumed: 'CPU and idle state are not stated; tasks are not pinned',
    experiment: (profile, costs) => ({ channel: 'epoll on pipes', machine: { profile, costs, idle, synchronousEpollWakeUps } }),
  };
}

/** Measurements of round trips between two processes, by others and on other machines. None of them set a price here. */
export const predictions: readonly Prediction[] = [
  {
    what: 'pipe, one CPU',
    published: 2.79,
    source: MOLNAR,
    assumed: 'the guest is treated as the machine itself',
    experiment: (profile, costs) => ({ channel: 'pipe', cpus: [0, 0], machine: { profile, costs } }),
  },
  twoCpus(2.6, 6.1, 'C1'),
  twoCpus(2.6, 6.1, 'C1E'),
  twoCpus(3, 5.63, 'C1'),
  twoCpus(3, 5.63, 'C1E'),
  twoCpus(3.2, 5.51, 'C1'),
  twoCpus(3.2, 5.51, 'C1E'),
  eventfd('eventfd, one CPU, PCID', 1.22, 0, true),
  eventfd('eventfd, one CPU, no PCID', 1.33, 0, false),
  eventfd('eventfd, 512 pages per side, PCID', 1.8, 512, true),
  eventfd('eventfd, 512 pages per side, no PCID', 6.1, 512, false),
  epoll(12.19, false, 'C1'),
  epoll(12.19, false, 'C1E'),
  epoll(9.23, true, 'C1'),
  epoll(9.23, true, 'C1E'),
];
