import { type AttackName, attacks, type IsolationName, isolationNames, type Outcome, runAttack } from './attacks.js';
import type { CallCost } from './call-cost.js';

/** Outcome of each experiment with each isolation. */
export type Matrix = Readonly<Record<AttackName, Readonly<Record<IsolationName, Outcome>>>>;

/** Runs every experiment with every isolation, each on a machine of its own. */
export function attackMatrix(): Matrix {
  const row = (name: AttackName) => Object.fromEntries(isolationNames.map((isolation) => [isolation, runAttack(name, isolation)]));
  return Object.fromEntries((Object.keys(attacks) as AttackName[]).map((name) => [name, row(name)])) as Matrix;
}

/** One line per experiment, one column per isolation, and what a call costs with it if that was measured. */
export function formatMatrix(matrix: Matrix, costs: readonly CallCost[] = []): string {
  const fate = ({ crashes, hangs }: Outcome) =>
    hangs ? ', victim hangs' : crashes === 'nobody' ? '' : crashes === 'both' ? ', both die' : `, ${crashes} dies`;
  const verdict = (outcome: Outcome) => `${outcome.succeeds ? 'succeeds' : 'blocked'}${fate(outcome)}`;
  const rows = Object.entries(matrix).map(([name, row]) => [name, ...isolationNames.map((isolation) => verdict(row[isolation]))]);
  if (costs.length > 0) {
    const cost = (isolation: IsolationName) => costs.find((entry) => entry.isolation === isolation);
    const cell = (cycles: number | undefined) => (cycles === undefined ? '-' : `${Math.round(cycles)}`);
    rows.push(['cycles of a call', ...isolationNames.map((isolation) => cell(cost(isolation)?.call))]);
    rows.push(['added by isolation', ...isolationNames.map((isolation) => cell(cost(isolation)?.added))]);
  }
  const table = [['', ...isolationNames], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] as string).length))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
