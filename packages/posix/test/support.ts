import type { Main, Process } from '@rpal/kernel';
import * as testing from '../../../scripts/testing/run.ts';
import { posix } from '../src/index.js';

export { ends, mustEnd, until } from '../../../scripts/testing/run.ts';
export { bytes, hear, say, textAt } from '../../kernel/test/support.js';

/** Runs programs, which have to end well, on a machine with the calls of this package. */
export function run(options: testing.TestOptions, ...mains: Main[]): Process[];
export function run(...mains: Main[]): Process[];
export function run(first: testing.TestOptions | Main, ...mains: Main[]): Process[] {
  const [options, all] = typeof first === 'function' ? [{}, [first, ...mains]] : [first, mains];
  return testing.run({ ...options, plugins: [posix(), ...(options.plugins ?? [])] }, ...all);
}
