import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../../kernel/test/real/compile.js';
import type { Line } from './file-program.js';
import { answersOfModel } from './model.js';

/** The driver for the real kernel, compiled; or why there is none. */
export class RealFiles {
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'rpal-files-'));
  readonly #driver: string = join(this.#directory, 'driver');
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null;

  constructor() {
    this.missing = this.#prepare();
  }

  #prepare(): string | null {
    const missing = compile(fileURLToPath(new URL('./file-driver.c', import.meta.url)), this.#driver);
    if (missing !== null) return missing;
    if (process.getuid?.() !== 0) return 'the comparison needs root, for chroot and other users';
    return this.answers([['umask 0']])[0]?.[0] === '18' ? null : 'the driver does not run here';
  }

  /** What the real kernel answers to programs, each in a tree of its own. */
  answers(programs: readonly (readonly Line[])[]): string[][] {
    const input = programs.map((lines) => ['reset', ...lines, ''].join('\n')).join('');
    const { stdout } = spawnSync(this.#driver, { input, encoding: 'latin1', timeout: 120_000, maxBuffer: 1 << 30 });
    const all = stdout.split('\n');
    let at = 0;
    return programs.map((lines) => {
      at += lines.length;
      return all.slice(at - lines.length, at);
    });
  }

  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Where the two first differ in a program, as its lines up to there with what was answered; null if they do not. */
export function difference(real: RealFiles, lines: readonly Line[], observed: readonly string[]): string | null {
  const at = differsAt(answersOfModel(lines), observed);
  if (at < 0) return null;
  return report(real, shrink(real, lines.slice(0, at + 1)));
}

function differsAt(model: readonly string[], observed: readonly string[]): number {
  return observed.findIndex((answer, i) => answer !== model[i]);
}

/** Leaves lines out as long as the last one still differs. */
function shrink(real: RealFiles, lines: readonly Line[]): readonly Line[] {
  let shortest = lines;
  for (let size = lines.length >> 1; size >= 1; size >>= 1) {
    for (let from = 0; from + size < shortest.length; ) {
      const candidate = [...shortest.slice(0, from), ...shortest.slice(from + size)];
      const [observed = []] = real.answers([candidate]);
      if (differsAt(answersOfModel(candidate), observed) >= 0)
        shortest = candidate.slice(0, differsAt(answersOfModel(candidate), observed) + 1);
      else from += size;
    }
  }
  return shortest;
}

function report(real: RealFiles, lines: readonly Line[]): string {
  const model = answersOfModel(lines);
  const [observed = []] = real.answers([lines]);
  return lines
    .map((line, i) => (observed[i] === model[i] ? `${line}  ->  ${model[i]}` : `${line}  ->  model ${model[i]}, Linux ${observed[i]}`))
    .join('\n');
}
