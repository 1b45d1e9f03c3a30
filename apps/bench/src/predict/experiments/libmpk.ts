import type { Experiment, ExperimentOptions, PublishedFigure } from '@rpal/compare';
import { createMachine, done, exactly, executable, type Program } from '@rpal/kernel';
import { Prot } from '@rpal/uapi';
import { check } from '../../outcome.js';
import { profileNamed } from '../../rfc-settings.js';
import { asOf } from './as-of.js';
import { machineOf, RATIO, ROUNDS } from './setting.js';

const SOURCE = 'Park et al., libmpk, USENIX ATC 2019, table of primitive costs: Xeon Gold 5115 (Skylake-SP), 2.4 GHz, one page';
const row = { kind: 'figure', unit: 'cycles', within: RATIO, source: SOURCE, status: 'recalled' } as const;
const published: readonly PublishedFigure[] = [
  { ...row, id: 'mprotect', what: 'mprotect of one page', value: 1094 },
  { ...row, id: 'pkey_mprotect', what: 'pkey_mprotect of one page', value: 1104.9 },
  { ...row, id: 'pkeys', what: 'pkey_alloc and pkey_free', value: 323.5 },
];

const PAGE = 4096;
const GHZ = 2.4;

const LONGER =
  'one kernel is not the other: mprotect of a touched page executes 5,600 to 7,500 instructions on the 6.12 that was counted, which no processor does in 1,100 cycles. The paper ran 4.14, before maple trees and locks per mapping';

/** Calls on protection keys. */
export const libmpk: Experiment = {
  name: 'libmpk',
  title: 'calls on protection keys, on a Skylake-SP at 2.4 GHz and a kernel before 2019',
  published,
  misses: {
    mprotect: LONGER,
    pkey_mprotect: LONGER,
    pkeys:
      'two system calls in 323 cycles, which leave no room for the way in and out of the kernel that is counted here: 329 instructions a call, with stack randomisation, entry work and exit work that kernels of 2017 did not have',
  },
  left: ['WRPKRU and RDPKRU: inputs of the profiles, one of them from this table'],
  run(options) {
    return {
      findings: [
        { id: 'mprotect', here: cycles(options, (p, page, i) => succeeds('mprotect', p.mprotect(page, PAGE, rights(i)))) },
        {
          id: 'pkey_mprotect',
          here: cycles(options, (p, page, i, key) => succeeds('pkey_mprotect', p.pkeyMprotect(page, PAGE, rights(i), key))),
        },
        { id: 'pkeys', here: cycles(options, allocateAndFree) },
      ],
    };
  },
};

type Routine = Generator<void, void>;

function rights(turn: number): number {
  return turn % 2 === 0 ? Prot.READ : Prot.READ | Prot.WRITE;
}

function* succeeds(name: string, call: Iterable<void, number>): Routine {
  exactly(name, yield* call, 0);
}

function* allocateAndFree(p: Program): Routine {
  exactly('pkey_free', yield* p.pkeyFree(done('pkey_alloc', yield* p.pkeyAlloc(0, 0))), 0);
}

/** Core cycles of one turn, on a page that has been written and a mapping of its own. */
function cycles(options: ExperimentOptions, turn: (p: Program, page: number, index: number, key: number) => Routine): number {
  const profile = asOf(profileNamed('xeon-platinum-8160'), ['pressure', 'rseq']);
  const machine = createMachine(machineOf(options, { profile, coreGHz: GHZ }));
  let all = 0;
  machine.spawn(
    executable('libmpk', function* (p) {
      const page = done('mmap', yield* p.allocate(PAGE));
      const key = done('pkey_alloc', yield* p.pkeyAlloc(0, 0));
      yield* p.store8(page, 1);
      // With a key of its own a mapping merges with no neighbour, so that no call splits or merges.
      exactly('pkey_mprotect', yield* p.pkeyMprotect(page, PAGE, rights(1), key), 0);
      for (let i = -10; i < ROUNDS; i++) {
        const began = p.rdtsc();
        yield* turn(p, page, i, key);
        if (i >= 0) all += p.rdtsc() - began;
      }
      return 0;
    }),
    0,
  );
  machine.run();
  check(all > 0, 'the calls on protection keys took no time');
  return (all / ROUNDS) * (GHZ / profile.clock.tscGHz);
}
