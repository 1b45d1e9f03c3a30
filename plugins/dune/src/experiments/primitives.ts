import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { MIB, PAGE_SIZE } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import { Dune } from '../runtime/dune.js';
import { each, onXeon, pair } from './lab.js';

/** Pages of the array that is read in disorder: eight times what the second-level TLB holds. */
const WALKED = 4096;

/** What a program does first: nothing, or it enters Dune mode. */
type Begin = (p: Program) => Generator<void, unknown>;

function* stay(): Generator<void, void> {}

const enter: Begin = (p) => Dune.enter(p);

function getpid(options: ExperimentOptions, begin: Begin): number {
  return onXeon(options, function* (p) {
    yield* begin(p);
    return yield* each(p, 200, function* () {
      yield* p.getpid();
    });
  });
}

/** Fresh pages, written one after the other within 2 MiB that are in use already. */
function pageFault(options: ExperimentOptions, begin: Begin): number {
  return onXeon(options, function* (p) {
    const area = yield* p.allocate(4 * MIB);
    const first = Math.ceil(area / (2 * MIB)) * 2 * MIB;
    yield* begin(p);
    yield* p.store8(first, 1);
    const start = p.rdtsc();
    for (let page = 1; page <= 256; page++) yield* p.store8(first + page * PAGE_SIZE, 1);
    return (p.rdtsc() - start) / 256;
  });
}

/** Reads of pages in disorder: the time of those that walk. */
function walk(options: ExperimentOptions, begin: Begin): number {
  return onXeon(options, function* (p) {
    const area = yield* p.allocate(WALKED * PAGE_SIZE);
    yield* p.memset(area, 1, WALKED * PAGE_SIZE);
    yield* begin(p);
    for (let page = 0; page < WALKED; page++) yield* p.load8(area + page * PAGE_SIZE);
    const { mmu } = p.context.cpu;
    const { walks } = mmu;
    const start = p.rdtsc();
    // Odd multiples of a large odd number visit all pages, far apart.
    for (let i = 0; i < WALKED; i++) yield* p.load8(area + ((i * 2654435761) % WALKED) * PAGE_SIZE);
    return (p.rdtsc() - start) / (mmu.walks - walks);
  });
}

const NEWER =
  'The instructions of a null call were counted on Linux 6.12, 330 with entry and return; the paper has Linux of 2012, whose entry did less. ' +
  'A VMCALL takes nothing of that path.';

const WARM =
  'An entry of a table costs here what one in a near cache costs, and upper levels are cached: one entry is read, and five in Dune mode. ' +
  'The ratio of the two is what the model says; both published figures have entries that come from farther away.';

/** The privileged operations of a process, through Linux and in Dune mode. */
export const primitives: Experiment = {
  name: 'primitives',
  title: 'what Dune mode costs an ordinary process: a call, a page fault, a page walk',
  published: [
    ...pair('DUN-1', 'getpid', 138, 895, 2),
    ...pair('DUN-2', 'page fault', 2687, 5093, 2),
    ...pair('DUN-3', 'page walk', 35.8, 86.4, 2),
  ],
  misses: {
    'DUN-1a': NEWER,
    'DUN-3a': WARM,
    'DUN-3b': WARM,
  },
  left: [
    'Second-level pages of 2 MiB, which the paper uses where it can: here they are of 4 KiB.',
    'What the walks of the paper go over is not known: here 16 MiB, read in disorder.',
  ],
  run: (options) => ({
    findings: [
      { id: 'DUN-1a', here: getpid(options, stay) },
      { id: 'DUN-1b', here: getpid(options, enter) },
      { id: 'DUN-2a', here: pageFault(options, stay) },
      { id: 'DUN-2b', here: pageFault(options, enter) },
      { id: 'DUN-3a', here: walk(options, stay) },
      { id: 'DUN-3b', here: walk(options, enter) },
    ],
  }),
};
