import { defects } from '@rpal/explore';
import { quirkNames, type RpalOptions } from '@rpal/rpal-core';
import { Command } from 'commander';
import type { Io } from './io.js';
import { OutputFile, tellWritten } from './output-file.js';
import { questions } from './questions/index.js';
import type { Answer, Question } from './questions/question.js';
import { page } from './questions/report/page.js';
import { reviewersReport } from './questions/report/reviewers-report.js';
import { textTable } from './report/text-table.js';
import { ExitCode, UsageError, wholeNumber } from './usage.js';

interface Flags {
  readonly repair?: RpalOptions['repair'];
  readonly report?: string;
}

const AS_WRITTEN = 'the series as written';

/** What no question asks for: the defects of the library above all. */
const SINGLE_DEFECTS = `Of the ${quirkNames.length} known defects of the series ${defects.length} have a situation each: \`rpal-bench explore\` lists them, and \`rpal-bench explore NAME\` runs one.`;

/** `rpal-bench questions`: the list, or a report of all that can be answered. */
export function questionsCommand(io: Io, done: (code: number) => void): Command {
  return new Command('questions')
    .description(
      "The reviewers' objections, and questions that follow from the patches, each with its number. `question N` answers one by running it.",
    )
    .option(
      '--report <file>',
      'run all of them, as written and with everything repaired, and write a report: a page if the name ends in .html, else Markdown',
    )
    .action(({ report }: Flags) => {
      if (report !== undefined && !/\.(html?|md)$/i.test(report)) {
        throw new UsageError(`--report takes the name of a page (.html) or of Markdown (.md); "${report}" is neither`);
      }
      const file = report === undefined ? undefined : new OutputFile('--report', report);
      const rows = questions.map(({ who, question }, index) => [String(index + 1), who, question]);
      if (file !== undefined) {
        const isPage = /\.html?$/i.test(file.path);
        file.write(isPage ? page('RPAL under review', reviewersReport('page')) : reviewersReport('markdown'));
      }
      io.stdout.write(`${textTable(['number', 'who', 'question'], rows, [1, 2])}\n\n${SINGLE_DEFECTS}\n`);
      tellWritten(io, `${questions.length} questions`, file);
      done(ExitCode.OK);
    });
}

/** `rpal-bench question N`: one experiment. */
export function questionCommand(io: Io, done: (code: number) => void): Command {
  return new Command('question')
    .description('Runs the experiment that answers a question: what was asked, what was done, what happened, and what follows.')
    .argument('<number>', 'number of the question', wholeNumber('question', 1, questions.length, 'questions, by number'))
    .option(
      '--repair <quirks>',
      `all, or names with commas between: run it also with these defects repaired (${quirkNames.join(', ')})`,
      quirksToRepair,
    )
    .action((number: number, { repair }: Flags) => {
      const { who, question, ask } = questions[number - 1] as Question;
      const title = `Question ${number} (${who})\n${question}\n`;
      const parts = [title, section(AS_WRITTEN, ask({}))];
      if (repair !== undefined) parts.push(section(`repaired: ${repair === 'all' ? 'all' : repair.join(', ')}`, ask({ repair })));
      io.stdout.write(parts.join(''));
      done(ExitCode.OK);
    });
}

/** Parses `--repair`. */
function quirksToRepair(text: string): NonNullable<RpalOptions['repair']> {
  if (text === 'all') return 'all';
  return text.split(',').map((name) => {
    const quirk = quirkNames.find((known) => known === name);
    if (quirk === undefined)
      throw new UsageError(`--repair takes all, or names out of ${quirkNames.join(', ')}; "${name}" is none of them`);
    return quirk;
  });
}

function section(title: string, { done, happened, verdict }: Answer): string {
  return `\n${title}\n  Done: ${done}\n${happened.map((line) => `    ${line}`).join('\n')}\n  Verdict: ${verdict}\n`;
}
