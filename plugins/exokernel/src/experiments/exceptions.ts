import type { Experiment, ExperimentOptions, PublishedFigure } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import { granted } from '../kernel/frames.js';
import { PageTables } from '../libos/page-tables.js';
import { decstations } from '../machines/r3000.js';
import { exokernelFor, finish, inCycles, MHZ, NAMES, times, today } from './lab.js';
import { linuxDispatch, NOT_CANONICAL } from './linux.js';

const PAGE = 0x4000_0000;
const WARM_UP = 8;

/** TSC cycles from an instruction that traps to the first one of the program's handler. */
export function exoDispatch(profile: CpuProfile, options: ExperimentOptions): { readonly overflow: number; readonly protection: number } {
  const os = exokernelFor(profile, options);
  const { cpu } = os.core;
  let [overflow, protection] = [Number.NaN, Number.NaN];
  const program = os.environment('program', function* (e) {
    const page = yield* new PageTables(e).fresh(PAGE);
    if (!granted(page)) return;
    let [began, cycles] = [0, 0];
    e.entries.exception = function* () {
      cycles = cpu.clock - began;
      yield;
      return 'skip';
    };
    yield* e.restrict(PAGE);
    yield* e.load(PAGE);
    for (let i = 0; i < WARM_UP; i++) {
      began = cpu.clock;
      yield* e.load(NOT_CANONICAL);
      overflow = cycles;
      began = cpu.clock;
      yield* e.store(PAGE, 1);
      protection = cycles;
    }
  });
  finish(os, program);
  return { overflow, protection };
}

const ROWS = [
  { id: 'EXO-1', what: 'overflow', aegis: [2.8, 2.1, 1.5], unix: 130, ratios: [74, 72, 87] },
  { id: 'EXO-2', what: 'protection', aegis: [3.0, 2.3, 1.5], unix: 154, ratios: [79, 77, 103] },
] as const;

const LETTERS = 'abc';

const figures: readonly PublishedFigure[] = ROWS.flatMap(({ id, what, aegis, unix, ratios }) => [
  ...NAMES.map((name, i) =>
    inCycles(
      `${id}${LETTERS[i]}`,
      `${what}, at the prices of a DECstation ${name}`,
      aegis[i] as number,
      MHZ[i] as number,
      'published',
      0.25,
    ),
  ),
  ...NAMES.map((name, i) =>
    times(
      `${id}${LETTERS[i]}x`,
      `${what}, the Unix of the machine over the exokernel, DECstation ${name}`,
      ratios[i] as number,
      'published',
      0.25,
    ),
  ),
  inCycles(`${id}u`, `${what}, the Unix of the machine, at the prices of a DECstation 5000`, unix, MHZ[2], 'published', null),
  inCycles(`${id}d`, `${what}, on the RFC's server`, aegis[2], 25, 'published', 0.25),
  times(`${id}dx`, `${what}, Linux over the exokernel, on the RFC's server`, ratios[2], 'published', 0.25),
]);

const SHORT =
  'The 18 instructions that are recalled, and what the pipeline takes, are less than what was published; what else Aegis executed is not known here.';
const LINUX =
  'Linux 6.12 executes more for a signal than Ultrix 4.2 did, whose totals are all that is known of it (EXO-1u, EXO-2u): extended state is saved, ' +
  'a frame for any handler is built. The ratio says that of the two Unixes first.';
const PROCESSOR =
  "Nearly all of the exokernel's cycles are the delivery of the exception and IRET, which take hundreds on today's x86 and took six on the R3000: " +
  'at its prices both systems pay less, and the exokernel, which does little else, gains most.';

/** EXO-1 and EXO-2: exceptions handed to programs, against Linux's signals. */
export const exceptions: Experiment = {
  name: 'exceptions',
  title: 'from an instruction that traps to the first one of its handler in user mode',
  published: figures,
  misses: Object.fromEntries(
    ROWS.flatMap(({ id }) => [
      ...[...LETTERS].map((letter) => [`${id}${letter}`, SHORT]),
      ...[...LETTERS].map((letter) => [`${id}${letter}x`, LINUX]),
      [`${id}d`, PROCESSOR],
      [`${id}dx`, PROCESSOR],
    ]),
  ),
  left: [
    'An arithmetic overflow: x86 does not trap on one. A load at an address that is not canonical stands for it, which carries no address either.',
  ],
  run(options) {
    const on = (profile: CpuProfile) => ({ exo: exoDispatch(profile, options), linux: linuxDispatch(profile, options) });
    const results = [...decstations, today()].map(on);
    return {
      findings: ROWS.flatMap(({ id, what }) => [
        { id: `${id}u`, here: (results[2] as (typeof results)[number]).linux[what] },
        ...results.flatMap(({ exo, linux }, i) => [
          { id: `${id}${'abcd'[i]}`, here: exo[what] },
          { id: `${id}${'abcd'[i]}x`, here: linux[what] / exo[what] },
        ]),
      ]),
    };
  },
};
