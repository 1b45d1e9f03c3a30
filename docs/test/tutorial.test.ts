import { join } from 'node:path';
import { expect, it } from 'vitest';
import { markdownExamples } from '../../scripts/readme-examples.ts';
import { examplesIn } from '../../scripts/readme-modules.ts';
import { root } from './outside-project.ts';

const tutorial = join(root, 'docs/tutorial.md');

markdownExamples(tutorial);

it('builds its plugin, and the program that measures it, in under 60 lines', () => {
  const [example] = examplesIn(tutorial);
  expect(example?.code.split('\n').length).toBeLessThan(60);
});
