import { setImmediate as breathe } from 'node:timers/promises';
import {
  byChance,
  defects,
  exhaustive,
  fixesNumbered,
  invariants,
  type Recording,
  type RunResult,
  repairNamed,
  type Scenario,
  type Search,
  type SearchResult,
  scenarioNamed,
  scenarios,
  shortestOf,
} from '@rpal/explore';
import { quirkNames, quirks, raceFixes } from '@rpal/rpal-core';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { tellWritten } from '../output-file.js';
import { Progress, type Watcher } from '../progress.js';
import { commandLine, envelope } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { ExitCode, oneOf, UsageError, wholeNumber } from '../usage.js';
import { parsed } from './parsed.js';

const STRATEGIES = ['auto', 'dpor', 'pct', 'random'] as const;

interface Flags {
  readonly repair: Recording['repair'];
  readonly without: Recording['without'];
  readonly strategy: (typeof STRATEGIES)[number];
  readonly bound?: number;
  readonly runs?: number;
  readonly seconds: number;
  readonly seed: number;
  readonly json?: string;
}

/** Random runs, if nothing else is said. */
const RANDOM_RUNS = 1000;
/** Runs at most that are spent on making a failing schedule shorter. */
const SHRINK_RUNS = 300;

const HELP = `
The order of steps is the usual one until a search deviates from it: at a deviation, another CPU goes on, an interrupt comes, or
(where the scenario has them) a tick or an NMI.
  dpor    every order, less those that cannot make a difference (dynamic partial-order reduction); first with no deviation, then
          with one, then with any number (and sleep sets, so that no order is run twice); with --bound, one more each time up to it
  pct     random runs by priorities, with up to --bound changes of priority (4 if it is not given)
  random  random runs, step by step
  auto    dpor; if it is not through within half of the time, pct and random in turn
A search that ends by time has covered more on a faster computer; with --runs, and --seconds 0 for no limit, it is the same everywhere.

Exit codes: 0 nothing was found; 1 something was found; 2 wrong use; 130 interrupted by Ctrl-C.`;

/** `rpal-bench explore [scenario]`: searches the interleavings of a small situation for one that breaks an invariant. */
export function exploreCommand(io: Io, done: (code: number) => void): Command {
  return new Command('explore')
    .description(
      'Runs the interleavings of a small situation, step by step, and checks invariants between any two steps. Without a scenario, lists them.',
    )
    .argument('[scenario]', 'name of the situation', parsed(scenarioNamed))
    .addOption(
      new Option('--repair <quirks>', `all, or names with commas between: repair these defects of the series (${quirkNames.join(', ')})`)
        .argParser(parsed(repairNamed))
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '--without <patches>',
        `leave out what these patches do against races: numbers out of ${Object.keys(raceFixes).join(', ')}`,
      )
        .argParser(parsed(fixesNumbered))
        .default([], 'none'),
    )
    .addOption(
      new Option('--strategy <name>', `how to search: ${STRATEGIES.join(', ')}`).argParser(oneOf('--strategy', STRATEGIES)).default('auto'),
    )
    .addOption(
      new Option('--bound <n>', 'dpor: deviations at most in one run; pct: changes of priority').argParser(
        wholeNumber('--bound', 0, 100, 'deviations'),
      ),
    )
    .addOption(
      new Option('--runs <n>', `runs at most; without it, as many as the time allows (dpor), or ${RANDOM_RUNS}`).argParser(
        wholeNumber('--runs', 1, 10_000_000, 'runs'),
      ),
    )
    .addOption(
      new Option('--seconds <n>', 'time for the whole search, 0 for no limit')
        .argParser(wholeNumber('--seconds', 0, 86_400, 'seconds'))
        .default(60),
    )
    .addOption(
      new Option('--seed <n>', 'seed of the first random run').argParser(wholeNumber('--seed', 0, 0xffff_ffff, 'units')).default(1),
    )
    .addHelpText('after', HELP)
    .option('--json <file>', `${JSON_HELP}; \`replay\` takes it`)
    .action(async (scenario: Scenario | undefined, flags: Flags, command: Command) => {
      if (scenario === undefined) {
        const given = command.options.find((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
        if (given !== undefined) throw new UsageError(`${given.long} is for a scenario; \`rpal-bench explore\` lists them`);
        io.stdout.write(`${textTable(['scenario', 'CPUs', 'what happens at the same time'], scenarios.map(rowOf), [0, 2])}\n\n`);
        io.stdout.write(`${textTable(['single defect', 'CPUs', 'its situation'], defects.map(rowOf), [0, 2])}\n`);
        done(ExitCode.OK);
        return;
      }
      if (flags.bound !== undefined && flags.strategy === 'random') {
        throw new UsageError('--bound is for dpor and pct; random runs have no bound');
      }
      done(await explore(io, scenario, flags));
    });
}

function rowOf({ name, cpus, about, ticks = 0, nmis = 0 }: Scenario): string[] {
  const extra = [ticks > 0 ? count(ticks, 'tick') : '', nmis > 0 ? count(nmis, 'NMI') : ''].filter(Boolean).join(', ');
  return [name, String(cpus), extra === '' ? about : `${about} (${extra})`];
}

/** What is wrong in the situation of a single defect, which is named after it. */
function sentenceOf({ name }: Scenario): readonly string[] {
  return quirkNames.filter((quirk) => quirk === name).map((quirk) => quirks[quirk]);
}

/** One search of the plan, and what it came to. */
interface Part {
  readonly strategy: 'dpor' | 'pct' | 'random' | 'pct and random';
  readonly search: Search;
  readonly limit: number;
  result: SearchResult;
}

async function explore(io: Io, scenario: Scenario, flags: Flags): Promise<number> {
  const { repair, without, strategy, bound, seconds, seed } = flags;
  const json = new JsonOutput(flags.json, io);
  const options = { repair, without: [...without] } as Parameters<typeof exhaustive>[1];
  const runs = flags.runs ?? RANDOM_RUNS;
  const part = (name: Part['strategy'], search: Search, limit: number): Part => ({ strategy: name, search, limit, result: NOTHING_YET });
  const dpor = (): Part => {
    const limit = flags.runs ?? Number.POSITIVE_INFINITY;
    return part('dpor', exhaustive(scenario, options, { runs: limit, ...(bound === undefined ? {} : { deviations: bound }) }), limit);
  };
  const chance = (kind: 'pct' | 'random' | 'both'): Part => {
    const search = byChance(scenario, options, {
      runs,
      seed,
      chance: kind,
      ...(bound === undefined || bound === 0 ? {} : { changes: bound }),
    });
    return part(kind === 'both' ? 'pct and random' : kind, search, runs + 1);
  };
  const progress = new Progress(io);
  const time = new Time(seconds);
  const parts: Part[] = [];
  let failure: RunResult | null = null;
  try {
    const first = strategy === 'auto' || strategy === 'dpor' ? dpor() : chance(strategy);
    parts.push(first);
    // A search of every order may have no end: what goes on at random has its half.
    await drive(first, progress, strategy === 'auto' ? time.share(1 / 2) : time);
    failure = first.result.failure;
    const through = first.result.covered >= (bound ?? Number.POSITIVE_INFINITY);
    if (strategy === 'auto' && failure === null && !through && !progress.interrupted) {
      const second = chance('both');
      parts.push(second);
      await drive(second, progress, time.share(1));
      failure = second.result.failure;
    }
  } finally {
    progress.end();
  }
  const { run: shortest, recording: token } = shortestOf(failure, { scenario, repair, without }, SHRINK_RUNS);
  const outcome = {
    searches: parts.map(({ strategy: name, result }) => ({
      strategy: name,
      runs: result.runs,
      steps: result.steps,
      // JSON has no infinity.
      coveredDeviations: name === 'dpor' ? (Number.isFinite(result.covered) ? result.covered : 'all') : null,
    })),
    invariants,
    failure:
      failure === null || shortest === null
        ? null
        : {
            what: shortest.failure,
            token,
            steps: shortest.steps,
            deviations: shortest.deviations.length,
            foundWith: failure.deviations.length,
          },
  };
  const settings = { scenario: scenario.name, repair, without, strategy, bound: bound ?? null, runs: flags.runs ?? null, seconds, seed };
  const complete = !progress.interrupted;
  json.write(envelope({ schema: 'rpal-bench/explore', version: 2, complete, settings, command: lineOf(scenario, flags) }, outcome));
  const lines = [
    ...(progress.interrupted ? ['PARTIAL RESULT, interrupted.', ''] : []),
    `${scenario.name}: ${scenario.about}`,
    ...sentenceOf(scenario).map((sentence) => `  a defect of the series: ${sentence}`),
    `  the series ${inWords(repair, without)}`,
    ...parts.map(({ strategy: name, result, limit }) => `  ${name}: ${covered(name, result, limit)}`),
    '',
    ...(scenario.unchecked === true
      ? ['Nothing is checked: the kernel, or a program, says what is wrong.']
      : ['Checked between any two steps, and at the end of each run', ...invariants.map((text) => `  ${text}`)]),
    '',
  ];
  if (shortest === null || failure === null) {
    lines.push('Nothing was found.');
  } else {
    lines.push(
      `Found: ${shortest.failure}`,
      `  after ${shortest.steps} steps, with ${count(shortest.deviations.length, 'deviation')} from the usual order (found with ${failure.deviations.length})`,
      `  npx rpal-bench replay ${token}`,
    );
  }
  if (json.textWanted) io.stdout.write(`${lines.join('\n')}\n`);
  tellWritten(io, failure === null ? 'nothing was found' : 'something was found', json);
  if (progress.interrupted) return ExitCode.INTERRUPTED;
  return failure === null ? ExitCode.OK : ExitCode.FAILED;
}

/** The line that makes this again. */
function lineOf({ name }: Scenario, { repair, without, strategy, bound, runs, seconds, seed }: Flags): string {
  return commandLine([
    ...['explore', name, '--strategy', strategy, '--seconds', String(seconds), '--seed', String(seed)],
    ...(repair === 'all' ? ['--repair', 'all'] : repair.length > 0 ? ['--repair', repair.join(',')] : []),
    ...(without.length > 0 ? ['--without', without.join(',')] : []),
    ...(bound === undefined ? [] : ['--bound', String(bound)]),
    ...(runs === undefined ? [] : ['--runs', String(runs)]),
  ]);
}

const NOTHING_YET: SearchResult = { failure: null, runs: 0, steps: 0, covered: -1 };

/** What a search has covered, in words. */
function covered(strategy: Part['strategy'], { failure, runs, steps, covered: deviations }: SearchResult, limit: number): string {
  const amount = `${count(runs, 'run')}, ${count(steps, 'step')}`;
  if (failure !== null) return `${amount}, the last of which failed`;
  if (strategy !== 'dpor') return `${amount}${runs < limit ? '; the time was up' : ''}`;
  if (deviations === Number.POSITIVE_INFINITY) return `${amount}: every order of steps that can make a difference`;
  if (deviations < 0) return `${amount}; not even those without deviations are through`;
  return `${amount}: every order of steps that can make a difference, with up to ${count(deviations, 'deviation')} from the usual one; part of those with more`;
}

function count(n: number, what: string): string {
  return `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
}

/** What is done to the series, in words. */
export function inWords(repair: Recording['repair'], without: Recording['without']): string {
  const repaired =
    repair === 'all' ? 'with everything repaired' : repair.length === 0 ? 'as written' : `with ${repair.join(', ')} repaired`;
  return without.length === 0
    ? repaired
    : `${repaired}, without what ${without.map((patch) => `patch ${patch}`).join(', ')} does against races`;
}

/** Drives a search to its end, until the time is up, or until Ctrl-C. */
async function drive(part: Part, watcher: Watcher, time: Time): Promise<void> {
  let shown = performance.now();
  for (;;) {
    const { value, done } = part.search.next();
    part.result = value;
    if (done === true || time.left <= 0) return;
    const now = performance.now();
    if (now - shown < 100) continue;
    shown = now;
    const through = part.strategy === 'dpor' && value.covered >= 0 ? `, all with up to ${count(value.covered, 'deviation')}` : '';
    watcher.show(`${part.strategy}: ${count(value.runs, 'run')}${through}`, time.passed, time.all);
    await breathe();
    if (watcher.interrupted) return;
  }
}

/** The time of a command, of the host. */
class Time {
  /** ms; null: no limit */
  readonly all: number | null;
  readonly #began = performance.now();

  /** @param seconds 0 for no limit */
  constructor(seconds: number) {
    this.all = seconds === 0 ? null : 1000 * seconds;
  }

  /** ms */
  get passed(): number {
    return performance.now() - this.#began;
  }

  /** ms; may be below 0 */
  get left(): number {
    return this.all === null ? Number.POSITIVE_INFINITY : this.all - this.passed;
  }

  /** Until a share of what is left now has passed. */
  share(part: number): Time {
    return new Time(this.all === null ? 0 : Math.max(0.001, part * this.left) / 1000);
  }
}
