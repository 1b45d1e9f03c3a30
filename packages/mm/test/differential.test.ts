import { Rng } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { linux615, releaseDifferences, rulesOf } from '../src/index.js';
import { CallGenerator } from './call-generator.js';
import { callText, type MemoryCall, type Observation } from './calls.js';
import { ModelledKernel } from './modelled-kernel.js';
import { RealKernel } from './real-kernel.js';

/**
 * The same random calls on the model and on the Linux at hand. MM_DIFFERENTIAL_CALLS and MM_DIFFERENTIAL_SEED run more of
 * them, and others; a failing seed is printed.
 */
const CALLS = Number(process.env.MM_DIFFERENTIAL_CALLS ?? 20_000);
const SEED = Number(process.env.MM_DIFFERENTIAL_SEED ?? 1);
const LENGTH = 200;
const BATCH = 50;

/** Single pages within one page table; and ranges of many tables, where large pages decide on placement. */
const comparisons = [
  { unit: 1, calls: CALLS, what: 'pages' },
  { unit: 64, calls: Math.ceil(CALLS / 10), what: 'ranges of 64 pages' },
  { unit: 64, calls: Math.ceil(CALLS / 10), what: 'ranges of 64 pages, with huge pages', huge: true },
];

describe('the model and the Linux at hand', () => {
  it.for(comparisons)(
    'agree on $calls random calls on $what',
    { timeout: 60_000 + CALLS * 3 },
    ({ unit, calls, huge = false }, { skip, annotate }) => {
      const kernel = RealKernel.build(unit, huge);
      if (typeof kernel === 'string') return skip(kernel);
      const rules = rulesOf(kernel.release);
      const changed = releaseDifferences.filter(({ rule }) => rules[rule] !== linux615[rule]);
      void annotate(
        `seeds from MM_DIFFERENTIAL_SEED=${SEED}; Linux ${kernel.release}; differs from 6.15 in ${changed.map(({ rule }) => rule).join(', ') || 'nothing'}`,
      );
      const comparison = new Comparison(kernel, new ModelledKernel(rules, unit, huge));
      for (let done = 0, seed = SEED; done < calls; done += BATCH * LENGTH, seed++) {
        const rng = new Rng(seed);
        const sequences = Array.from({ length: Math.min(BATCH, Math.ceil((calls - done) / LENGTH)) }, () =>
          new CallGenerator(rng, unit, huge).sequence(LENGTH),
        );
        const failing = comparison.firstFailing(sequences);
        if (failing !== null) expect.fail(`MM_DIFFERENTIAL_SEED=${seed} fails:\n${comparison.explain(comparison.shrink(failing))}`);
      }
    },
  );
});

class Comparison {
  readonly #real: RealKernel;
  readonly #model: ModelledKernel;

  constructor(real: RealKernel, model: ModelledKernel) {
    this.#real = real;
    this.#model = model;
  }

  /** The first sequence on which the two differ, up to the call that shows it. */
  firstFailing(sequences: readonly MemoryCall[][]): MemoryCall[] | null {
    const observed = this.#real.run(sequences);
    for (const [i, sequence] of sequences.entries()) {
      const real = observed[i] as Observation[];
      const length = this.#agreeFor(sequence, real);
      if (length === sequence.length) continue;
      const failing = sequence.slice(0, length + 1);
      // A kernel short of memory, or of huge pages, may answer otherwise the next time: that is no difference.
      const [again = []] = this.#real.run([failing]);
      if (same(real[length] as Observation, again[length] as Observation)) return failing;
    }
    return null;
  }

  /** Leaves calls out as long as it still fails. */
  shrink(failing: MemoryCall[]): MemoryCall[] {
    let shortest = failing;
    for (let size = shortest.length >> 1; size > 0; size >>= 1) {
      for (let at = 0; at < shortest.length; ) {
        const fewer = this.firstFailing([[...shortest.slice(0, at), ...shortest.slice(at + size)]]);
        if (fewer === null) at += size;
        else shortest = fewer;
      }
    }
    return shortest;
  }

  explain(sequence: MemoryCall[]): string {
    const [real = []] = this.#real.run([sequence]);
    const model: Observation[] = [];
    let thrown = '';
    try {
      this.#model.run(sequence, (observation) => {
        model.push(observation);
        return false;
      });
    } catch (error) {
      thrown = `\nthe model throws ${(error as Error).stack}`;
    }
    const lines = sequence.map((call, i) => {
      const [there, here] = [real[i] as Observation, model[i]];
      const differs = here === undefined || !same(there, here);
      const state = (o: Observation | undefined): string =>
        `${o?.result}; ${o?.faults} faults, ${o?.tables} tables, ${o?.hugePages} huge pages; ${o?.areas.join(' | ')}\n          ${runs(o?.pages)}`;
      return `${callText(call)} => ${there.result}${differs ? `\n  Linux   ${state(there)}\n  model   ${state(here)}` : ''}`;
    });
    return lines.join('\n') + thrown;
  }

  /** For how many calls the two agree. What a sequence took it has to have given back at its end. */
  #agreeFor(sequence: readonly MemoryCall[], observed: readonly Observation[]): number {
    const { framesInUse, committedPages } = this.#model;
    let agreed = 0;
    try {
      this.#model.run(sequence, (observation, i) => {
        if (!same(observed[i] as Observation, observation)) return true;
        agreed = i + 1;
        return false;
      });
    } catch {
      return agreed;
    }
    if (agreed === sequence.length) {
      expect(this.#model.framesInUse, 'frames lost').toBe(framesInUse);
      expect(this.#model.committedPages, 'commitment lost').toBe(committedPages);
    }
    return agreed;
  }
}

/** Equal digits in a row as `3x7`. */
function runs(pages = ''): string {
  return pages.replace(/(.)\1{3,}/g, (run, digit) => `${digit}x${run.length} `);
}

function same(real: Observation, model: Observation): boolean {
  if (real.result !== model.result || real.faults !== model.faults || real.tables !== model.tables) return false;
  if (real.hugePages !== model.hugePages || (real.pages !== '' && real.pages !== model.pages)) return false;
  return real.areas.length === model.areas.length && real.areas.every((area, i) => area === model.areas[i]);
}
