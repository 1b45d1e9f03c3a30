import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Deviation,
  decodeRecording,
  describeChoice,
  deviationsIn,
  type Picture,
  pictureOf,
  type Recording,
  Run,
  type RunResult,
  type Strategy,
} from '@rpal/explore';
import { receiverRows, senderRows, type TransitionRow } from '@rpal/rpal-core';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { inWords } from './explore-command.js';

interface Flags {
  readonly beyond: number;
  readonly then: Recording['deviations'];
  readonly brief: boolean;
}

const HELP = `
Each line is a step: what goes on (with a * where the order leaves the usual one), whose kernel context is current on each CPU, whose code
it executes in user mode and with which PKRU (task > code, pkru), or the point in the kernel at which it is held; then the state of each
receiver and of its caller, and, below, the rows of the state tables that were taken (r3: row 3 of the receiver's, s2: row 2 of the sender's).

Exit codes: 0 the run was as it should be; 1 something was wrong; 2 wrong use.`;

/** `rpal-bench replay`: a schedule that `explore` found, step by step. */
export function replayCommand(io: Io, done: (code: number) => void): Command {
  return new Command('replay')
    .description('Steps through a schedule that `explore` has found, or any other, and shows states, contexts and PKRU at each step.')
    .argument('<recording>', 'what `explore` printed, or the file that `explore --json` wrote')
    .addOption(
      new Option('--beyond <n>', 'go on for so many steps after the first thing that is wrong')
        .argParser(wholeNumber('--beyond', 0, 1_000_000, 'steps'))
        .default(0),
    )
    .addOption(
      new Option('--then <deviations>', 'leave the usual order also at these steps, as step=choice with commas between')
        .argParser(furtherDeviations)
        .default([], 'none'),
    )
    .option('--brief', 'only steps that change something that is shown', false)
    .addHelpText('after', HELP)
    .action((text: string, flags: Flags) => done(replay(io, recordingOf(text, io.directory), flags)));
}

function furtherDeviations(text: string): Recording['deviations'] {
  try {
    return deviationsIn(text);
  } catch {
    throw new UsageError(`--then takes deviations such as 34=0,51=2; "${text}" is none`);
  }
}

/** A recording in a word, or in a file. @throws UsageError if it is neither */
function recordingOf(text: string, directory: string): Recording {
  const path = resolve(directory, text);
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  try {
    return decodeRecording(isFile ? tokenIn(path) : text);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const neither = isFile ? '' : '; nor is there a file of that name';
    throw new UsageError(`"${text}" is not a recording: ${(error as Error).message}${neither}`);
  }
}

function tokenIn(path: string): string {
  const text = readFileSync(path, 'utf8').trim();
  if (!text.startsWith('{')) return text;
  let outcome: { readonly schema?: unknown; readonly data?: { readonly failure?: { readonly token?: unknown } | null } };
  try {
    outcome = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`);
  }
  if (outcome.schema !== 'rpal-bench/explore') throw new UsageError(`${path} was not written by \`rpal-bench explore --json\``);
  if (typeof outcome.data?.failure?.token !== 'string') throw new UsageError(`${path} holds no failure: that exploration found none`);
  return outcome.data.failure.token;
}

/** Leaves the usual order exactly where it is told to. */
class Exactly implements Strategy {
  readonly #left: Map<number, number>;
  #impossible: string | null = null;

  constructor(deviations: readonly Deviation[]) {
    this.#left = new Map(deviations);
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    const at = run.schedule.length;
    const wanted = this.#left.get(at);
    if (wanted === undefined) return usual;
    this.#left.delete(at);
    if (enabled.includes(wanted)) return wanted;
    const cpus = run.stage.machine.platform.cpus.length;
    const possible = enabled.map((choice) => `${choice} (${describeChoice(choice, cpus)})`).join(', ');
    this.#impossible ??= `at step ${at} there is no choice ${wanted}; there are ${possible}`;
    return usual;
  }

  /** @throws UsageError for a deviation that did not come about */
  checkDone({ steps, failure }: RunResult): void {
    if (this.#impossible !== null) throw new UsageError(this.#impossible);
    for (const at of this.#left.keys()) {
      const end = failure === null ? 'ends' : 'goes wrong';
      throw new UsageError(
        at < steps ? `at step ${at} there is nothing to choose` : `there is no step ${at}: the run ${end} after ${steps}`,
      );
    }
  }
}

function replay(io: Io, { scenario, repair, without, deviations }: Recording, { beyond, then, brief }: Flags): number {
  const all = [...deviations, ...then];
  const newRun = (): Run => new Run(scenario, { repair, without: [...without] }, { beyond });
  // Nothing is shown of a schedule that there cannot be.
  const tried = new Exactly(all);
  tried.checkDone(newRun().execute(tried));
  const run = newRun();
  const { cpus } = run.stage.machine.platform;
  const out = (line: string): void => {
    io.stdout.write(`${line}\n`);
  };
  out(`${scenario.name}: ${scenario.about}`);
  out(`  the series ${inWords(repair, without)}; ${all.length} deviations from the usual order`);
  out('');

  let shown = '';
  let wrong: string | null = null;
  const rows: string[] = [];
  let pending: (() => void) | null = null;
  const { rpalReceiverState, rpalSenderState } = run.stage.machine.bus.events;
  const inWordsOf = (row: TransitionRow | undefined): string => `${row?.from} -> ${row?.to}, ${row?.who}`;
  rpalReceiverState.on('replay', (_cpu, _time, _rcc, row) => rows.push(`r${row}: ${inWordsOf(receiverRows[row])}`));
  rpalSenderState.on('replay', (_cpu, _time, _rcc, row) => rows.push(`s${row}: ${inWordsOf(senderRows[row])}`));
  const settle = (): void => {
    pending?.();
    pending = null;
    if (run.failure !== null && wrong === null) {
      wrong = run.failure;
      out(`       WRONG: ${wrong}`);
    }
  };
  run.observer = (choice, deviates) => {
    settle();
    const at = run.schedule.length;
    pending = () => {
      const picture = stateLine(pictureOf(run));
      if (brief && picture === shown && rows.length === 0 && !deviates) return;
      shown = picture;
      out(`${String(at).padStart(5)}${deviates ? ' * ' : '   '}${describeChoice(choice, cpus.length).padEnd(16)} ${picture}`);
      for (const row of rows.splice(0)) out(`          ${row}`);
    };
  };
  out(`start    ${''.padEnd(15)} ${stateLine(pictureOf(run))}`);
  const result = run.execute(new Exactly(all));
  settle();
  out('');
  out(result.failure === null ? 'As it should be.' : `Wrong: ${result.failure}`);
  return result.failure === null ? ExitCode.OK : ExitCode.FAILED;
}

/** A picture in one line. */
function stateLine({ cpus, receivers }: Picture): string {
  const columns = cpus.map(({ task, code, pkru, heldAt }, id) => {
    const where =
      heldAt !== null
        ? `${task} [${heldAt}]`
        : task === 'idle'
          ? 'idle'
          : code === null
            ? `${task} in the kernel`
            : code === task
              ? task
              : `${task} > ${code}`;
    return `CPU ${id}: ${task === 'idle' ? where : `${where} ${pkru.toString(16).padStart(8, '0')}`}`.padEnd(40);
  });
  const states = receivers.map(({ state, sender, flags }) => `${state} / ${sender}${flags.length === 0 ? '' : ` (${flags.join(', ')})`}`);
  return `${columns.join(' ')} ${states.join('; ') || 'no receiver'}`.trimEnd();
}
