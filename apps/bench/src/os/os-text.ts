import type { Curves, ExperimentRow, System } from '@rpal/compare';
import { COLUMNS, wrapped } from '../report/columns.js';
import { percent, whole } from '../report/numbers.js';
import { textTable } from '../report/text-table.js';
import type { Run } from './experiment-data.js';

/** Room for what was measured, and for the words of a law. */
const ROOM = 30;

/** How the rows of an experiment are to be read. */
export const READING: string = `\
Ratio: here over published. Published figures with a letter were not read in the
source: r is recalled from memory, d derived from others, e estimated. What is
here is the sum of steps, each with a price of its own; none is fitted.`;

/** A system's experiments for people, within 80 columns. */
export function renderSystem({ title }: System, runs: readonly Run[]): string {
  return `${[title, '', ...runs.flatMap(renderRun)].join('\n')}\n${READING}\n`;
}

/** An experiment for people: lines within 80 columns. */
export function renderRun({ experiment, rows, curves }: Run): string[] {
  const figures = rows.filter(({ published }) => published.kind === 'figure');
  const laws = rows.filter(({ published }) => published.kind === 'law');
  const missed = rows.filter(({ verdict }) => verdict === 'misses');
  return [
    ...wrap(`${experiment.name}: ${experiment.title}`, ''),
    '',
    ...(figures.length > 0 ? [textTable(['', '', 'published  ', 'here', 'ratio', 'why'], figures.map(figureCells), [0, 1, 5]), ''] : []),
    ...laws.flatMap(lawLines),
    ...curves.flatMap(renderCurves),
    ...reasons(missed).flatMap(([why, ids]) => wrap(`${ids.join(', ')}: ${why === '' ? 'no reason is known.' : why}`, '  ')),
    ...(missed.length > 0 ? [''] : []),
    ...experiment.left.flatMap((text) => wrap(`Left out: ${text}`, '  ')),
    ...(experiment.left.length > 0 ? [''] : []),
  ];
}

/** Rows by the reason that they share. */
function reasons(missed: readonly ExperimentRow[]): (readonly [why: string, ids: readonly string[]])[] {
  const shared = new Map<string, string[]>();
  for (const { published, why } of missed) shared.set(why, [...(shared.get(why) ?? []), published.id]);
  return [...shared];
}

/** The standing of a row in a few words; the reason for a miss is below the table. */
function because({ published, verdict }: ExperimentRow): string {
  if (verdict === 'open') return 'no target';
  if (verdict === 'misses') return 'misses, below';
  return published.kind === 'figure' ? `within ${percentOf(published.within ?? 0)}` : 'holds';
}

function percentOf(share: number): string {
  return percent(share).replace('.0 %', ' %');
}

/** 13,800, or 3.42: as many digits as such a figure was published with. */
function amount(value: number): string {
  return Math.abs(value) >= 100 ? whole(Math.round(value)) : String(Number(value.toFixed(2)));
}

/** A row of the table; a long name goes on below. */
function figureCells(row: ExperimentRow): string[] {
  const { published, here, ratio } = row;
  const { id, what, value, status } = published;
  const unit = published.kind === 'figure' ? published.unit : '';
  return [
    id,
    wrapped(`${what}, ${unit}`, ROOM - id.length).join('\n'),
    `${amount(value as number)} ${status === 'published' ? ' ' : status[0]}`,
    amount(here as number),
    ratio === null ? '-' : ratio.toFixed(2),
    because(row),
  ];
}

function lawLines(row: ExperimentRow): string[] {
  const { published, here } = row;
  return [
    ...wrap(
      `${published.id}: ${published.what} (${[because(row), ...(published.status === 'published' ? [] : [published.status])].join('; ')})`,
      '  ',
    ),
    ...wrap(`published: ${published.value}`, '    '),
    ...wrap(`here:      ${here}`, '    '),
    '',
  ];
}

function renderCurves({ title, over, names, points }: Curves): string[] {
  const cells = points.map(({ at, values }) => [String(at), ...values.map((value) => (value === null ? '-' : whole(Math.round(value))))]);
  return [...wrap(title, '  '), textTable([over, ...names], cells, []), ''];
}

/** Lines within the page, further ones two columns to the right. */
function wrap(text: string, indent: string): string[] {
  return wrapped(text, COLUMNS - indent.length - 2).map((line, at) => `${indent}${at === 0 ? '' : '  '}${line}`);
}
