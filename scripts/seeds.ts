import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { refuse } from './command-line.ts';
import { resumedLog } from './json-lines.ts';

// What programs share that run one seed after the other until there is enough of them, and go on where they were stopped.

/** Numbers of the command line: how much there is to be in all, and the first seed. */
export function wanted(usage: string, [amount, ...rest]: readonly string[], from: string, usual: string): { amount: number; from: number } {
  const texts = [amount ?? usual, from] as const;
  for (const text of texts) if (!/^[1-9]\d{0,14}$/.test(text)) refuse(usage, `"${text}" is no whole number from 1 on`);
  if (rest.length > 0) refuse(usage, `"${rest.join(' ')}" is too much`);
  return { amount: Number(texts[0]), from: Number(texts[1]) };
}

/** What came of each seed: with a file also of those of earlier runs, which are not run again. */
export class SeedLog<Line extends { readonly seed: number }> {
  readonly #file: string | undefined;
  readonly lines: Line[];
  readonly #done: Set<number>;

  /** @param counts which lines of the file are of this kind */
  constructor(usage: string, file: string | undefined, counts: (line: Line) => boolean = () => true) {
    if (file !== undefined && !existsSync(dirname(file))) refuse(usage, `--log: there is no directory ${dirname(file)}`);
    this.#file = file;
    this.lines = file === undefined ? [] : resumedLog<Line>(file).filter(counts);
    this.#done = new Set(this.lines.map(({ seed }) => seed));
  }

  has(seed: number): boolean {
    return this.#done.has(seed);
  }

  add(line: Line): void {
    this.lines.push(line);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** A module and what it imports, from their sources, in one: that is several times as fast as to load each by itself. */
export async function bundled<Module>(input: string): Promise<Module> {
  const directory = mkdtempSync(join(tmpdir(), 'rpal-seeds-'));
  try {
    const file = join(directory, 'bundle.mjs');
    const bundle = await rolldown({ input, platform: 'node', resolve: { conditionNames: ['@rpal/source', 'import', 'node'] } });
    await bundle.write({ file, codeSplitting: false });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
