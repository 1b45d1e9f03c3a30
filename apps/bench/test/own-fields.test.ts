import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { ownFields } from '../own-fields.ts';

/** The bundle of a module. */
async function bundled(code: string): Promise<string> {
  const only = { name: 'only', resolveId: (id: string) => id, load: () => code };
  const bundle = await rolldown({ input: 'entry.js', plugins: [only, ownFields()] });
  const { output } = await bundle.generate({ format: 'esm' });
  return output[0].code;
}

describe('private fields in the bundle', () => {
  it('are properties if the constructor sets them, each class its own, and do what they did', async () => {
    const code = await bundled(`
      class Base { #a; #b; constructor() { this.#a = 1; if (this.#a > 0) this.#b = 10; } sum() { return this.#a + this.#b; } }
      class Derived extends Base {
        #a; #c = 1000; static #made = 0;
        constructor() { super(); this.#a = 100; Derived.#made++; }
        sum() {
          const outer = this;
          class Inner { #d; constructor() { this.#d = outer.#a; } get() { return this.#d + outer.#c; } }
          return super.sum() + this.#a + new Inner().get() + Derived.#made;
        }
      }
      export const sum = new Derived().sum();
    `);
    // What is set under a condition, in its declaration, or is of the class stays private.
    expect([...code.matchAll(/^\s*(?:static )?#(\w+)(?: = .*)?;/gm)].map(([, name]) => name)).toEqual(['b', 'c', 'made']);
    const { sum } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    expect(sum).toBe(1 + 10 + 100 + 100 + 1000 + 1);
  });
});
