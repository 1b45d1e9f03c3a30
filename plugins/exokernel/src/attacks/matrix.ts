import { type Attacker, type AttackName, type AttackOutcome, attackers, attacks, runAttack } from './attacks.js';

/** Outcome of each attack by each attacker. @public for reports */
export type Matrix = Readonly<Record<AttackName, Readonly<Record<Attacker, AttackOutcome>>>>;

/** Runs every attack by every attacker, each on a machine of its own. @public for reports */
export function attackMatrix(): Matrix {
  const row = (name: AttackName) => Object.fromEntries(attackers.map((attacker) => [attacker, runAttack(name, attacker)]));
  return Object.fromEntries((Object.keys(attacks) as AttackName[]).map((name) => [name, row(name)])) as Matrix;
}

/** One line per attack, one column per attacker. @public for reports */
export function formatMatrix(matrix: Matrix): string {
  const cell = ({ succeeds, ends }: AttackOutcome) => (succeeds ? 'succeeds' : ends ? 'trapped, it ends' : 'refused');
  const rows = [
    ['', ...attackers],
    ...Object.entries(matrix).map(([name, row]) => [name, ...attackers.map((attacker) => cell(row[attacker]))]),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
