import { STORM_CPUS, STORM_SERVICES } from '@rpal/explore';
import { patches, quirks, type RpalOptions } from '@rpal/rpal-core';
import { escaped } from '../../report/escaped.js';
import { questions } from '../index.js';
import type { Answer, Question } from '../question.js';
import { barsSvg } from './bars-svg.js';
import { everySituation, type Finding, races, SEARCH_RUNS, singleDefects, storms } from './findings.js';
import { statesSvg } from './states-svg.js';

/** What the report is written for: plain text, or a page that shows pictures and folds the long parts. */
export type ReportForm = 'markdown' | 'page';

interface Asked {
  readonly question: Question;
  readonly written: Answer;
  readonly repaired: Answer;
}

const WRITTEN: RpalOptions = {};
const REPAIRED: RpalOptions = { repair: 'all' };

export interface ReportOptions {
  /** The questions to ask; all of them by default. */
  readonly questions?: readonly Question[];
  /** Random runs of each situation of the explorer. 0 leaves the searches out. */
  readonly searchRuns?: number;
}

/** Questions asked, as written and repaired, and the rest of what a reviewer wants to know, as Markdown. Takes minutes. */
export function reviewersReport(form: ReportForm, { questions: chosen = questions, searchRuns = SEARCH_RUNS }: ReportOptions = {}): string {
  const asked = chosen.map((question) => ({ question, written: question.ask(WRITTEN), repaired: question.ask(REPAIRED) }));
  return [
    '# RPAL under review',
    `What reviewers objected to "Run Process As Library" (RFC v2, 35 patches), and what follows from reading it, each answered by running it on an executable model of the series. Every verdict is chosen by what happened in that run. *As written* is the series as posted; *repaired* is the series with all ${Object.keys(quirks).length} defects that look unintended repaired. Cycles are TSC cycles of the modelled machine, the RFC's Xeon Platinum 8336C unless something else is said.`,
    'The verdicts come first, then what a search of interleavings finds, then the experiments one by one. Written by `rpal-bench questions --report`; a single experiment is `rpal-bench question N --repair all`.',
    '## Verdicts',
    verdicts(asked),
    ...(searchRuns === 0 ? [] : ['## What a search of interleavings finds', interleavings(form, searchRuns)]),
    '## Defects of the series, by name',
    'Each is reproduced unless it is repaired: `--repair NAME`. Where something is seen, `rpal-bench explore NAME` runs the situation.',
    defectTable(searchRuns === 0 ? new Map() : singleDefects(searchRuns)),
    '## The patches, and where they are',
    table(
      ['Patch', 'Title', 'What it does', 'File', 'Test'],
      patches.map(({ patch, title, does, file, test }) => [String(patch).padStart(2, '0'), title, does, `\`${file}\``, `\`${test}\``]),
    ),
    '## The experiments',
    ...asked.map((each, index) => experiment(each, index + 1, form)),
  ]
    .join('\n\n')
    .concat('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, '\\|').replace(/\n/g, ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param seen what is seen in a defect's situation, by its name */
function defectTable(seen: ReadonlyMap<string, string>): string {
  return table(
    ['Name', 'What the series does', 'Seen'],
    Object.entries(quirks).map(([name, line]) => [`\`${name}\``, line, seen.get(name) ?? '']),
  );
}

function same(a: Answer, b: Answer): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function verdicts(asked: readonly Asked[]): string {
  return table(
    ['', 'Who', 'Question', 'As written', 'Repaired'],
    asked.map(({ question: { who, question }, written, repaired }, index) => [
      `[${index + 1}](#question-${index + 1})`,
      who,
      question,
      written.verdict,
      repaired.verdict === written.verdict ? 'the same' : repaired.verdict,
    ]),
  );
}

function interleavings(form: ReportForm, searchRuns: number): string {
  const written = everySituation([], searchRuns);
  const repaired = everySituation('all', searchRuns);
  const stormy = [storms([]), storms('all')] as const;
  const outcome = ({ failure, runs }: Finding): string => failure ?? `nothing in ${runs} runs`;
  return [
    `Small situations are run step by step in many orders, bounded here to a few seconds each: nothing found is no proof, what is found can be replayed (\`rpal-bench replay RECORDING\`). \`rpal-bench explore SCENARIO\` searches longer, or exhaustively.`,
    table(
      ['Situation', 'As written', 'Replay', 'Repaired'],
      written.map((finding, index) => [
        `**${finding.scenario}**: ${finding.about}`,
        outcome(finding),
        finding.recording === null ? '' : `\`${finding.recording}\``,
        outcome(repaired[index] as Finding),
      ]),
    ),
    `${STORM_SERVICES} services that do everything to each other on ${STORM_CPUS} CPUs, at random: as written, ${said(stormy[0])}; repaired, ${said(stormy[1])}.`,
    '### The races that patches close',
    'With the part of one patch left out and everything else repaired:',
    table(
      ['Patch', 'Without it', 'Situation', 'What breaks', 'Replay'],
      races(10 * searchRuns).map(({ patch, without, scenario, failure, runs, recording }) => [
        String(patch),
        without,
        scenario,
        failure ?? `not found in ${runs} runs; \`rpal-bench explore ${scenario} --repair all --without ${patch}\` searches on`,
        recording === null ? '' : `\`${recording}\``,
      ]),
    ),
    ...(form === 'page' ? [`The states of a receiver; numbers are rows of the table of transitions.\n\n${statesSvg()}`] : []),
  ].join('\n\n');
}

function said({ steps, words, failure }: ReturnType<typeof storms>): string {
  return failure === null ? `${steps} steps and ${words} words passed on, and nothing wrong` : `after ${steps} steps, ${failure}`;
}

function experiment({ question: { who, question }, written, repaired }: Asked, number: number, form: ReportForm): string {
  const parts = [answer('As written', written, form)];
  if (same(written, repaired)) parts.push('With everything repaired the outcome is the same.');
  else parts.push(answer('Repaired', repaired, form));
  const title = `${number}. ${question}`;
  if (form === 'markdown') return [`<a id="question-${number}"></a>`, `### ${title}`, `*${who}*`, ...parts].join('\n\n');
  return `<details id="question-${number}"><summary>${number}. ${escaped(question)} <em>${escaped(who)}</em></summary>\n\n${parts.join('\n\n')}\n\n</details>`;
}

function answer(title: string, { done, happened, verdict, bars }: Answer, form: ReportForm): string {
  const picture = form === 'page' && bars !== undefined ? [barsSvg(bars)] : [];
  return [`**${title}.** ${done}`, ...picture, `\`\`\`text\n${happened.join('\n')}\n\`\`\``, `**Verdict:** ${verdict}`].join('\n\n');
}
