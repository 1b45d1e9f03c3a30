import type { Curves, Experiment, ExperimentOptions, Published } from '@rpal/compare';
import { PAGE_SIZE } from '@rpal/hw-x86';
import { createMachine, done, executable } from '@rpal/kernel';
import type { Refusal } from '../caps/capability.js';
import { MultikernelError } from '../errors.js';
import { Multikernel } from '../machine/multikernel.js';
import { opteron8350 } from '../machines/index.js';
import { mean } from './lab.js';

const CORES = [2, 4, 8, 10, 12, 14, 16, 24, 32];
const WARM_UP = 1;
const ROUNDS = 2;
/** Where the multikernel's domain maps the page. */
const ADDRESS = 0x1_0000_0000;
/** TSC cycles between two looks of a thread that waits. */
const LOOK = 200;

/** A domain on several cores takes a page away that all of them have used. @returns TSC cycles of the call */
export function unmapByMessages(cores: number, options: ExperimentOptions): number {
  const os = new Multikernel({ profile: opteron8350, ...options, cores, slice: 1e6 });
  const taken: number[] = [];
  let frame = 0;
  const first = os.domain('unmapper', 0, function* (d) {
    for (let i = 0; i < WARM_UP + ROUNDS; i++) {
      accepted(yield* d.map(frame, ADDRESS));
      yield* d.words.store(ADDRESS, 1);
      const began = d.core.cpu.clock;
      accepted(yield* d.unmap(ADDRESS));
      if (i >= WARM_UP) taken.push(d.core.cpu.clock - began);
    }
  });
  frame = first.driver.capabilities.insert(first.id, { type: 'frame', first: os.machine.frames(), count: 1, writable: true, receiver: -1 });
  // On the other cores the domain waits, and monitors look for messages, as where nobody has work.
  for (const core of os.cores.slice(1)) {
    os.domain(
      `other ${core}`,
      core,
      function* (d) {
        yield* d.receive();
      },
      first.space,
    );
  }
  os.run();
  if (taken.length < ROUNDS) throw new MultikernelError('RUN_FAILED', 'the unmapping program has not come to its end');
  return mean(taken);
}

/** The same on Linux: threads on as many CPUs compute; one of them calls munmap. @returns TSC cycles of the call */
export function unmapByLinux(cores: number, { costs, seed }: ExperimentOptions): number {
  const machine = createMachine({ profile: opteron8350, costs, seed, idle: 'C1' });
  const taken: number[] = [];
  let round = 0;
  let ready = 0;
  let page = 0;
  machine.spawn(
    executable('unmapper', function* (p) {
      done('sched_setaffinity', yield* p.setAffinity([0]));
      for (let cpu = 1; cpu < cores; cpu++) {
        done(
          'clone',
          yield* p.clone(function* (q) {
            done('sched_setaffinity', yield* q.setAffinity([cpu]));
            for (let seen = 0; seen < WARM_UP + ROUNDS; ) {
              yield* q.compute(LOOK);
              if (round === seen) continue;
              seen = round;
              yield* q.load8(page);
              ready++;
            }
            // Computing goes on while the page is taken away.
            while (round >= 0) yield* q.compute(LOOK);
          }),
        );
      }
      for (let i = 0; i < WARM_UP + ROUNDS; i++) {
        page = done('mmap', yield* p.allocate(PAGE_SIZE));
        yield* p.store8(page, 1);
        ready = 0;
        round++;
        while (ready < cores - 1) yield* p.compute(LOOK);
        const began = p.rdtsc();
        done('munmap', yield* p.munmap(page, PAGE_SIZE));
        if (i >= WARM_UP) taken.push(p.rdtsc() - began);
      }
      round = -1;
      yield* p.sleep(1e6);
    }),
    0,
  );
  machine.run();
  if (taken.length < ROUNDS) throw new MultikernelError('RUN_FAILED', 'the unmapping thread has not come to its end');
  return mean(taken);
}

function accepted(refused: Refusal | null): void {
  if (refused !== null) throw new MultikernelError('RUN_FAILED', `a call was refused: ${refused}`);
}

const source = 'Baumann et al., The Multikernel, SOSP 2009, Figure 7, read from the plot in public notes';
const figure = { kind: 'figure', unit: 'cycles', within: null, source, status: 'published' } as const;

const derived = { ...figure, within: 0.25, status: 'derived' } as const;

const published: readonly Published[] = [
  { ...figure, id: 'MK-10a', what: 'Linux, 2 cores', value: 5200 },
  { ...figure, id: 'MK-10b', what: 'Linux, 32 cores', value: 29_500 },
  { ...figure, id: 'MK-10c', what: 'Barrelfish, 2 cores', value: 10_300 },
  { ...figure, id: 'MK-10d', what: 'Barrelfish, 32 cores', value: 17_500 },
  { ...derived, id: 'MK-10e', what: 'Linux, for each further core', value: 810 },
  { ...derived, id: 'MK-10f', what: 'Barrelfish, for each further core', value: 240 },
  { kind: 'law', id: 'MK-10', what: 'where messages become cheaper', value: 'at 10 to 14 cores', source, status: 'published' },
];

/** A page taken away from a domain, or process, that runs on several cores. */
export const unmapExperiment: Experiment = {
  name: 'unmap',
  title: 'one page taken away from all cores, on the 8x4 AMD: interrupts against messages',
  published,
  misses: {
    'MK-10e':
      'Linux 6.15 sends one interrupt after the other and each CPU answers when it can, as then; what a sending and an answer cost on this ' +
      'processor is estimated, and the bookkeeping of answers has become cheaper since.',
    'MK-10':
      'Both curves grow about as published, but begin elsewhere. The path of munmap in Linux 6.15 is longer than that of 2009 (above, ' +
      'on two cores), and here a call of the monitor is two LRPCs and little else, where Barrelfish had stubs and a thread ' +
      'scheduler in between (4,300 against 10,300).',
  },
  left: ['Windows.', 'Linux is 6.15, not the one of 2009, which sent and counted its interrupts in another way.'],
  run(options) {
    const messages = CORES.map((cores) => unmapByMessages(cores, options));
    const linux = CORES.map((cores) => unmapByLinux(cores, options));
    const crossover = CORES.find((_, i) => (messages[i] as number) < (linux[i] as number));
    const at = (curve: readonly number[], cores: number): number => curve[CORES.indexOf(cores)] as number;
    const curves: Curves = {
      title: 'TSC cycles of the call',
      over: 'cores',
      names: ['Linux', 'messages'],
      points: CORES.map((cores, i) => ({ at: cores, values: [linux[i] as number, messages[i] as number] })),
    };
    return {
      curves: [curves],
      findings: [
        { id: 'MK-10a', here: at(linux, 2) },
        { id: 'MK-10b', here: at(linux, 32) },
        { id: 'MK-10c', here: at(messages, 2) },
        { id: 'MK-10d', here: at(messages, 32) },
        { id: 'MK-10e', here: (at(linux, 32) - at(linux, 2)) / 30 },
        { id: 'MK-10f', here: (at(messages, 32) - at(messages, 2)) / 30 },
        {
          id: 'MK-10',
          here: crossover === undefined ? 'nowhere up to 32 cores' : `at ${crossover} cores`,
          holds: crossover !== undefined && crossover >= 10 && crossover <= 14,
        },
      ],
    };
  },
};
