import { type AttackName, type AttackOutcome, attacks, type Place, places, runAttack } from './attacks.js';

/** Outcome of each attack at each place. @public for reports */
export type Matrix = Readonly<Record<AttackName, Readonly<Record<Place, AttackOutcome>>>>;

/** Runs every attack at every place, each on a machine of its own. @public for reports */
export function attackMatrix(): Matrix {
  const row = (name: AttackName) => Object.fromEntries(places.map((place) => [place, runAttack(name, place)]));
  return Object.fromEntries((Object.keys(attacks) as AttackName[]).map((name) => [name, row(name)])) as Matrix;
}

/** One line per attack, one column per place. @public for reports */
export function formatMatrix(matrix: Matrix): string {
  const cell = ({ succeeds, ends }: AttackOutcome) => `${succeeds ? 'succeeds' : 'blocked'}${ends === 'nothing' ? '' : `, ${ends} ends`}`;
  const rows = [['', ...places], ...Object.entries(matrix).map(([name, row]) => [name, ...places.map((place) => cell(row[place]))])];
  const widths = places.map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length)));
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
