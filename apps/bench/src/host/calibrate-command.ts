import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { checkApart, OutputFile, tellWritten } from '../output-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { ExitCode } from '../usage.js';
import { type Calibration, calibrate } from './calibration.js';
import { roundsOption } from './host-command.js';
import { type HostSource, hostOption, hostReport, sourceWords } from './host-source.js';
import { circumstances, spreadText } from './host-text.js';

interface Flags extends HostSource {
  readonly out?: string;
  readonly json?: string;
}

/** What `calibrate --json` writes. */
export const calibrationJson = envelopeOf(
  'calibrate',
  1,
  z.strictObject({ host: z.string().nullable().describe('null: measured now'), rounds: z.number().int() }),
  z.strictObject({
    profile: z.record(z.string(), z.unknown()).describe('the content of a profile file'),
    figures: z.array(
      z.strictObject({
        field: z.string().describe('of the profile'),
        unit: z.string(),
        how: z.string().describe('the single steps that it follows from'),
        median: z.number(),
        low: z.number(),
        high: z.number(),
      }),
    ),
    notes: z.array(z.string()).describe('what could not be had, or cannot be said in a profile'),
  }),
);

/** `rpal-bench calibrate`: a profile of this computer. @param done receives the exit code */
export function calibrateCommand(io: Io, done: (code: number) => void): Command {
  return new Command('calibrate')
    .description('A profile of this computer, from single steps that were measured on it; the round trips have no part in it.')
    .addOption(hostOption())
    .addOption(roundsOption())
    .addOption(new Option('--out <file>', 'write the profile to a file, for `--profile` of every command'))
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (flags: Flags) => {
      const output = new JsonOutput(flags.json, io);
      const out = flags.out === undefined ? null : new OutputFile('--out', flags.out);
      checkApart(output, out);
      const progress = new Progress(io);
      const report = await hostReport(flags, io.directory, progress).finally(() => progress.end());
      if (report === null) {
        io.stderr.write('rpal-bench: interrupted; there is no profile\n');
        return done(ExitCode.INTERRUPTED);
      }
      const calibration = calibrate(report);
      const { file, figures, notes } = calibration;
      out?.write(`${JSON.stringify(file, null, 2)}\n`);
      const settings = { host: flags.host ?? null, rounds: flags.rounds };
      const command = commandLine(['calibrate', ...sourceWords(flags)]);
      output.write(
        envelope({ schema: 'rpal-bench/calibrate', version: 1, complete: true, settings, command }, { profile: file, figures, notes }),
      );
      if (output.textWanted) io.stdout.write(`${circumstances(report)}\n${render(calibration)}`);
      tellWritten(io, `${figures.length} figures of this computer`, out, output);
      done(ExitCode.OK);
    });
}

function render({ file, figures, notes }: Calibration): string {
  const rows = figures.map(({ field, unit, how, ...spread }) => [field, ...spreadText(spread), unit, how]);
  return `A profile that extends ${file.extends}

${textTable(['field', 'central', 'low .. high', '', 'from'], rows, [0, 3, 4])}

All else is as in ${file.extends}.
${notes.map((note) => `Note: ${note}\n`).join('')}`;
}
