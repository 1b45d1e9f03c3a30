import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { OutputFile } from '../output-file.js';
import { Progress } from '../progress.js';
import { commandLine } from '../report/envelope.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { collect, STANDARD_EFFORT } from './collect.js';
import { reportPage } from './page.js';

interface Flags {
  readonly out: string;
  readonly messages: number;
}

/** `rpal-bench report`: all that the model says of RPAL, on one page. @param done receives the exit code */
export function reportCommand(io: Io, done: (code: number) => void): Command {
  return new Command('report')
    .description(
      'Writes one page about RPAL that needs nothing else: the answer, conditions, sensitivity, mechanisms, where RPAL loses, predictions, and the reviewers answered. Takes a minute or two.',
    )
    .requiredOption('--out <file>', 'a page of HTML')
    .addOption(
      new Option('--messages <n>', "messages of the RFC's benchmark per condition")
        .argParser(wholeNumber('--messages', 100, 1_000_000, 'messages'))
        .default(STANDARD_EFFORT.messages),
    )
    .action(async (flags: Flags) => done(await report(flags, io)));
}

async function report({ out, messages }: Flags, io: Io): Promise<number> {
  if (!/\.html?$/i.test(out)) throw new UsageError(`--out takes the name of a page that ends in .html; "${out}" does not`);
  const file = new OutputFile('--out', out);
  const progress = new Progress(io);
  const found = await collect({ ...STANDARD_EFFORT, messages }, (phase, at, all) => {
    progress.show(phase, at, all);
    return !progress.interrupted;
  }).finally(() => progress.end());
  if (found === null) {
    io.stderr.write('interrupted: nothing was written\n');
    return ExitCode.INTERRUPTED;
  }
  file.write(reportPage(found, commandLine(['report', '--out', 'report.html', '--messages', String(messages)])));
  io.stderr.write(
    `${found.conditions.length} conditions, ${found.apart.rows.length} mechanisms, ${found.asked.length} questions; wrote ${file.path}\n`,
  );
  return ExitCode.OK;
}
