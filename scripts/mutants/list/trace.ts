import type { Group } from '../mutant.ts';

export const trace: Group = {
  package: 'packages/trace',
  tests: ['tracks', 'trace'],
  mutants: [
    { kind: 'state', text: 'if (this.#on) this.#events.push(event);', mutated: 'this.#events.push(event);' },
    { kind: 'state', text: "if (event.kind === 'switch') running.set(event.cpu, event.to);", mutated: '' },
    { kind: 'bound', text: 'if (bytes <= 0) break;', mutated: 'if (bytes < 0) break;' },
    { kind: 'wake-up', text: "if (event.kind === 'wake-up') pending.set(event.who.tid, event);", mutated: '' },
    { kind: 'state', text: 'if (event.waits) asleep = time;', mutated: 'if (event.from) asleep = time;' },
    { kind: 'key', text: 'pending.delete(event.to.tid);', mutated: '' },
    { kind: 'key', text: 'waiting.get(event.queue) ?? [];', mutated: '[...waiting.values()][0] ?? [];' },
    {
      kind: 'bound',
      text: 'slices.filter(({ begin, end: to }) => to > begin)',
      mutated: 'slices.filter(({ begin, end: to }) => to >= begin)',
    },
    { kind: 'bound', text: 'const end = Math.min(slice.end, open.at(-1) ?? slice.end);', mutated: 'const end = slice.end;' },
    {
      kind: 'order',
      text: 'const events = [...this.#events].sort((a, b) => a.time - b.time);',
      mutated: 'const events = [...this.#events];',
    },
    {
      kind: 'bound',
      text: 'while (open.length > 0 && (open.at(-1) as Frame).end <= time) {',
      mutated: 'while (open.length > 0 && (open.at(-1) as Frame).end < time) {',
    },
  ],
};
