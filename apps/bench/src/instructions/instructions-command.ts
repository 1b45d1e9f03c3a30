import { setImmediate as breathe } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { Progress } from '../progress.js';
import { COLUMNS, wrapped } from '../report/columns.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { ExitCode, UsageError } from '../usage.js';
import { agreeing, COUNTED_KERNEL, type Compared, compared, operations } from './comparison.js';

const instructions = z.number().int().describe('instructions');

/** What `instructions --json` writes. */
export const instructionsJson = envelopeOf(
  'instructions',
  1,
  z.strictObject({ of: z.string().nullable().describe('only operations with this text in their names; null: all') }),
  z.strictObject({
    kernel: z.string().describe('what was counted'),
    operations: z.array(
      z.strictObject({
        name: z.string(),
        counted: instructions.describe('the median of the executions'),
        fewest: instructions,
        most: instructions,
        booked: instructions.describe('by the model'),
        relativeError: z.number().describe('of the booked from the counted'),
        why: z.string().nullable().describe('why they differ by more than a tenth, where that is known'),
      }),
    ),
  }),
);

interface Flags {
  readonly of?: string;
  readonly json?: string;
}

/** `rpal-bench instructions`: what the model books beside what was counted on a real kernel. @param done receives the exit code */
export function instructionsCommand(io: Io, done: (code: number) => void): Command {
  return new Command('instructions')
    .description('Instructions that the model books for single operations, beside those counted on a real kernel.')
    .option('--of <text>', 'only operations with this text in their names, such as "pipe"')
    .option('--json <file>', JSON_HELP)
    .action(async ({ of, json }: Flags) => {
      const chosen = of === undefined ? operations : operations.filter(({ name }) => name.includes(of));
      if (chosen.length === 0) throw new UsageError(`--of: no operation has "${of}" in its name; without --of all are listed`);
      const output = new JsonOutput(json, io);
      const progress = new Progress(io);
      try {
        const rows: Compared[] = [];
        for (const [index, operation] of chosen.entries()) {
          progress.show(operation.name, index, chosen.length);
          await breathe();
          if (progress.interrupted) break;
          const row = compared(operation);
          if (row !== null) rows.push(row);
        }
        const complete = !progress.interrupted;
        const command = commandLine(['instructions', ...(of === undefined ? [] : ['--of', of])]);
        const data = { kernel: COUNTED_KERNEL, operations: rows };
        output.write(envelope({ schema: 'rpal-bench/instructions', version: 1, complete, settings: { of: of ?? null }, command }, data));
        if (output.textWanted) io.stdout.write(`${complete ? '' : 'PARTIAL RESULT, interrupted.\n\n'}${render(rows)}`);
        done(complete ? ExitCode.OK : ExitCode.INTERRUPTED);
      } finally {
        progress.end();
      }
    });
}

/** The table as text; reasons below it, under numbers. */
export function render(rows: readonly Compared[]): string {
  const reasons = [...new Set(rows.flatMap(({ why }) => why ?? []))];
  const cells = rows.map(({ name, counted, fewest, most, booked, relativeError, why }) => [
    name,
    String(counted),
    fewest === counted && most === counted ? '' : `${fewest} .. ${most}`,
    String(booked),
    `${relativeError >= 0 ? '+' : ''}${(100 * relativeError).toFixed(0)} %`,
    why === null ? '' : String(reasons.indexOf(why) + 1),
  ]);
  const head = ['instructions', 'counted', 'fewest .. most', 'model', 'error', 'why'];
  const notes = reasons.map((reason, index) => wrapped(`${index + 1}: ${reason}`, COLUMNS - 2).join('\n     '));
  return `Counted on Linux ${COUNTED_KERNEL}, one CPU, mitigations off

${textTable(head, cells)}

${notes.map((note) => `  ${note}\n`).join('')}${notes.length > 0 ? '\n' : ''}${agreeing(rows)} of ${rows.length} operations within 10 %
`;
}
