#!/usr/bin/env node
import './host-engine.js';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { OutputFile } from './output-file.js';
import { apart } from './perf/apart.js';
import { thisComputer } from './perf/computer.js';
import { growthLines } from './perf/growth/loads.js';
import { measureGrowth, type SizeResult } from './perf/growth/measure.js';
import { type GrowthResult, keepsLaw, renderGrowth } from './perf/growth/report.js';
import { type HostTime, TIME_MODEL, timeModel, timeModelApart, undisturbed } from './perf/host-time.js';
import { measureMicro } from './perf/micro.js';
import { RealKernel } from './perf/real-kernel.js';
import { keepsBounds, missedBounds, type PerfResult, type PhaseTimes, renderMicro, renderPerf } from './perf/report.js';
import { Progress } from './progress.js';
import { DEFAULT_PLACEMENT, type Phase, type Placement } from './rfc-benchmark.js';
import { ExitCode, UsageError, wholeNumber } from './usage.js';

interface Flags {
  readonly runs: number;
  readonly messages: number;
  readonly long: boolean;
  readonly micro: boolean;
  readonly growth: boolean;
  readonly json?: string;
  readonly check: boolean;
}

/** Round trips of the real kernel that take about as long as a run of the model. */
const REAL_MESSAGES = 50_000;
/** Runs of each length whose cost per message is compared. */
const LENGTHS = [10_000, 100_000, 1_000_000] as const;
const LONG = 3_000_000;

/** The word that makes `perf` a process that measures one line of the growth. */
const GROWTH_LINE = 'growth-line';

const SCRIPT = fileURLToPath(import.meta.url);

const command = new Command('perf')
  .description(
    'How fast the model runs on this computer: round trips through socket and epoll against the same program on the real kernel, pinned to one CPU, measured in turn; and what the RPAL phase costs beside the epoll phase, memory, and long runs. Times are second percentiles of windows of a millisecond or two, which what else the computer does hardly moves.',
  )
  .option('--runs <n>', 'measurements of each kind', wholeNumber('--runs', 1, 99, 'measurements'), 7)
  .option('--messages <n>', 'messages per measurement of the model', wholeNumber('--messages', 1000, 10_000_000, 'messages'), 200_000)
  .option('--long', `also ${LONG} messages in the comparison of lengths`, false)
  .option('--micro', 'single operations of the model in place of the benchmark', false)
  .option('--growth', 'how operations and memory grow with CPUs, tasks, descriptors, processes, services', false)
  .option('--json <file>', 'write the measurements to a file')
  .option('--check', 'exit code 1 if a bound is missed', false)
  .addHelpText('after', '\nExit codes: 0 done; 1 a bound was missed and --check given, or a measurement failed; 2 wrong use.')
  .allowExcessArguments(false)
  .exitOverride();

/** What is being measured is told at once: it takes minutes. */
function measuring(): Progress {
  return new Progress({ stderr: process.stderr, patience: 0, onInterrupt: () => () => {} });
}

function measureAllGrowth(): readonly GrowthResult[] {
  const progress = measuring();
  try {
    return growthLines.map((line, at) => {
      progress.show(line.name, at, growthLines.length);
      return { line, sizes: apart<readonly SizeResult[]>(SCRIPT, GROWTH_LINE, line.name) };
    });
  } finally {
    progress.end();
  }
}

function measure({ runs, messages, long }: Flags): PerfResult {
  const before = thisComputer();
  const real = RealKernel.build();
  const lengths = long ? [...LENGTHS, LONG] : LENGTHS;
  const progress = measuring();
  let done = 0;
  const step = <T>(what: string, work: () => T): T => {
    progress.show(what, done++, runs * 5 + lengths.length);
    return work();
  };
  try {
    const realRuns: HostTime[] = [];
    const oneCpu: PhaseTimes = { epoll: [], rpal: [] };
    const asRun: PhaseTimes = { epoll: [], rpal: [] };
    for (let run = 0; run < runs; run++) {
      if (typeof real !== 'string') step('real kernel', () => realRuns.push(real.run(REAL_MESSAGES)));
      for (const [times, placement] of [
        [oneCpu, 'same-cpu'],
        [asRun, DEFAULT_PLACEMENT],
      ] as const) {
        step(`epoll, ${placement}`, () => times.epoll.push(timeModelApart(SCRIPT, 'epoll', placement, messages)));
        step(`RPAL, ${placement}`, () => times.rpal.push(timeModelApart(SCRIPT, 'rpal', placement, messages)));
      }
    }
    let longest = 0;
    const byLength = lengths.map((length) => {
      // A short run is over too soon for one to say much, and a long one takes minutes.
      const repeats = length < 100_000 ? 5 : length <= 1_000_000 ? 3 : 1;
      return step(`${length} messages`, () => {
        const times = Array.from({ length: repeats }, () => timeModelApart(SCRIPT, 'epoll', 'same-cpu', length));
        longest = Math.max(longest, ...times.map(({ megabytes }) => megabytes ?? 0));
        return { messages: length, ns: undisturbed(times) };
      });
    });
    return {
      computer: [before, thisComputer()],
      absent: typeof real === 'string' ? real : null,
      compiler: typeof real === 'string' ? null : real.compiler,
      real: realRuns,
      oneCpu,
      asRun,
      byLength,
      peakMegabytes: Math.max(
        longest,
        ...[oneCpu, asRun].flatMap(({ epoll, rpal }) => [...epoll, ...rpal]).map((one) => one.megabytes ?? 0),
      ),
    };
  } finally {
    progress.end();
    if (typeof real !== 'string') real.dispose();
  }
}

function main(args: readonly string[]): number {
  if (args[0] === TIME_MODEL) {
    const [, phase, placement, messages, warmUp] = args;
    const time = timeModel(phase as Phase, placement as Placement, Number(messages), warmUp === undefined ? undefined : Number(warmUp));
    process.stdout.write(JSON.stringify(time));
    return ExitCode.OK;
  }
  if (args[0] === GROWTH_LINE) {
    const line = growthLines.find(({ name }) => name === args[1]);
    if (line !== undefined) process.stdout.write(JSON.stringify(measureGrowth(line)));
    return line === undefined ? ExitCode.USAGE : ExitCode.OK;
  }
  try {
    command.parse(args, { from: 'user' });
    const flags = command.opts<Flags>();
    const file = flags.json === undefined ? null : new OutputFile('--json', flags.json);
    if (flags.micro) {
      const operations = measureMicro();
      process.stdout.write(renderMicro(operations));
      file?.write(`${JSON.stringify(operations, null, 2)}\n`);
      return flags.check && !operations.every(keepsBounds) ? ExitCode.FAILED : ExitCode.OK;
    }
    if (flags.growth) {
      const results = measureAllGrowth();
      process.stdout.write(renderGrowth(results));
      const figures = results.map(({ line: { name, operation, law }, sizes }) => ({ name, operation, law: law.name, sizes }));
      file?.write(`${JSON.stringify(figures, null, 2)}\n`);
      return flags.check && !results.every(keepsLaw) ? ExitCode.FAILED : ExitCode.OK;
    }
    const result = measure(flags);
    process.stdout.write(renderPerf(result));
    file?.write(`${JSON.stringify(result, null, 2)}\n`);
    return flags.check && missedBounds(result).length > 0 ? ExitCode.FAILED : ExitCode.OK;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    process.stderr.write(`perf: ${(error as Error).message}\n`);
    return error instanceof UsageError ? ExitCode.USAGE : ExitCode.FAILED;
  }
}

process.exitCode = main(process.argv.slice(2));
