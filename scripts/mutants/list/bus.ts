import type { Group } from '../mutant.ts';

export const bus: Group = {
  package: 'packages/bus',
  tests: ['bus', 'event', 'hook', 'plugin-host', 'slot'],
  mutants: [
    { kind: 'order', text: 'for (const fn of fns) value = fn(value,', mutated: 'for (const fn of [...fns].reverse()) value = fn(value,' },
    { kind: 'state', text: 'return answer === undefined ? g(a', mutated: 'return answer !== undefined ? g(a' },
    { kind: 'bound', text: 'taps.length === 0 ? this.idle', mutated: 'taps.length <= 1 ? this.idle' },
    { kind: 'permission', text: 'if (this.#provider !== plugin) return;', mutated: 'if (this.#provider === null) return;' },
    { kind: 'state', text: 'if (this.#required && !this.filled) {', mutated: 'if (this.#required && this.filled) {' },
    { kind: 'state', text: 'if (this.#provider !== undefined) {', mutated: 'if (this.#provider === null) {' },
    { kind: 'permission', text: 'if (!satisfies(version, range, { includePrerelease: true })) {', mutated: 'if (!valid(version)) {' },
    {
      kind: 'order',
      text: 'for (const plugin of plugins) visit(plugin, []);',
      mutated: 'for (const plugin of [...plugins].reverse()) visit(plugin, []);',
    },
    { kind: 'state', text: 'if (path.includes(name)) {', mutated: 'if (path.length > 99) {' },
    { kind: 'permission', text: '(definition.provides?.includes(name) ?? false)', mutated: 'false' },
  ],
};
