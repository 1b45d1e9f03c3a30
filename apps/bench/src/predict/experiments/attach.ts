import type { Curves, Experiment, ExperimentOptions } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { builtIn } from '../../compare/mechanism-loader.js';
import { exchanged, machineOf, ROUNDS } from './setting.js';

const SOURCE = 'C. Yeoh, Cross Memory Attach, linux-mm, 15 September 2010: Open MPI with and without it, 64-way POWER6';
const LARGE = 65_536;
const SIZES = [1024, 4096, 16_384, LARGE] as const;
/** Round trips of large messages: they differ less. */
const FEW = 5;
const NAMES = ['one copy', 'ring', 'pipe', 'Unix socket'] as const;

/** One copy by the kernel against two through memory, and against two through the kernel. */
export const attach: Experiment = {
  name: 'attach',
  title: 'cross-memory attach (process_vm_readv) against two copies (CMA); two CPUs of a socket, both look for messages',
  published: [
    {
      kind: 'law',
      id: 'CMA-3',
      what: 'maximum bandwidth of a ping-pong with and without, 4 to 32 processes',
      value: '3.7 to 4.1 times as much with one copy as with two through shared memory',
      source: SOURCE,
      status: 'published',
    },
    {
      kind: 'law',
      id: 'order',
      what: 'order at 64 KiB',
      value: 'one copy before two: in all of CMA-1 to CMA-6; and before sockets and pipes',
      source: `${SOURCE}; process_vm_readv beside sockets and pipes of 16 KiB and more: 1.7 to 1.9 times as fast, measured on Emerald Rapids`,
      status: 'published',
    },
  ],
  misses: {},
  left: [
    'POWER6: the order is held to, no figure',
    'many processes at once, whose gain shrinks as memory is busy (CMA-1, CMA-2: 1.7 times at 32): `rpal-bench os cma`, `rpal-bench mpi`',
    'NAS and IMB (CMA-4 to CMA-6): whole programs',
  ],
  run(options) {
    const points: Curves['points'] = SIZES.map((at) => ({
      at,
      values: [way('process-vm', at, options), way('spin', at, options), way('pipe', at, options), way('stream', at, options)],
    }));
    const [one, ring, ...others] = (points.at(-1) as (typeof points)[number]).values as [number, number, ...number[]];
    const first = points.find(({ values: [copy, , ...kernel] }) => kernel.every((other) => (copy as number) < (other as number)));
    const times = ring / one;
    return {
      findings: [
        { id: 'CMA-3', here: `${times.toFixed(1)} times as much at 64 KiB`, holds: times > 1 },
        {
          id: 'order',
          here: `one copy is before pipe and socket from ${first === undefined ? 'no size on' : `${first.at} B on`}`,
          holds: [ring, ...others].every((other) => one < other),
        },
      ],
      curves: [{ title: 'TSC cycles one way', over: 'bytes', names: NAMES, points }],
    };
  },
};

/** All are waited for by looking, as MPI libraries do. */
function way(mechanism: string, size: number, options: ExperimentOptions): number {
  const machine = machineOf(options, { profile: defaultProfile });
  return exchanged(builtIn(mechanism), size, machine, { rounds: size < LARGE ? ROUNDS : FEW, waiting: 'poll' }).roundTrip.cycles / 2;
}
