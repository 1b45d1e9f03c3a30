import type { Kind } from './mutant.ts';

/** What came of one mutant. */
export interface Result {
  /** Its folder. */
  readonly package: string;
  readonly kind: Kind;
  /** Relative to the root. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly mutated: string;
  readonly outcome: 'killed' | 'survived' | 'out of time' | 'broken';
  /** The first test that noticed. */
  readonly by: string;
  /** Why it is to survive, if it is. */
  readonly survives: string | undefined;
  readonly seconds: number;
}

/** Whether it is not as the list says. */
export function wrong({ outcome, survives }: Result): boolean {
  return outcome === 'broken' || (outcome === 'survived') !== (survives !== undefined);
}

const isKilled = ({ outcome }: Result): boolean => outcome === 'killed' || outcome === 'out of time';

function percent(part: number, all: number): string {
  return `${((100 * part) / Math.max(1, all)).toFixed(1)} %`;
}

function packagesOf(results: readonly Result[]): readonly string[] {
  return [...new Set(results.map((result) => result.package))];
}

/** Rows of package, mutants, killed, percent; the last one has the sums. */
function table(results: readonly Result[]): string[][] {
  const row = (name: string, own: readonly Result[]): string[] => {
    const killed = own.filter(isKilled).length;
    return [name, `${own.length}`, `${killed}`, percent(killed, own.length)];
  };
  return [
    ...packagesOf(results).map((name) =>
      row(
        name,
        results.filter((result) => result.package === name),
      ),
    ),
    row('all', results),
  ];
}

/** For the terminal: the table, the sums, and what survives. */
export function summary(results: readonly Result[]): string {
  const lines = [
    '',
    ...table(results).map(([name = '', ...figures]) => name.padEnd(22) + figures.map((figure) => figure.padStart(9)).join('')),
  ];
  lines.push('', ...kinds(results));
  const survivors = results.filter(({ outcome }) => outcome === 'survived');
  if (survivors.length > 0) lines.push('', 'Survivors');
  for (const { file, line, text, mutated, survives } of survivors) {
    lines.push(`  ${file}:${line}  ${text} -> ${mutated}`, `    ${survives ?? 'NO REASON STATED'}`);
  }
  const others = results.filter((result) => wrong(result) && result.outcome !== 'survived');
  if (others.length > 0) lines.push('', 'Broken, or killed although a reason says that they survive');
  for (const { file, line, text, outcome, by } of others) lines.push(`  ${file}:${line}  ${text}: ${outcome} (${by})`);
  const late = results.filter(({ outcome }) => outcome === 'out of time').length;
  const killed = results.filter(isKilled).length;
  const sums = `${killed} killed (${late} by the time limit), ${survivors.length} survived; ${percent(killed, results.length)} killed`;
  lines.push('', `${results.length} mutants: ${sums}`);
  return lines.join('\n');
}

function kinds(results: readonly Result[]): string[] {
  return [...new Set(results.map(({ kind }) => kind))].sort().map((kind) => {
    const own = results.filter((result) => result.kind === kind);
    return `${kind.padEnd(22)}${`${own.length}`.padStart(9)}${`${own.filter(isKilled).length}`.padStart(9)}`;
  });
}

/** docs/mutants.md. @param commit what was checked out; null if that is not known */
export function markdown(results: readonly Result[], commit: string | null): string {
  const survivors = results.filter(({ outcome }) => outcome === 'survived');
  const killed = results.filter(isKilled);
  const late = results.filter(({ outcome }) => outcome === 'out of time').length;
  return [
    '# Mutants',
    '',
    'A mutant is one line of the sources made wrong: a wake-up or a flush left out, another error number, a bound off by one, a cost not booked.',
    'The tests of the package must notice. `pnpm mutants` runs them all, each in some seconds, and leaves the sources as they are;',
    '`pnpm mutants packages/mm` those of a package. [The lists](../scripts/mutants/list) say which tests are to notice.',
    '',
    'This is written by `pnpm mutants --markdown docs/mutants.md` when a complete run has ended.',
    `The last one was of commit ${commit ?? '(files were changed)'}: of ${results.length} mutants ${killed.length} were killed (${late} by the time limit),`,
    `that is ${percent(killed.length, results.length)}, and ${survivors.length} survived.`,
    '',
    '| Package | Mutants | Killed | |',
    '|---|--:|--:|--:|',
    ...table(results).map((row) => `| ${row.join(' | ')} |`),
    '',
    '## Survivors',
    '',
    ...(survivors.length > 0 ? survivors.map((one) => `${heading(one)} ${one.survives ?? 'No reason stated'}.`) : ['None.']),
    '',
    '## Killed, and the first test that noticed',
    ...packagesOf(killed).flatMap((name) => ['', `### ${name}`, '', ...killed.filter((one) => one.package === name).map(killedLine)]),
    '',
  ].join('\n');
}

/** A mutant as the page names it. */
export function heading({ file, text, mutated }: Pick<Result, 'file' | 'text' | 'mutated'>): string {
  return `* \`${file}\`: ${code(text)} ${mutated === '' ? 'left out.' : `as ${code(mutated)}.`}`;
}

function killedLine(result: Result): string {
  return `${heading(result)} ${result.outcome === 'out of time' ? 'The time limit' : result.by.replaceAll(/[<>*_[\]]/g, '\\$&')}.`;
}

function code(text: string): string {
  const fence = text.includes('`') ? '``' : '`';
  return `${fence}${text.trim()}${fence}`;
}
