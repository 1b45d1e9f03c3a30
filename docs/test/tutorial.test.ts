import { join } from 'node:path';
import { expect, it } from 'vitest';
import { markdownExamples } from '../../scripts/readme-examples.ts';
import { examplesIn } from '../../scripts/readme-modules.ts';
import { root } from './outside-project.ts';

const tutorial = join(root, 'docs/tutorial.md');

markdownExamples(tutorial);

it.each([
  { index: 0, builds: 'its plugin, and the program that measures it' },
  { index: 1, builds: 'a system call, and the programs that make it' },
])('builds $builds, in at most 60 lines', ({ index }) => {
  const lines = examplesIn(tutorial)[index]?.code.trimEnd().split('\n') ?? [];
  expect(lines.length).toBeGreaterThan(30);
  expect(lines.length).toBeLessThanOrEqual(60);
});
