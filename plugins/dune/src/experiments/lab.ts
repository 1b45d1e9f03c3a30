import type { ExperimentOptions, PublishedFigure } from '@rpal/compare';
import { createMachine, executable, type Program } from '@rpal/kernel';
import { xeonE31230v2 } from '../machines/xeon-e3-1230v2.js';
import { dune } from '../module/module.js';

/** Runs a program on the paper's machine. @returns what it returns: cycles */
export function onXeon({ costs, seed }: ExperimentOptions, program: (p: Program) => Generator<void, number>): number {
  const machine = createMachine({ profile: xeonE31230v2, costs, seed, plugins: [dune()] });
  let cycles = Number.NaN;
  machine.spawn(
    executable('program', function* (p) {
      cycles = yield* program(p);
    }),
  );
  machine.run();
  return cycles;
}

/** TSC cycles of one of `rounds` executions of `body`, after a tenth as many to warm up. */
export function* each(p: Program, rounds: number, body: (round: number) => Generator<void, void>): Generator<void, number> {
  for (let i = 0; i < Math.ceil(rounds / 10); i++) yield* body(i);
  const start = p.rdtsc();
  for (let i = 0; i < rounds; i++) yield* body(i);
  return (p.rdtsc() - start) / rounds;
}

/** A row of the paper's tables: on Linux, and in Dune mode. */
export function pair(id: string, what: string, linux: number, inDune: number, table: number): readonly PublishedFigure[] {
  const common = {
    kind: 'figure',
    unit: 'cycles',
    within: 0.25,
    source: `Belay et al., Dune, OSDI 2012, Table ${table}`,
    status: 'recalled',
  } as const;
  return [
    { ...common, id: `${id}a`, what: `${what}, Linux`, value: linux },
    { ...common, id: `${id}b`, what: `${what}, Dune`, value: inDune },
  ];
}
