import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { examplesIn } from './readme-modules.ts';

/**
 * Declares a test for every TypeScript fence of a package's README: it runs, and prints what the `text` fence behind it
 * shows, if there is one.
 * @param testFile `import.meta.url` of a test file in the package's `test` directory
 */
export function readmeExamples(testFile: string): void {
  markdownExamples(join(dirname(fileURLToPath(testFile)), '..', 'README.md'));
}

/** As `readmeExamples`, for the Markdown file at `readme`. */
export function markdownExamples(readme: string): void {
  const examples = examplesIn(readme);
  describe(basename(readme, '.md'), () => {
    it('has an example', () => expect(examples.length).toBeGreaterThan(0));
    it.each(examples.map((example, index) => ({ ...example, index })))('runs the example of line $line', async ({ index, output }) => {
      const printed: string[] = [];
      const log = vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => printed.push(words.join(' ')));
      try {
        await import(/* @vite-ignore */ `${readme}.${index}.ts`);
      } finally {
        log.mockRestore();
      }
      if (output !== undefined) expect(`${printed.join('\n')}\n`).toBe(output);
    });
  });
}
