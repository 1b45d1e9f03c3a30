import { textTable } from '../../report/text-table.js';
import type { GrowthLine } from './line.js';
import type { SizeResult } from './measure.js';

/** A line as it was measured. */
export interface GrowthResult {
  readonly line: GrowthLine;
  readonly sizes: readonly SizeResult[];
}

/** Every size is within its law, and each further object takes no more memory than allowed. */
export function keepsLaw({ line, sizes }: GrowthResult): boolean {
  return sizes.every(({ ns, bound, bytes }) => ns <= bound && (bytes === null || bytes <= (line.memory as number)));
}

/** For people. */
export function renderGrowth(results: readonly GrowthResult[]): string {
  const rows = results.flatMap((result) => {
    const { line, sizes } = result;
    return sizes.map(({ size, ns, bound, bytes }, at) => [
      at === 0 ? line.name : '',
      at === 0 ? line.operation : '',
      `${size}`,
      ns.toFixed(0),
      (ns / (sizes[0] as SizeResult).ns).toFixed(2),
      bound.toFixed(0),
      bytes === null ? '' : `${bytes.toFixed(0)} of ${line.memory}`,
      at === 0 ? line.law.name : '',
      ns > bound || (bytes !== null && bytes > (line.memory as number)) ? 'missed' : 'kept',
    ]);
  });
  const head = ['what there is', 'operation', 'of them', 'ns each', 'x first', 'bound in ns', 'bytes for each more', 'law', ''];
  const whys = new Map(results.flatMap(({ line: { law } }) => (law.why === undefined ? [] : [[law.name, law.why] as const])));
  const laws = [...whys].map(([name, why]) => `${name}: ${why}.`);
  const text = [
    textTable(head, rows),
    '',
    'The second percentile of short slices of each size in turn, in one process for each kind. The bound is twice what the law gives from the cheapest size.',
    ...laws,
  ];
  return `${text.join('\n')}\n`;
}
