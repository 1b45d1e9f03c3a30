import type { CostLevel } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { Command, Option } from 'commander';
import { createColors } from 'picocolors';
import type { Io } from './io.js';
import { JSON_HELP, JsonOutput } from './json-output.js';
import { costsOption, idleOption, option, placementOption, pluginOption, profileOption, seedOption } from './machine-options.js';
import { checkApart, OutputFile, tellWritten } from './output-file.js';
import { loadPlugins } from './plugin-loader.js';
import { profileWord } from './profile-file.js';
import { Progress } from './progress.js';
import { commandLine, envelope } from './report/envelope.js';
import { whole } from './report/numbers.js';
import { drawRfc } from './report/rfc-svg.js';
import { renderRfc, rfcLines } from './report/rfc-text.js';
import type { Phase, Placement } from './rfc-benchmark.js';
import { runRfc } from './rfc-run.js';
import { checkPlace, type RfcSettings } from './rfc-settings.js';
import { decimalNumber, ExitCode, oneOf, wholeNumber } from './usage.js';

interface Flags {
  readonly messages: number;
  readonly size: number;
  readonly phase: Phase | 'both';
  readonly profile: RfcSettings['profile'];
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  readonly coreClock?: number;
  readonly syncWakeUps: 'yes' | 'no';
  readonly seed: number;
  readonly build: 'O0' | 'O2';
  readonly steps: number;
  readonly plugin: readonly string[];
  readonly svg?: string;
  readonly json?: string;
}

const CONDITIONS = `
The RFC pins nothing and says nothing of idle states. The defaults are what its set-up leads to: each process waits for the
other, so a CPU is idle at every wake-up; Linux puts a woken task on an idle CPU that shares a cache with its waker, so the two
end up on two CPUs of one socket; and the gaps are longer than the 4 us from which on the idle governor takes C1E.
With --placement same-cpu nothing is idle, and the epoll phase costs about half.`;

const EXITS = `
Exit codes: 0 done; 1 the run failed; 2 wrong use, nothing was run; 130 interrupted by Ctrl-C: what is printed and written is
partial and says so. The same settings give the same result, to the last digit, on every computer.`;

/** `rpal-bench rfc`. @param done receives the exit code */
export function rfcCommand(io: Io, done: (code: number) => void): Command {
  return new Command('rfc')
    .description(
      "The RFC's own benchmark: a client sends messages with its time stamp to a server, first through a Unix stream socket and epoll, then through RPAL; the latency is what passes from the client's stamp to the server's.",
    )
    .addOption(option('--messages <n>', 'messages per phase', wholeNumber('--messages', 1, 100_000_000, 'messages')).default(1_000_000))
    .addOption(
      option('--size <bytes>', 'bytes per message, 18 to 1024; the stamp takes 18', wholeNumber('--size', 18, 1024, 'bytes')).default(32),
    )
    .addOption(
      option(
        '--phase <name>',
        'epoll, rpal or both; with epoll alone the machine has no RPAL in it',
        oneOf('--phase', ['epoll', 'rpal', 'both']),
      ).default('both', 'both'),
    )
    .addOption(profileOption())
    .addOption(placementOption())
    .addOption(idleOption())
    .addOption(costsOption())
    .addOption(
      option(
        '--core-clock <ghz>',
        "core clock in GHz, in place of the profile's range; the TSC keeps its own",
        decimalNumber('--core-clock', 0.5, 8, 'GHz'),
      ),
    )
    .addOption(
      option(
        '--sync-wake-ups <yes|no>',
        'epoll wakes its waiters synchronously, as Linux does since 6.13',
        oneOf('--sync-wake-ups', ['yes', 'no']),
      ).default('yes', 'yes'),
    )
    .addOption(
      option(
        '--build <level>',
        "how RPAL's library was compiled: O0, without optimisation, as the RFC's sample, or O2",
        oneOf('--build', ['O0', 'O2']),
      ).default('O0', 'O0'),
    )
    .addOption(seedOption())
    .addOption(option('--steps <n|all>', 'how many steps of each phase to list', stepsToList).default(10))
    .addOption(pluginOption())
    .addOption(new Option('--svg <file>', 'draw where the cycles went to a file'))
    .addOption(new Option('--json <file>', JSON_HELP))
    .addHelpText('after', `${CONDITIONS}\n${EXITS}`)
    .action(async (flags: Flags) => done(await rfc(flags, io)));
}

function stepsToList(text: string): number {
  return text.toLowerCase() === 'all' ? Number.POSITIVE_INFINITY : wholeNumber('--steps', 0, 1000, 'steps (or all)')(text);
}

async function rfc(flags: Flags, io: Io): Promise<number> {
  const settings: RfcSettings = {
    messages: flags.messages,
    size: flags.size,
    phases: flags.phase === 'both' ? ['epoll', 'rpal'] : [flags.phase],
    profile: flags.profile,
    placement: flags.placement,
    idle: flags.idle,
    costs: flags.costs,
    coreGHz: flags.coreClock,
    synchronousWakeUps: flags.syncWakeUps === 'yes',
    seed: flags.seed,
    build: flags.build,
    plugins: await loadPlugins(flags.plugin, io.directory),
  };
  checkPlace(settings);
  const json = new JsonOutput(flags.json, io);
  const svg = flags.svg === undefined ? undefined : new OutputFile('--svg', flags.svg);
  checkApart(json, svg);
  const progress = new Progress(io);
  const report = await runRfc(settings, progress).finally(() => progress.end());
  svg?.write(drawRfc(report));
  const { complete, settings: asked, ...data } = report;
  json.write(envelope({ schema: 'rpal-bench/rfc', version: 3, complete, settings: asked, command: lineOf(flags) }, data));
  const colors = createColors(io.stdout.isTTY === true && io.env.NO_COLOR === undefined);
  const options = { steps: flags.steps, colors };
  if (json.textWanted) {
    io.data.write(rfcLines(report, options));
    io.stdout.write(`\n${renderRfc(report, options)}`);
  }
  tellWritten(io, `${report.phases.map(({ phase, averageCycles }) => `${phase} ${whole(averageCycles)}`).join(', ')} cycles`, svg, json);
  return report.complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

/** The line that makes this again. */
function lineOf(flags: Flags): string {
  const { messages, size, phase, profile, placement, idle, costs, coreClock, syncWakeUps, seed, build, plugin } = flags;
  return commandLine([
    'rfc',
    ...['--messages', String(messages), '--size', String(size), '--phase', phase, '--profile', profileWord(profile)],
    ...['--placement', placement, '--idle', idle.toLowerCase(), '--costs', costs, '--sync-wake-ups', syncWakeUps, '--seed', String(seed)],
    ...(build === 'O0' ? [] : ['--build', build]),
    ...(coreClock === undefined ? [] : ['--core-clock', String(coreClock)]),
    ...plugin.flatMap((each) => ['--plugin', each]),
  ]);
}
