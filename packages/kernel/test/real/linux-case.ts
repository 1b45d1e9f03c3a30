import { expect, it } from 'vitest';
import { Script, type Step } from './case.js';
import { onModel } from './case-model.js';
import { onLinux } from './case-real.js';

/** A test: the model answers the steps of a case as written, and so does the Linux at hand, where it can be asked. */
export function linuxCase(title: string, steps: readonly Step[]): void {
  it(title, () => {
    const script = new Script(steps);
    const expected = script.shown(script.expected());
    const real = onLinux(script);
    if (real !== null) expect(script.shown(real), 'the Linux at hand').toEqual(expected);
    expect(script.shown(onModel(script)), 'the model').toEqual(expected);
  });
}
