#!/usr/bin/env node
// Writes what count.sh has counted as JSON: `node scripts/kernel-counts/collect.mjs KERNEL FILE.tsv... > counts.json`.
import { readFileSync } from 'node:fs';

const USAGE = 'usage: node scripts/kernel-counts/collect.mjs KERNEL FILE.tsv...   (KERNEL: what counts are of, as `uname -rv` says)';
/** Stands in for one instruction that the emulator does not execute rightly. */
const SUBSTITUTE = 'this_cpu_cmpxchg16b_emu';

const [kernel, ...files] = process.argv.slice(2);
if (kernel === undefined || files.length === 0) {
  console.error(USAGE);
  process.exit(2);
}

/** The operations of a file, with what its median iterations spent in the substitute. */
function operationsOf(text) {
  const operations = [];
  for (const line of text.split('\n')) {
    const fields = line.split('\t');
    if (fields[0] === 'OP') {
      const [median, low, high, , selected] = fields.slice(2, 7).map(Number);
      operations.push({ name: fields[8], median, low, high, selected, substitute: 0 });
    } else if (fields[0] === 'N' && fields[1].endsWith(SUBSTITUTE)) {
      operations.at(-1).substitute += Number(fields[2]);
    }
  }
  return operations;
}

const operations = files.flatMap((file) => operationsOf(readFileSync(file, 'utf8')));
const rows = operations.map(({ name, median, low, high, selected, substitute }) => {
  const without = Math.round(substitute / selected);
  return [name, median - without, low - without, high - without];
});
console.log(`{
  "kernel": ${JSON.stringify(kernel)},
  "command": "scripts/kernel-counts/count.sh",
  "columns": ["operation", "instructions (median)", "fewest", "most"],
  "operations": [
${rows.map((row) => `    [${row.map((value) => JSON.stringify(value)).join(', ')}]`).join(',\n')}
  ]
}`);
