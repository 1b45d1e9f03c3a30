import type { Main } from '@rpal/kernel';
import { run as runPrograms, type TestOptions } from '../../../scripts/testing/run.ts';
import { type TmpfsOptions, tmpfs } from '../src/index.js';

export { bytes, hear, say, textAt } from '../../kernel/test/support.ts';

/** Runs a program on a machine with a tree of files. */
export function run(main: Main, options: TmpfsOptions = {}, machine: TestOptions = {}) {
  return runPrograms({ plugins: [tmpfs(options)], ...machine }, main);
}
