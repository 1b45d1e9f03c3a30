import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ownFields } from '../../scripts/own-fields.ts';

/** What the build makes of a module. */
function built(code: string): string {
  const { renderChunk } = ownFields();
  const result = renderChunk?.call({} as never, code, { path: 'dist/index.js' } as never) as { code: string };
  return result.code;
}

/** The value that a module's last expression has, once it is built. */
function evaluated(code: string): unknown {
  return runInNewContext(built(code));
}

describe('fields in built modules', () => {
  it('are what the constructor assigns first, and not declared before', () => {
    expect(built('class A { x; y; z = 1; constructor(x) { this.x = x; } }')).toBe('class A {  y; z = 1; constructor(x) { this.x = x; } }');
    expect(evaluated('class A { x; y; constructor(x) { this.x = x; } } Object.keys(new A(1)).join()')).toBe('y,x');
  });

  it('stay declared where the constructor sets them on one way only, or another method does', () => {
    const code = 'class A { x; y; #z; constructor(x) { if (x) this.x = x; } begin() { this.y = 1; this.#z = 2; } }';
    expect(built(code)).toBe(code);
  });

  it('have a name that tells whose they are if they were private: a subclass may have one of the same name', () => {
    const code = `
      const Base = class { #x; constructor(x) { this.#x = x; } get base() { return this.#x; } };
      const Derived = class extends Base { #x; constructor(x) { super(x); this.#x = 10 * x; } get derived() { return this.#x; } };
      const it = new Derived(1); [it.base, it.derived].join()`;
    expect(evaluated(code)).toBe('1,10');
    expect(built(code)).toMatch(/this\.x\$\w+\$Base = x/);
  });

  it('are those of the class that declares them, also from a class within it', () => {
    const code = `
      class Outer {
        #a; #b = 2;
        constructor() { this.#a = 1; }
        inner() { const outer = this; return new (class { #b; constructor() { this.#b = 3; } sum() { return outer.#a + this.#b; } })(); }
        own() { return this.#a + this.#b; }
      }
      const it = new Outer(); [it.own(), it.inner().sum()].join()`;
    expect(evaluated(code)).toBe('3,4');
  });

  it('leave private methods and accessors as they are', () => {
    const code = `
      class A { #x; constructor() { this.#x = 1; } #twice() { return 2 * this.#x; } get #half() { return this.#x / 2; } all() { return this.#twice() + this.#half; } }
      new A().all()`;
    expect(evaluated(code)).toBe(2.5);
  });
});
