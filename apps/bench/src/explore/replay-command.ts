import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type CpuPicture,
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
import type { Cpu } from '@rpal/hw-x86';
import { receiverRows, senderRows, type TransitionRow } from '@rpal/rpal-core';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { inWords } from './explore-command.js';
import { inStepWords } from './step-words.js';

interface Flags {
  readonly beyond: number;
  readonly then: Recording['deviations'];
  readonly brief: boolean;
}

const HELP = `
Each paragraph is a step: whose it is (with a * where the order leaves the usual one), and what it does, in words, with the function and the
patch that does it. Below that, where it has changed: for each CPU whose kernel context is current, whose code it executes in user mode and
with which PKRU (task > code, pkru), or the point in the kernel at which it is held; for each receiver its state and that of its caller; and the
rows of the state tables that were taken (r3: row 3 of the receiver's, s2: row 2 of the sender's).

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
  const { platform, bus } = run.stage.machine;
  const out = (line: string): void => {
    io.stdout.write(`${line}\n`);
  };
  out(`${scenario.name}: ${scenario.about}`);
  out(`  the series ${inWords(repair, without)}; ${all.length} deviations from the usual order`);
  out('');

  const shown = new Changes();
  const work = new Work(platform.cpus);
  let wrong: string | null = null;
  const rows: string[] = [];
  let pending: (() => void) | null = null;
  const { rpalReceiverState, rpalSenderState } = bus.events;
  const inWordsOf = (row: TransitionRow | undefined): string => `${row?.from} -> ${row?.to}, ${row?.who}`;
  rpalReceiverState.on('replay', (_cpu, _time, _rcc, row) => rows.push(`r${row}: ${inWordsOf(receiverRows[row])}`));
  rpalSenderState.on('replay', (_cpu, _time, _rcc, row) => rows.push(`s${row}: ${inWordsOf(senderRows[row])}`));
  const settle = (): void => {
    pending?.();
    pending = null;
    if (run.failure !== null && wrong === null) {
      wrong = run.failure;
      out(`        WRONG: ${wrong}`);
    }
  };
  run.observer = (choice, deviates) => {
    settle();
    const at = run.schedule.length;
    pending = () => {
      const changes = shown.of(pictureOf(run));
      const done = work.done();
      if (brief && changes.length === 0 && rows.length === 0 && !deviates) return;
      out(`${String(at).padStart(5)}${deviates ? ' * ' : '   '}${describeChoice(choice, platform.cpus.length)}`);
      const told = [...done, ...changes, ...rows.splice(0)];
      for (const line of told.length === 0 ? ['the same goes on'] : told) out(`        ${line}`);
    };
  };
  work.done();
  out('start');
  for (const line of shown.of(pictureOf(run))) out(`        ${line}`);
  const result = run.execute(new Exactly(all));
  settle();
  out('');
  out(result.failure === null ? 'As it should be.' : `Wrong: ${result.failure}`);
  return result.failure === null ? ExitCode.OK : ExitCode.FAILED;
}

/** What CPUs have been charged for since it was asked last. */
class Work {
  readonly #cpus: readonly Cpu[];
  readonly #counts = new Map<string, number>();

  constructor(cpus: readonly Cpu[]) {
    this.#cpus = cpus;
  }

  /** Per CPU that has done something, in words. */
  done(): string[] {
    return this.#cpus.flatMap(({ id, ownLedger }) => {
      const names = ownLedger.entries.filter(({ step, count }) => this.#isNew(`${id} ${step.name}`, count)).map(({ step }) => step.name);
      const words = inStepWords(names);
      return words.length === 0 ? [] : [`CPU ${id}: ${words.join('; ')}`];
    });
  }

  #isNew(key: string, count: number): boolean {
    const before = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count);
    return count > before;
  }
}

/** Tells of a picture what is different from the last one. */
class Changes {
  readonly #last = new Map<string, string>();

  of({ cpus, receivers }: Picture): string[] {
    const pictures = [
      ...cpus.map((cpu, id) => [`CPU ${id} is`, cpuInWords(cpu)] as const),
      ...receivers.map(({ name, state, sender, flags }, index) => {
        const set = flags.length === 0 ? '' : ` (${flags.join(', ')})`;
        return [`receiver ${index + 1}, ${name}:`, `${state}, its caller ${sender}${set}`] as const;
      }),
    ];
    return pictures.filter(([what, text]) => this.#last.get(what) !== text && this.#last.set(what, text)).map((parts) => parts.join(' '));
  }
}

function cpuInWords({ task, code, pkru, heldAt }: CpuPicture): string {
  if (heldAt !== null) return `in the kernel for ${task}, held at ${heldAt}`;
  if (task === 'idle') return 'idle';
  const key = pkru.toString(16).padStart(8, '0');
  if (code === null) return `in the kernel for ${task}, PKRU ${key}`;
  return `in user mode: ${code === task ? task : `${task} > ${code}`}, PKRU ${key}`;
}
