import type { Experiment, ExperimentOptions, Published } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import { builtIn } from '../../compare/mechanism-loader.js';
import { check } from '../../outcome.js';
import { publishedLadder, type Rung } from '../../published-ladder.js';
import { runRfcBenchmark } from '../../rfc-benchmark.js';
import { asOf } from './as-of.js';
import { bySharedMemory } from './ipc-bench-programs.js';
import { pingPong } from './ping-pong.js';
import { exchanged, machineOf, RATIO, ROUNDS, tripOf } from './setting.js';

/** Runs a rung under its conditions. @returns nanoseconds one way */
type Run = (options: ExperimentOptions) => number;

const server = defaultProfile;

const rpalPhase = phaseOf('rpal');
const epollPhase = phaseOf('epoll');

/** The rungs that are programs. The others are single steps, which the profile takes as input, or other kernels. */
const runs: Readonly<Record<string, Run>> = {
  'zero-copy': (options) => exchanged(builtIn('spin'), 8, machineOf(options, { profile: server })).roundTrip.nanoseconds / 2,
  'shared-memory': (options) => tripOf(bySharedMemory(100), of2019(options, { coreGHz: 3 })) / 2,
  'rpal-library': (options) => exchanged(builtIn('rpal'), 32, machineOf(options, { profile: server })).there.nanoseconds,
  rpal: rpalPhase,
  'rpal-example': rpalPhase,
  'pipe-one-cpu': (options) => pipes(machineOf(options, { profile: server }), 'pipe', { cpus: [0, 0] }),
  'unix-socket': (options) =>
    exchanged(builtIn('stream'), 64, machineOf(options, { profile: server, idle: 'C1' })).roundTrip.nanoseconds / 2,
  'pipe-two-cpus': (options) => pipes(of2019(options, { idle: 'C1', coreGHz: 3 }), 'pipe', { begin: [0, 1], among: [0, 1] }),
  'epoll-sync': (options) => pipes(machineOf(options, { profile: server, idle: 'C1E' }), 'epoll on pipes', apart()),
  'epoll-no-sync': (options) =>
    pipes(machineOf(options, { profile: server, idle: 'C1E', synchronousEpollWakeUps: false }), 'epoll on pipes', apart()),
  'epoll-example': epollPhase,
  epoll: epollPhase,
};
const rungs = publishedLadder.filter(({ id }) => id in runs);

/** Of the RFC's benchmark: its first hundreds differ from what comes after. */
const MESSAGES = 500;
/** Figures of other machines that are closer than this say nothing of an order. */
const APART = 1.1;

const rows: readonly Published[] = rungs.map(({ id, what, ns, source, status }) => ({
  kind: 'figure',
  id,
  what,
  value: ns,
  unit: 'ns',
  within: status === 'estimated' ? null : RATIO,
  source,
  status,
}));

const LINES =
  'two lines go each way, and each moves twice, to who writes it and to who reads it: four transfers of 60 ns, one after the other. A processor has several under way at once, and the published machines are desktops, whose cores are nearer to each other';
const AWAKE =
  'the two sides of a stream stay awake together in C1 here: the answer comes before the sender has gone to sleep, so that the rung lies below a pipe on one CPU. Where it was measured they slept, or woke later';
const PAIRS = 'the RFC states two pairs for one program, which lie 1.29 (RPAL) and 1.19 times (epoll) apart: no run is near to both';

/** Where RPAL lies among the ways to send a message. */
export const ladder: Experiment = {
  name: 'ladder',
  title: 'one way through what was published (C7), each rung under its own conditions',
  published: [
    ...rows,
    {
      kind: 'law',
      id: 'order',
      what: 'order of the rungs that lie more than a tenth apart',
      value: rungs.map(({ id }) => id).join(' < '),
      source: 'the rungs',
      status: 'derived',
    },
  ],
  misses: {
    'zero-copy': LINES,
    'shared-memory': LINES,
    'rpal-example': PAIRS,
    'unix-socket': AWAKE,
    order: AWAKE,
    epoll: PAIRS,
  },
  left: [
    'a switch of stacks, a call gate, a line from core to core: inputs of the profile, not predictions',
    'seL4: another kernel',
    'D-Bus: `rpal-bench os bus`',
  ],
  run(options) {
    const known = new Map<Run, number>();
    const here = rungs.map(({ id }): { readonly id: string; readonly here: number } => {
      const run = runs[id] as Run;
      const ns = known.get(run) ?? run(options);
      known.set(run, ns);
      return { id, here: ns };
    });
    const wrong = here.flatMap((low, i) =>
      here
        .slice(i + 1)
        .filter(({ id, here }) => nsOf(id) > APART * nsOf(low.id) && here < low.here)
        .map(({ id }) => `${id} before ${low.id}`),
    );
    return { findings: [...here, { id: 'order', here: wrong.length === 0 ? 'the same' : wrong.join(', '), holds: wrong.length === 0 }] };
  },
};

function nsOf(id: string): number {
  return (rungs.find((rung) => rung.id === id) as Rung).ns;
}

/** The machine with the kernel of 2019. */
function of2019(options: ExperimentOptions, machine: MachineOptions): MachineOptions {
  return machineOf(options, { profile: asOf(server, ['rseq']), ...machine });
}

function pipes(
  machine: MachineOptions,
  channel: 'pipe' | 'epoll on pipes',
  where: Partial<Record<'cpus' | 'begin', readonly [number, number]>> & { readonly among?: readonly number[] },
): number {
  const { cyclesPerRound, tscPerNs } = pingPong({ machine, channel, rounds: ROUNDS, ...where });
  return cyclesPerRound / tscPerNs / 2;
}

/** The two begin on two sockets, and the scheduler may move them. */
function apart(): { readonly begin: readonly [number, number] } {
  return { begin: [0, server.topology.coresPerSocket] };
}

/** A phase of the RFC's benchmark under its default conditions. */
function phaseOf(phase: 'epoll' | 'rpal'): Run {
  return (options) => {
    const machine = machineOf(options, { profile: server, idle: 'C1E' });
    const [result] = runRfcBenchmark({ machine, placement: 'same-socket', messages: MESSAGES, size: 32, phases: [phase] }).phases;
    check(result !== undefined, `no message of the ${phase} phase came`);
    return result.totalCycles / result.messages / server.clock.tscGHz;
  };
}
