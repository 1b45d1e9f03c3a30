import type { Group } from '../mutant.ts';

export const trace: Group = {
  package: 'packages/trace',
  tests: ['trace'],
  mutants: [
    { kind: 'state', text: 'if (this.#on) this.#events.push(event);', mutated: 'this.#events.push(event);' },
    { kind: 'state', text: "if (event.kind === 'switch') running.set(event.cpu, event.to);", mutated: '' },
    { kind: 'bound', text: 'if (bytes <= 0) break;', mutated: 'break;' },
    { kind: 'wake-up', text: "if (event.kind === 'wake-up') pending.set(event.who.tid, event);", mutated: '' },
    { kind: 'state', text: 'if (event.waits) asleep = time;', mutated: 'asleep = time;' },
  ],
};
