import type { Experiment, ExperimentOptions } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import type { Environment, Routine } from '../kernel/environment.js';
import { call, offer } from '../libos/lrpc.js';
import { PageTables } from '../libos/page-tables.js';
import { endOf, PIPE_BYTES, Pipe, type PipeStyle } from '../libos/pipe.js';
import { publish, subscribe } from '../libos/shared-memory.js';
import { yieldTo } from '../libos/yield.js';
import { decstation2100, decstation5000 } from '../machines/r3000.js';
import { each, exokernelFor, finish, inCycles, published, times, today } from './lab.js';
import { linuxOneWay } from './linux.js';

const PAGE = 0x4000_0000;
const BACK = PAGE + Math.ceil(PIPE_BYTES / 64) * 64;

/** What a round of the first program is, and what the second one does all the time, in a page that both have. */
interface PingPong {
  round(e: Environment, other: number): () => Routine<unknown>;
  echo(e: Environment, other: number): Routine;
}

/** Cycles of a round trip between two environments that share a page. */
function roundTrip(profile: CpuProfile, options: ExperimentOptions, { round, echo }: PingPong): number {
  const os = exokernelFor(profile, options);
  let cycles = Number.NaN;
  const near = os.environment('near', function* (e) {
    yield* publish(e, new PageTables(e), PAGE);
    yield* e.yield();
    cycles = yield* each(os, round(e, far.id));
  });
  const far = os.environment('far', function* (e) {
    if ((yield* subscribe(e, new PageTables(e), near.id, PAGE)) === null) yield* echo(e, near.id);
  });
  finish(os, near);
  return cycles;
}

/** A word through a pipe, one way. */
function pipe(style: PipeStyle): PingPong {
  return {
    round(e, other) {
      const [out, into] = [new Pipe(endOf(e, other), PAGE, style), new Pipe(endOf(e, other), BACK, style)];
      return function* () {
        yield* out.write(1);
        yield* into.read();
      };
    },
    *echo(e, other) {
      const [into, out] = [new Pipe(endOf(e, other), PAGE, style), new Pipe(endOf(e, other), BACK, style)];
      for (let word = yield* into.read(); word !== null; word = yield* into.read()) yield* out.write(word);
    },
  };
}

/** A counter that each adds one to in its turn. */
const counter: PingPong = {
  round: (e, other) =>
    function* () {
      const value = yield* e.load(PAGE);
      yield* e.store(PAGE, value + 1);
      while ((yield* e.load(PAGE)) === value + 1) yield* yieldTo(e, other);
    },
  *echo(e, other) {
    for (;;) {
      const value = yield* e.load(PAGE);
      if (value % 2 === 1) yield* e.store(PAGE, value + 1);
      if ((yield* yieldTo(e, other)) !== null) return;
    }
  },
};

/** A call of a procedure in another environment, and its result. */
function lrpc(profile: CpuProfile, options: ExperimentOptions): number {
  const os = exokernelFor(profile, options);
  let cycles = Number.NaN;
  const server = os.environment('server', function* (e) {
    offer(e, function* ([word = 0]) {
      yield;
      return [word + 1];
    });
    yield* e.serve();
  });
  const client = os.environment('client', function* (e) {
    cycles = yield* each(os, () => call(e, server.id, 1));
  });
  finish(os, client);
  return cycles;
}

/** The rungs, in cycles: pipes and shared memory one way, LRPC there and back. */
function ladder(profile: CpuProfile, options: ExperimentOptions): readonly number[] {
  const oneWay = (what: PingPong) => roundTrip(profile, options, what) / 2;
  return [oneWay(pipe('calls')), oneWay(pipe('inline')), oneWay(counter), lrpc(profile, options)];
}

const RUNGS = ['pipe, one way', 'pipe as inline code, one way', 'shared memory, one way', 'LRPC, there and back'];
const LETTERS = 'abcd';

const rungs = (id: string, where: string, microseconds: readonly number[], mhz: number) =>
  RUNGS.map((what, i) => inCycles(`${id}${LETTERS[i]}`, `${what}, ${where}`, microseconds[i] as number, mhz, 'recalled', 0.25));

const order = { kind: 'law', value: 'pipe, inline pipe, LRPC there and back, shared memory', ...published, status: 'recalled' } as const;

function inOrder(cycles: readonly number[]): { readonly here: string; readonly holds: boolean } {
  const [pipes, inline, shared, calls] = cycles as [number, number, number, number];
  const here = `${[pipes, inline, calls, shared].map(Math.round).join(', ')} cycles, in this order`;
  return { here, holds: pipes > inline && inline > calls && calls > shared };
}

const LINUX = 'Linux 6.12 against Ultrix 4.2, of which only totals are known: the paths of entry, scheduler and pipe are other ones.';
const PROCESSOR =
  "Both systems pay for SYSCALL and CR3 what today's x86 asks for, which is most of the exokernel's part: at the prices of the R3000 the ratio is another one.";

const SLOWER =
  'The 2100 took more cycles than the 5000 for the same code, most of all here: its memory. Here both have the same prices in cycles, and warm caches.';
const TWICE =
  'LRPC goes there and back, the others one way: it changes page tables twice, and on this processor that, SYSCALL and SYSRET are most of every rung.';

/** EXO-6 and EXO-7: what processes send to each other through a library OS. */
export const ipc: Experiment = {
  name: 'ipc',
  title: 'pipe, shared memory and LRPC of a library OS, with directed yields and transfers',
  published: [
    ...rungs('EXO-6', 'at the prices of a DECstation 5000', [14.2, 10.7, 5.7, 6.3], 25),
    ...rungs('EXO-7', 'at the prices of a DECstation 2100', [30.9, 24.8, 12.4, 13.9], 12.5),
    { ...order, id: 'EXO-6e', what: 'order, at the prices of a DECstation 5000' },
    { ...order, id: 'EXO-6f', what: "order, on the RFC's server" },
    times('EXO-6p', 'pipe, Unix over ExOS, at the prices of a DECstation 5000', 14.4, 'recalled', 0.25),
    times('EXO-6s', 'shared memory, Unix over ExOS, at the prices of a DECstation 5000', 20.7, 'recalled', 0.25),
    times('EXO-6q', "pipe, Linux over the library OS, on the RFC's server", 14.4, 'recalled', 0.25),
    times('EXO-6t', "shared memory, Linux over the library OS, on the RFC's server", 20.7, 'recalled', 0.25),
  ],
  misses: { 'EXO-7b': SLOWER, 'EXO-6f': TWICE, 'EXO-6p': LINUX, 'EXO-6s': LINUX, 'EXO-6q': PROCESSOR, 'EXO-6t': PROCESSOR },
  left: ["What woke the other process in Ultrix's shared memory is not known; here Linux has a futex."],
  run(options) {
    const [fast, slow, now] = [decstation5000, decstation2100, today()].map((profile) => ladder(profile, options)) as [
      readonly number[],
      readonly number[],
      readonly number[],
    ];
    const over = (name: 'pipe' | 'futex', profile: CpuProfile, rung: number) => linuxOneWay(name, profile, options) / rung;
    return {
      findings: [
        ...fast.map((here, i) => ({ id: `EXO-6${LETTERS[i]}`, here })),
        ...slow.map((here, i) => ({ id: `EXO-7${LETTERS[i]}`, here })),
        { id: 'EXO-6e', ...inOrder(fast) },
        { id: 'EXO-6f', ...inOrder(now) },
        { id: 'EXO-6p', here: over('pipe', decstation5000, fast[0] as number) },
        { id: 'EXO-6s', here: over('futex', decstation5000, fast[2] as number) },
        { id: 'EXO-6q', here: over('pipe', today(), now[0] as number) },
        { id: 'EXO-6t', here: over('futex', today(), now[2] as number) },
      ],
    };
  },
};
