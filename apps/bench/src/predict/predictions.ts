import { type CostLevel, type CpuProfile, parseProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import { asOf } from './experiments/as-of.js';
import type { PingPongOptions } from './experiments/ping-pong.js';

/** A figure that was measured, and the experiment on the model that corresponds to it. */
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
const SPEED_SELECT =
  'Linux documentation, Intel Speed Select, 2019: taskset of two CPUs, perf bench sched pipe, turbo off or limited; Xeon with 14 cores per socket';
const LUTOMIRSKI = 'A. Lutomirski, PCID series, 2017: eventfd between two processes on one CPU, Skylake at 2.3 GHz, KVM guest, idle=poll';
const GEFFON = 'B. Geffon, linux-fsdevel, December 2024: epoll on non-blocking pipes before and after the patch, CPU not named';

function without(profile: CpuProfile): CpuProfile {
  return parseProfile({ ...profile, features: { ...profile.features, pcid: false } });
}

/** Two CPUs of one socket at a fixed clock. Both tasks may run on both, as with taskset. */
function twoCpus(coreGHz: number, published: number, idle: 'C1' | 'C1E'): Prediction {
  return {
    what: `pipe, two CPUs, ${coreGHz} GHz, idle in ${idle}`,
    published,
    source: SPEED_SELECT,
    assumed:
      'a kernel of 2019: no branch-history clearing, no rseq in the C library. The idle state is not stated, hence two rows: with the menu governor and sleeps of some 2 us it is C1, unless the processor promotes that to C1E',
    experiment: (profile, costs) => ({
      channel: 'pipe',
      begin: [0, 1],
      among: [0, 1],
      machine: { profile: asOf(profile, ['rseq']), costs, idle, coreGHz },
    }),
  };
}

const HAND_OVERS =
  'a kernel of 2017: no pressure accounting, no rseq, no branch-history clearing. An iteration is read as one hand-over, and a round trip as two: in the 2806 cycles of one, four system calls and two switches would leave less than 1400 for the 6000 instructions that remain of those counted, once SYSCALL, SYSRET, SWAPGS, CR3 writes and XSAVE are paid';
const TOUCHED =
  'with pages, besides: they are independent loads, whose TLB look-ups and walks overlap on a processor; the model has no pipeline and pays each in full. On the other hand walks in a guest have two dimensions (Dune: 35.8 cycles native, 86.4 nested), and the model runs on the bare machine';

/** @param each microseconds per iteration, which hands over once */
function eventfd(what: string, each: number, pages: number, pcid: boolean): Prediction {
  return {
    what,
    published: 2 * each,
    source: LUTOMIRSKI,
    assumed: pages === 0 ? HAND_OVERS : TOUCHED,
    experiment: (profile, costs) => {
      const then = asOf(profile, ['pressure', 'rseq']);
      return { channel: 'eventfd', cpus: [0, 0], pages, machine: { profile: pcid ? then : without(then), costs, coreGHz: 2.3 } };
    },
  };
}

function epoll(published: number, synchronousEpollWakeUps: boolean, idle: NonNullable<MachineOptions['idle']>): Prediction {
  return {
    what: `epoll on pipes, ${synchronousEpollWakeUps ? 'synchronous' : 'ordinary'} wake-ups, idle in ${idle}`,
    published,
    source: GEFFON,
    assumed:
      'CPU, clock and idle state are not stated. The flag matters only where the two tasks begin on CPUs that share no cache: an ordinary wake-up leaves the sleeper there, a synchronous one brings it over. So they begin on two sockets here, and are not pinned',
    experiment: (profile, costs) => ({
      channel: 'epoll on pipes',
      begin: [0, profile.topology.coresPerSocket],
      machine: { profile, costs, idle, synchronousEpollWakeUps },
    }),
  };
}

/** Measurements of round trips between two processes, by others and on other machines. No price here comes from them. */
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
