import type { Group } from '../mutant.ts';

export const bus: Group = {
  package: 'packages/bus',
  tests: ['bus', 'event', 'hook', 'plugin-host', 'slot'],
  mutants: [
    { kind: 'order', text: 'value = (fns[at] as AnyFunction)(value,', mutated: 'value = (fns[fns.length - 1 - at] as AnyFunction)(value,' },
    { kind: 'order', text: '.sort((a, b) => a.order - b.order)', mutated: '' },
    { kind: 'state', text: 'if (answer !== undefined) return answer;', mutated: 'if (answer === undefined) return answer;' },
    { kind: 'bound', text: 'parts.length === 0 ? this.idle', mutated: 'parts.length <= 1 ? this.idle' },
    { kind: 'permission', text: '      if (this.#provider !== plugin) return;', mutated: '' },
    { kind: 'state', text: 'if (this.#required && !this.filled) {', mutated: 'if (this.#required && this.filled) {' },
    { kind: 'state', text: 'if (this.#provider !== undefined) {', mutated: 'if (this.#provider === null) {' },
    { kind: 'permission', text: 'if (!isInRange(version, range)) {', mutated: 'if (range === version) {' },
    {
      kind: 'order',
      text: 'for (const plugin of plugins) visit(plugin, []);',
      mutated: 'for (const plugin of [...plugins].reverse()) visit(plugin, []);',
    },
    { kind: 'state', text: 'if (path.includes(name)) {', mutated: 'if (path.length > 99) {' },
    { kind: 'permission', text: '(definition.provides?.includes(name) ?? false)', mutated: 'false' },
  ],
};
