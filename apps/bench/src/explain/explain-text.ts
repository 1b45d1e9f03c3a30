import type { Stretch, Waterfall } from '@rpal/compare';
import { whole } from '../report/numbers.js';
import { bar, textTable } from '../report/text-table.js';

/** Cells of a bar. */
const BAR = 12;
/** Characters of a step's name that fit into 80 columns with the rest. */
const NAME = 26;

/** `@rpal/sched:switchTo`: `sched: switchTo`, cut if it is long. */
export function stepName(step: string): string {
  const name = step.replace('@rpal/', '').replace(':', ': ');
  return name.length <= NAME ? name : `${name.slice(0, NAME - 1)}~`;
}

/** A message's way as a table, within 80 columns. */
export function renderWaterfall(title: string, conditions: string, { there, back, oneWay, roundTrip, tscGHz }: Waterfall): string {
  const largest = Math.max(...[...there, ...back].map(({ cycles }) => cycles));
  const ns = (cycles: number): string => `${whole(Math.round(cycles))} TSC cycles, ${Math.round(cycles / tscGHz)} ns`;
  return [
    title,
    conditions,
    '',
    `The way there: ${ns(oneWay)}`,
    '',
    table(there, largest),
    '',
    `The way back: ${ns(roundTrip - oneWay)}`,
    '',
    table(back, largest),
    '',
    'By cause',
    '',
    byCause([...there, ...back]),
    '',
    'At: TSC cycles after the client began to send. CPU: where the message is, or -',
    'on its way between two. Nothing is left out: what is listed adds up to the trip.',
    '',
  ].join('\n');
}

function table(stretches: readonly Stretch[], largest: number): string {
  const rows = stretches.map(({ at, cycles, step, cause, cpu }) => [
    whole(Math.round(at)),
    cpu === null ? '-' : String(cpu),
    whole(Math.round(cycles)),
    cause,
    stepName(step),
    bar(cycles / largest, BAR),
  ]);
  return textTable(['at', 'CPU', 'cycles', 'cause', 'step', ''], rows, [3, 4, 5]);
}

function byCause(stretches: readonly Stretch[]): string {
  const sums = new Map<string, number>();
  for (const { cause, cycles } of stretches) sums.set(cause, (sums.get(cause) ?? 0) + cycles);
  const sorted = [...sums].sort(([, a], [, b]) => b - a);
  const all = sorted.reduce((sum, [, cycles]) => sum + cycles, 0);
  return textTable(
    ['cause', 'cycles', 'share', ''],
    sorted.map(([cause, cycles]) => [cause, whole(Math.round(cycles)), `${((100 * cycles) / all).toFixed(1)} %`, bar(cycles / all, 30)]),
    [0, 3],
  );
}
