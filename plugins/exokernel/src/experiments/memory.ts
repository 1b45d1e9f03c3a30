import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { type CpuProfile, PAGE_SIZE } from '@rpal/hw-x86';
import { createMachine, done, executable } from '@rpal/kernel';
import { Prot, Signal } from '@rpal/uapi';
import { granted } from '../kernel/frames.js';
import { PageTables } from '../libos/page-tables.js';
import { decstation5000 } from '../machines/r3000.js';
import { exokernelFor, finish, published, today } from './lab.js';

const PAGE = 0x4000_0000;
const ROUNDS = 16;

/** What programs do with their page tables: collectors, checkpoints, stores with versions. In TSC cycles. */
interface Primitives {
  /** One page made read only. */
  readonly protect: number;
  /** A write to it: the exception, the handler that makes it writable, and the write again. */
  readonly trap: number;
}

function exokernelPrimitives(profile: CpuProfile, options: ExperimentOptions): Primitives {
  const os = exokernelFor(profile, options);
  const { cpu } = os.core;
  let [protect, trap] = [Number.NaN, Number.NaN];
  const program = os.environment('program', function* (e) {
    const page = yield* new PageTables(e).fresh(PAGE);
    if (!granted(page)) return;
    e.entries.exception = function* () {
      yield* e.unbind(PAGE);
      yield* e.bind(page, PAGE, 'write');
      return 'retry';
    };
    for (let i = 0; i < ROUNDS; i++) {
      const start = cpu.clock;
      yield* e.restrict(PAGE);
      protect = cpu.clock - start;
      yield* e.store(PAGE, i);
      trap = cpu.clock - start - protect;
    }
  });
  finish(os, program);
  return { protect, trap };
}

function linuxPrimitives(profile: CpuProfile, { costs, seed }: ExperimentOptions): Primitives {
  const machine = createMachine({ profile, costs, seed });
  let [protect, trap] = [Number.NaN, Number.NaN];
  machine.spawn(
    executable('program', function* (p) {
      const page = done('mmap', yield* p.allocate(PAGE_SIZE));
      const handler = function* (q: typeof p) {
        done('mprotect', yield* q.mprotect(page, PAGE_SIZE, Prot.READ | Prot.WRITE));
      };
      done('sigaction', yield* p.sigaction(Signal.SEGV, handler));
      yield* p.store64(page, 1);
      for (let i = 0; i < ROUNDS; i++) {
        const { clock: start } = p.context.cpu;
        done('mprotect', yield* p.mprotect(page, PAGE_SIZE, Prot.READ));
        protect = p.context.cpu.clock - start;
        yield* p.store64(page, i);
        trap = p.context.cpu.clock - start - protect;
      }
    }),
  );
  machine.run();
  return { protect, trap };
}

const LAW = { kind: 'law', value: '5 to 40 times as fast as the Unix of the machine', ...published } as const;

function compared(profile: CpuProfile, options: ExperimentOptions): { readonly here: string; readonly holds: boolean } {
  const [exo, linux] = [exokernelPrimitives(profile, options), linuxPrimitives(profile, options)];
  const times = [linux.protect / exo.protect, linux.trap / exo.trap];
  const text = (name: string, i: 0 | 1, key: keyof Primitives) =>
    `${name} ${linux[key]} and ${exo[key]} cycles: ${times[i]?.toFixed(1)} times`;
  return {
    here: `${text('a page protected', 0, 'protect')}; ${text('a write trapped and let through', 1, 'trap')}`,
    holds: times.every((value) => value >= 5 && value <= 40),
  };
}

/** EXO-9: page tables in the hands of programs. */
export const memory: Experiment = {
  name: 'memory',
  title: 'a page protected, and a write to it handled, by a library and by Linux',
  published: [
    { ...LAW, id: 'EXO-9a', what: 'at the prices of a DECstation 5000' },
    { ...LAW, id: 'EXO-9b', what: "on the RFC's server" },
  ],
  misses: {
    'EXO-9a':
      'More than that: the exokernel has a processor here that enters a kernel in a handful of cycles, and Linux 6.12 executes thousands of instructions, ' +
      'splits and joins areas for a page, and builds a frame for a signal. What Ultrix executed is not known.',
  },
  left: ['What the paper measures with tables of its own shape: pages marked dirty by software, 100 pages at once.'],
  run: (options) => ({
    findings: [
      { id: 'EXO-9a', ...compared(decstation5000, options) },
      { id: 'EXO-9b', ...compared(today(), options) },
    ],
  }),
};
