import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attackMatrix, formatMatrix } from '../src/index.js';

describe('the matrix of attacks', () => {
  const matrix = attackMatrix();

  it('is as the README shows it', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(`\`\`\`text\n${formatMatrix(matrix)}\n\`\`\``);
  });

  it('has no attack that succeeds in a sandbox, none there that ends the program, and none in ring 0 that leads out of the process', () => {
    expect(Object.values(matrix).map(({ sandbox }) => sandbox.succeeds || sandbox.ends === 'the process')).toEqual(Array(8).fill(false));
    for (const name of ['frame that is not its own', 'page that was taken back'] as const) {
      expect(matrix[name].dune).toEqual({ succeeds: false, ends: 'the process' });
    }
  });
});
