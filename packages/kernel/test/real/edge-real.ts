import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.js';
import { type EdgeCase, lineOf } from './edge-cases.js';
import { TEMPLATE } from './edge-memory.js';
import { EdgeModel } from './edge-model.js';
import { Mode } from './edge-signatures.js';

/** Milliseconds that a batch of cases may take. */
const PATIENCE = 600_000;

/** Executes cases on the Linux at hand (`edges.c`), in namespaces of their own. */
export class RealEdges {
  readonly #directory: string;
  readonly #driver: string;
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null;

  /** @param sources the directory with `edges.c` */
  constructor(sources: string = fileURLToPath(new URL('.', import.meta.url))) {
    this.#directory = mkdtempSync(join(tmpdir(), 'rpal-edges-'));
    this.#driver = join(this.#directory, 'edges');
    this.missing = this.#prepare(join(sources, 'edges.c'));
  }

  #prepare(source: string): string | null {
    const missing = compile(source, this.#driver);
    if (missing !== null) return missing;
    const { stdout } = spawnSync(this.#driver, { input: '0 2 24 0 0 0 0 0 0\n', encoding: 'utf8', timeout: PATIENCE });
    return stdout === '0 0 \n' ? null : 'the driver may not make namespaces here (it wants to be root)';
  }

  /** @returns what each case comes to, in their order: the first of them while later ones are still executed */
  async *run(cases: readonly EdgeCase[]): AsyncGenerator<string, void> {
    const template = Buffer.from(TEMPLATE.buffer).toString('hex');
    // The C library keeps off what a case may want for itself.
    const env = { ...process.env, GLIBC_TUNABLES: 'glibc.pthread.rseq=0' };
    const driver = spawn(this.#driver, { stdio: ['pipe', 'pipe', 'inherit'], timeout: PATIENCE, env });
    driver.stdin.on('error', () => {});
    driver.stdin.end([`template ${template}`, ...cases.map(lineOf), ''].join('\n'));
    yield* createInterface({ input: driver.stdout });
  }

  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** What a case has come to on both sides. */
export interface EdgeOutcome {
  readonly case: EdgeCase;
  /** Calls that the model has answered, or that ended the case. */
  readonly answered: number;
  /** The first call on which they do not agree, and what each side says of it; beyond the last: of how the case ends. */
  readonly difference: { readonly at: number; readonly model: string; readonly real: string } | null;
}

/** What is left of an outcome when that does not matter which need not be the same, by call; the end of the case is the last. */
function outcomes({ calls }: EdgeCase, answer: string): string[] {
  const words = answer.split(' ');
  const said: string[] = [];
  for (const { mode } of calls) {
    const [result = '', hash] = words;
    if (!/^-?\d+$/.test(result) || hash === undefined) break;
    words.splice(0, 2);
    said.push((mode & Mode.OPAQUE) !== 0 && Number(result) >= 0 ? `+ ${hash}` : `${result} ${hash}`);
  }
  return [...said, words.join(' ').trim()];
}

/** Executes cases on both sides at once. */
export async function* compareEdges(real: RealEdges, cases: readonly EdgeCase[]): AsyncGenerator<EdgeOutcome, void> {
  const observed = real.run(cases);
  let model = new EdgeModel();
  for (const made of cases) {
    const answer = model.execute(made);
    if (answer.includes('threw')) model = new EdgeModel();
    const mine = outcomes(made, answer);
    const { value } = await observed.next();
    const its = outcomes(made, value ?? 'no answer');
    let at = mine.findIndex((outcome, k) => outcome !== its[k]);
    if (at < 0 && its.length > mine.length) at = 0;
    const difference = at < 0 ? null : { at, model: mine[at] ?? '', real: its[at] ?? '' };
    yield { case: made, answered: Math.min(mine.length, made.calls.length), difference };
  }
}
