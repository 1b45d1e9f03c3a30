import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attackMatrix, formatMatrix } from '../src/index.js';

describe('the matrix of attacks', () => {
  const matrix = attackMatrix();

  it('is as the README shows it', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(`\`\`\`text\n${formatMatrix(matrix)}\n\`\`\``);
  });

  it('has nothing in which a stranger succeeds, nothing but reading for who may read, and no table that its owner writes', () => {
    const successes = (who: 'stranger' | 'reader' | 'owner') =>
      Object.entries(matrix).flatMap(([name, row]) => (row[who].succeeds ? [name] : []));
    expect(successes('stranger')).toEqual([]);
    expect(successes('reader')).toEqual(['page read']);
    expect(successes('owner')).not.toContain('own page table written');
  });
});
