import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { constantBindings } from '../constant-bindings.ts';

/** The bundle of some modules by name; the first is the entry. */
async function bundled(modules: Record<string, string>): Promise<string> {
  const only = { name: 'only', resolveId: (id: string) => id, load: (id: string) => modules[id] };
  const bundle = await rolldown({ input: Object.keys(modules)[0] as string, plugins: [only, constantBindings()] });
  const { output } = await bundle.generate({ format: 'esm' });
  return output[0].code;
}

describe('functions and classes in the bundle', () => {
  it('are constants from its first statement on, but for what is assigned to', async () => {
    const code = await bundled({
      entry: `
        import { Square } from 'square';
        import { count } from 'count';
        const early = double(1);
        export const sum = early + count() + new Square(3).area() + again() + again();
        function double(value) { return 2 * value; }
        function again() { again = () => 7000; return 1000; }
      `,
      square: `
        class Shape { constructor(side) { this.side = side; } }
        export class Square extends Shape { area() { return this.side * this.side + [...hundred()][0]; } }
        function* hundred() { yield 100; }
      `,
      count: 'let calls = 0; export function count() { return ++calls; }',
    });
    const names = [...code.matchAll(/^const (\w+) = /gm)].map(([, name]) => name);
    expect(names.sort()).toEqual(['Shape', 'Square', 'count', 'double', 'hundred', 'sum']);
    expect(code).toMatch(/^function again\(/m);
    const { sum } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    expect(sum).toBe(2 + 1 + 9 + 100 + 1000 + 7000);
  });
});
