import { readFileSync } from 'node:fs';

/**
 * The examples of a Markdown file as modules: `<directory>/README.md.<n>.ts` is its n-th TypeScript fence, so that an example is
 * found, resolved and transformed exactly as a file beside the README would be.
 */
export function readmeExampleModules() {
  const exampleId = /^(.*\.md)\.(\d+)\.ts$/;
  return {
    name: 'readme-examples',
    enforce: 'pre' as const,
    resolveId: (id: string) => (exampleId.test(id) ? id : undefined),
    load(id: string) {
      const [, readme, index] = exampleId.exec(id) ?? [];
      return readme === undefined ? undefined : examplesIn(readme)[Number(index)]?.code;
    },
  };
}

/** A TypeScript fence of a README. */
export interface Example {
  readonly code: string;
  /** What it prints, if the README says so in a text fence right behind it. */
  readonly output: string | undefined;
  readonly line: number;
}

/** The TypeScript fences of a README, in their order. */
export function examplesIn(readme: string): readonly Example[] {
  const text = readFileSync(readme, 'utf8');
  const fence = /^```ts\n([\s\S]*?)^```\n(?:\s*```text\n([\s\S]*?)^```)?/gm;
  return [...text.matchAll(fence)].map((match) => ({
    code: match[1] as string,
    output: match[2],
    line: text.slice(0, match.index).split('\n').length,
  }));
}
