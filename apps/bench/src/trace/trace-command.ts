import { type Mechanism, pingPong, type Waiting } from '@rpal/compare';
import type { IdleStateName } from '@rpal/sched';
import { ftraceText, perfettoTrace, Recorder, type Recording, speedscopeTrace } from '@rpal/trace';
import { Command } from 'commander';
import { mechanismNamed } from '../compare/mechanism-loader.js';
import type { Io } from '../io.js';
import { idleOption, option, placementOption, pluginOption, profileOption } from '../machine-options.js';
import { MODULE_SYNTAX } from '../module-loader.js';
import { OutputFile } from '../output-file.js';
import { loadPlugins } from '../plugin-loader.js';
import { whole } from '../report/numbers.js';
import { cpusFor, type Placement } from '../rfc-benchmark.js';
import { checkPlace, type RfcSettings } from '../rfc-settings.js';
import { ExitCode, oneOf, UsageError, wholeNumber } from '../usage.js';

/** What a trace is written for. */
type Format = 'perfetto' | 'ftrace' | 'speedscope';

interface Flags {
  readonly out: string;
  readonly format?: Format;
  readonly messages: number;
  readonly size: number;
  readonly profile: RfcSettings['profile'];
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly plugin: readonly string[];
}

/** How each format is written, and what opens it. */
const FORMATS: Readonly<
  Record<Format, { readonly write: (name: string, recording: Recording) => string | Uint8Array; readonly opens: string }>
> = {
  perfetto: { write: (_name, recording) => perfettoTrace(recording), opens: 'https://ui.perfetto.dev, which keeps it on your computer' },
  ftrace: { write: (_name, recording) => ftraceText(recording), opens: 'any viewer of ftrace text; https://ui.perfetto.dev is one' },
  speedscope: {
    write: (name, recording) => `${JSON.stringify(speedscopeTrace(name, recording))}\n`,
    opens: 'https://www.speedscope.app, or npx speedscope FILE',
  },
};

/** `rpal-bench trace`: what happens while messages go, for trace viewers. @param done receives the exit code */
export function traceCommand(io: Io, done: (code: number) => void): Command {
  return new Command('trace')
    .description(
      'Records what happens while some messages go: who runs where, system calls, wake-ups, interrupts, lazy switches, keys. For Perfetto, as ftrace text, or for speedscope.',
    )
    .argument('<mechanism>', `${MODULE_SYNTAX}, as in compare`)
    .requiredOption('--out <file>', 'where to; .pftrace, .txt and .json say the format')
    .addOption(option('--format <name>', 'perfetto, ftrace or speedscope', oneOf('--format', ['perfetto', 'ftrace', 'speedscope'])))
    .addOption(option('--messages <n>', 'round trips', wholeNumber('--messages', 1, 100_000, 'messages')).default(10))
    .addOption(option('--size <bytes>', 'bytes of a message', wholeNumber('--size', 1, 1 << 20, 'bytes')).default(32))
    .addOption(profileOption())
    .addOption(placementOption())
    .addOption(idleOption())
    .addOption(pluginOption())
    .action(async (mechanism: string, flags: Flags) => done(await trace(await mechanismNamed(mechanism, io.directory), flags, io)));
}

async function trace(mechanism: Mechanism, flags: Flags, io: Io): Promise<number> {
  const { messages, size, profile, placement, idle } = flags;
  const format = flags.format ?? formatOf(flags.out);
  checkPlace(flags);
  const file = new OutputFile('--out', flags.out);
  const recorder = new Recorder();
  pingPong(mechanism, {
    machine: { profile, idle, plugins: [...(await loadPlugins(flags.plugin, io.directory)), recorder.plugin] },
    size,
    cpus: cpusFor(profile, placement),
    waiting: mechanism.waits[0] as Waiting,
    messages,
    warmUp: 10,
    watch: recorder,
  });
  const { recording } = recorder;
  file.write(FORMATS[format].write(`${mechanism.title}, ${placement}`, recording));
  const us = (recording.end - recording.begin) / recording.tscGHz / 1000;
  io.stderr.write(`${whole(recording.events.length)} events of ${us.toFixed(1)} us; wrote ${file.path}, for ${FORMATS[format].opens}\n`);
  return ExitCode.OK;
}

/** By the end of a file's name. @throws UsageError */
function formatOf(name: string): Format {
  if (/\.(pftrace|perfetto-trace|pb)$/i.test(name)) return 'perfetto';
  if (/\.(txt|ftrace)$/i.test(name)) return 'ftrace';
  if (/\.json$/i.test(name)) return 'speedscope';
  throw new UsageError(`--out: the name of the file says the format by .pftrace, .txt or .json; "${name}" does not, so --format has to`);
}
