import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { PAGE_SIZE } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import { MapFlag, Prot, Signal } from '@rpal/uapi';
import { Dune, OPEN, type Trapped } from '../runtime/dune.js';
import { DuneStep } from '../steps.js';
import { each, onXeon, pair } from './lab.js';

/** Pages of Appel's and Li's programs. That the published figures are for so many is taken from their size. */
const PAGES = 100;
const CALLS = 100;

/** getpid of ring 3, of which ring 0 is told, and which it passes on. */
function interposedInDune(options: ExperimentOptions): number {
  return onXeon(options, function* (p) {
    const d = yield* Dune.enter(p);
    const { onCall } = d.handlers;
    d.handlers = {
      ...d.handlers,
      *onCall(inner, nr, args) {
        inner.p.context.cpu.charge(DuneStep.policy);
        return yield* onCall(inner, nr, args);
      },
    };
    let cycles = Number.NaN;
    yield* d.ring3(function* (q) {
      cycles = yield* each(q, CALLS, function* () {
        yield* q.getpid();
      });
    });
    return cycles;
  });
}

/**
 * A process that is stopped before and after each getpid, and another one that looks and lets it go on. There is no ptrace here: the stops
 * are made of futexes, and the two calls of ptrace in each stop are getpid, too.
 */
function interposedOnLinux(options: ExperimentOptions): number {
  return onXeon(options, function* (p) {
    const words = yield* p.mmap(0, PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
    const [stopped, goOn] = [words, words + 64];
    yield* p.setAffinity([0]);
    yield* p.store32(stopped, 0);
    const rounds = 2 * (CALLS + Math.ceil(CALLS / 10));
    done(
      'fork',
      yield* p.fork(function* (tracer) {
        for (let stop = 0; stop < rounds; stop++) {
          yield* awaitWord(tracer, stopped, stop);
          yield* tracer.getpid();
          yield* tracer.getpid();
          yield* tracer.store32(goOn, stop + 1);
          yield* tracer.futexWake(goOn, 1);
        }
      }),
    );
    let stops = 0;
    const stop = function* (q: Program): Generator<void, void> {
      yield* q.store32(stopped, ++stops);
      yield* q.futexWake(stopped, 1);
      yield* awaitWord(q, goOn, stops - 1);
    };
    return yield* each(p, CALLS, function* () {
      yield* stop(p);
      yield* p.getpid();
      yield* stop(p);
    });
  });
}

/** Sleeps while a word has a value. */
function* awaitWord(p: Program, word: number, value: number): Generator<void, void> {
  while ((yield* p.load32(word)) === value) yield* p.futexWait(word, value);
}

/** What a program does where a page fault has come. */
type OnFault = (trapped: number) => Generator<void, void>;

/** How pages are protected and faults are told. */
interface Pager {
  protect(page: number, pages: number): Generator<void, void>;
  unprotect(page: number): Generator<void, void>;
}

/** A program for both: `main` with a pager, whose faults go to what it answers. */
type Paged = (p: Program, pager: Pager, onFault: (handler: OnFault) => void) => Generator<void, number>;

function pagedOnLinux(options: ExperimentOptions, main: Paged): number {
  return onXeon(options, function* (p) {
    let handler: OnFault | null = null;
    // Handlers make their calls through a program of their own.
    let current = p;
    const pager: Pager = {
      *protect(page, pages) {
        done('mprotect', yield* current.mprotect(page, pages * PAGE_SIZE, Prot.NONE));
      },
      *unprotect(page) {
        done('mprotect', yield* current.mprotect(page, PAGE_SIZE, Prot.READ | Prot.WRITE));
      },
    };
    yield* p.sigaction(Signal.SEGV, function* (q) {
      current = q;
      yield* handler?.(q.context.thread.faultAddress) ?? nothing();
      current = p;
    });
    return yield* main(p, pager, (next) => {
      handler = next;
    });
  });
}

function pagedInDune(options: ExperimentOptions, main: Paged): number {
  return onXeon(options, function* (p) {
    const d = yield* Dune.enter(p);
    let current = d;
    const pager: Pager = {
      protect: (page, pages) => current.protect(page, pages * PAGE_SIZE, 0),
      unprotect: (page) => current.protect(page, PAGE_SIZE, OPEN),
    };
    return yield* main(p, pager, (handler) => {
      d.handlers = {
        ...d.handlers,
        *onTrap(inner: Dune, { address }: Trapped) {
          current = inner;
          yield* handler(address);
          current = d;
        },
      };
    });
  });
}

function* nothing(): Generator<void, void> {}

/** From an access that faults to the first instruction of its handler. */
function* trap(p: Program, pager: Pager, onFault: (handler: OnFault) => void): Generator<void, number> {
  const page = yield* p.allocate(PAGE_SIZE);
  yield* p.store8(page, 1);
  let [begun, taken] = [0, 0];
  onFault(function* () {
    taken += p.rdtsc() - begun;
    yield* pager.unprotect(page);
  });
  for (let i = 0; i <= PAGES; i++) {
    yield* pager.protect(page, 1);
    if (i === 1) taken = 0;
    begun = p.rdtsc();
    yield* p.load8(page);
  }
  return taken / PAGES;
}

/** Appel and Li's first: each fault unprotects its page and protects another one. */
function* appelLi1(p: Program, pager: Pager, onFault: (handler: OnFault) => void): Generator<void, number> {
  const area = yield* p.allocate((PAGES + 1) * PAGE_SIZE);
  yield* p.memset(area, 1, (PAGES + 1) * PAGE_SIZE);
  let next = 0;
  onFault(function* () {
    yield* pager.unprotect(area + next * PAGE_SIZE);
    next = (next + 1) % (PAGES + 1);
    yield* pager.protect(area + next * PAGE_SIZE, 1);
  });
  yield* pager.protect(area, 1);
  let start = 0;
  for (let i = 0; i < 2 * (PAGES + 1); i++) {
    if (i === PAGES + 1) start = p.rdtsc();
    yield* p.load8(area + (i % (PAGES + 1)) * PAGE_SIZE);
  }
  return ((p.rdtsc() - start) * PAGES) / (PAGES + 1);
}

/** Appel and Li's second: all pages are protected at once, and each fault unprotects its page. */
function* appelLi2(p: Program, pager: Pager, onFault: (handler: OnFault) => void): Generator<void, number> {
  const area = yield* p.allocate(PAGES * PAGE_SIZE);
  yield* p.memset(area, 1, PAGES * PAGE_SIZE);
  let at = 0;
  onFault(() => pager.unprotect(at));
  let start = 0;
  for (let round = 0; round < 2; round++) {
    start = p.rdtsc();
    yield* pager.protect(area, PAGES);
    for (let page = 0; page < PAGES; page++) {
      at = area + page * PAGE_SIZE;
      yield* p.load8(at);
    }
  }
  return p.rdtsc() - start;
}

const STOPS = 'Stops that are made of futexes do less than those of ptrace, which also send SIGCHLD and copy registers.';

const SIGNALS =
  'Fault and signal are those of Linux 6.12, as counted there, with the state of vector registers in the frame; the paper has Linux of 2012.';

const ONE_WAY =
  'Here a trap ends at the first instruction of its handler; with the registers restored and IRET it would be 556. What the paper takes to ' +
  'be its end is not known.';

const AREAS =
  'mprotect of one page splits an area or joins three, for which 2,543 and 2,903 instructions were counted on Linux 6.12 (a maple tree); ' +
  'the paper has Linux of 2012 (a red-black tree). Twice in each fault in the first program, once in the second.';

/** What programs gain that take their own traps. */
export const applications: Experiment = {
  name: 'applications',
  title: 'what Dune mode saves a program that watches calls, or takes its own page faults',
  published: [
    ...pair('DUN-4', 'getpid that is interposed', 27_317, 1091, 3),
    ...pair('DUN-5', 'a trap to its handler', 2821, 587, 3),
    ...pair('DUN-6', 'Appel and Li 1, 100 pages', 701_413, 94_496, 3),
    ...pair('DUN-7', 'Appel and Li 2, 100 pages', 684_909, 94_854, 3),
  ],
  misses: {
    'DUN-4a': STOPS,
    'DUN-5a': SIGNALS,
    'DUN-5b': ONE_WAY,
    'DUN-6a': AREAS,
    'DUN-7a': AREAS,
  },
  left: [
    'ptrace: the stops of the tracer are made of futexes on one CPU, four switches for each call, with two short calls of the tracer in each stop.',
    "The paper's sandbox with gcc and its Boehm collector: `sandbox` and `takeDirty` are what they stand on.",
  ],
  run: (options) => ({
    findings: [
      { id: 'DUN-4a', here: interposedOnLinux(options) },
      { id: 'DUN-4b', here: interposedInDune(options) },
      { id: 'DUN-5a', here: pagedOnLinux(options, trap) },
      { id: 'DUN-5b', here: pagedInDune(options, trap) },
      { id: 'DUN-6a', here: pagedOnLinux(options, appelLi1) },
      { id: 'DUN-6b', here: pagedInDune(options, appelLi1) },
      { id: 'DUN-7a', here: pagedOnLinux(options, appelLi2) },
      { id: 'DUN-7b', here: pagedInDune(options, appelLi2) },
    ],
  }),
};
