import { CompareError } from '../errors.js';
import type { Experiment, Finding, Outcome, Published } from './system.js';

/** A published row beside what came out here. */
export interface ExperimentRow {
  readonly published: Published;
  readonly here: number | string;
  /** Here over published; null for a law, and where 0 was published. */
  readonly ratio: number | null;
  /** `open`: held to nothing. */
  readonly verdict: 'holds' | 'misses' | 'open';
  /** The reason that the experiment gives for a miss; '' if none is needed, or none is given. */
  readonly why: string;
}

/**
 * Sets what a run has found beside what was published.
 * @throws CompareError USAGE if the experiment does not answer each of its rows once, by a number for a figure and by words for a law
 */
export function verdicts(experiment: Experiment, { findings }: Outcome): readonly ExperimentRow[] {
  const ids = new Set(experiment.published.map(({ id }) => id));
  for (const { id } of findings) {
    if (!ids.delete(id)) throw new CompareError('USAGE', `experiment ${experiment.name} finds "${id}" twice, or has not published it`);
  }
  if (ids.size > 0) throw new CompareError('USAGE', `experiment ${experiment.name} has found nothing for ${[...ids].join(', ')}`);
  return experiment.published.map((published) => {
    const finding = findings.find(({ id }) => id === published.id) as Finding;
    const verdict = judge(experiment, published, finding);
    return {
      published,
      here: finding.here,
      ratio: published.kind === 'figure' && published.value !== 0 ? (finding.here as number) / published.value : null,
      verdict,
      why: verdict === 'misses' ? (experiment.misses[published.id] ?? '') : '',
    };
  });
}

function judge({ name }: Experiment, published: Published, finding: Finding): ExperimentRow['verdict'] {
  if (published.kind === 'law' && 'holds' in finding) return finding.holds ? 'holds' : 'misses';
  if (published.kind === 'figure' && typeof finding.here === 'number') {
    const { value, within } = published;
    if (within === null) return 'open';
    return Math.abs(finding.here - value) <= within * value ? 'holds' : 'misses';
  }
  throw new CompareError(
    'USAGE',
    `experiment ${name}, ${published.id}: a figure is found as a number, a law as words and whether it holds`,
  );
}
