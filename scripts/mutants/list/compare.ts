import type { Group } from '../mutant.ts';

export const compare: Group = {
  package: 'packages/compare',
  tests: ['workload', 'waterfall', 'mechanisms'],
  mutants: [
    {
      kind: 'bound',
      text: 'if (!Number.isInteger(size) || size < smallest || size > largest) {',
      mutated: 'if (!Number.isInteger(size) || size < smallest) {',
    },
    { kind: 'cost', text: 'if (cycles > 0) yield* p.compute(cycles);', mutated: '', in: 'workload/workload.ts' },
    {
      kind: 'cost',
      text: 'if (last !== undefined && last.step === step && last.cpu === cpu) last.cycles += cycles;',
      mutated: 'if (last !== undefined && last.step === step) last.cycles += cycles;',
    },
    { kind: 'state', text: 'if (at >= 0) throw', mutated: 'if (at > 1e9) throw' },
    { kind: 'state', text: 'if (!mechanism.streams) throw', mutated: 'if (mechanism === undefined) throw' },
    { kind: 'bound', text: 'value >= least && value <= most', mutated: 'value > least && value <= most' },
    { kind: 'cost', text: 'if (cycles < 0 && step === HwStep.senderBusy) {', mutated: 'if (cycles < -1e9) {' },
    { kind: 'cost', text: 'const cpu = step === HwStep.wakeTransit ? null : this.#where();', mutated: 'const cpu = this.#where();' },
    {
      kind: 'bound',
      text: 'this.#freeAt[socket] = Math.max(this.#freeAt[socket] as number, began)',
      mutated: 'this.#freeAt[socket] = began',
      tests: ['mpi'],
    },
    {
      kind: 'bound',
      text: 'if (clients > mostClients) ',
      mutated: 'if (clients >= mostClients) ',
      tests: ['fan-in'],
    },
  ],
};
