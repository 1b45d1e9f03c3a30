import type { CostLevel } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, MachineError, type Main, type Process } from '@rpal/kernel';
import type { IdleStateName } from '@rpal/sched';
import { signalName } from '@rpal/uapi';
import { Command } from 'commander';
import type { Io } from '../io.js';
import { costsOption, idleOption, option, pluginOption, profileOption, seedOption } from '../machine-options.js';
import { type Exports, loadModule } from '../module-loader.js';
import { loadPlugins } from '../plugin-loader.js';
import { percent, whole } from '../report/numbers.js';
import { textTable } from '../report/text-table.js';
import type { RfcSettings } from '../rfc-settings.js';
import { decimalNumber, ExitCode, UsageError, wholeNumber } from '../usage.js';

interface Flags {
  readonly profile: RfcSettings['profile'];
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  readonly seed: number;
  readonly seconds: number;
  readonly steps: number;
  readonly plugin: readonly string[];
}

/** How long programs may run, seconds of machine time. */
const STANDARD_SECONDS = 60;

/** `rpal-bench run`: a program of the user's own. @param done receives the exit code */
export function runCommand(io: Io, done: (code: number) => void): Command {
  return new Command('run')
    .description(
      'Runs a program of your own: a file whose default export is a program (function*), or a function that is given the machine and spawns programs. Prints how they ended and the books.',
    )
    .argument('<file>', 'TypeScript or JavaScript')
    .addOption(profileOption())
    .addOption(idleOption())
    .addOption(costsOption())
    .addOption(seedOption())
    .addOption(
      option('--seconds <n>', 'machine time after which programs must have ended', decimalNumber('--seconds', 0, 1e6, 'seconds')).default(
        STANDARD_SECONDS,
      ),
    )
    .addOption(option('--steps <n>', 'how many steps to list', wholeNumber('--steps', 0, 1000, 'steps')).default(15))
    .addOption(pluginOption('plug in'))
    .action(async (file: string, flags: Flags) => done(await runFile(file, flags, io)));
}

async function runFile(file: string, { profile, idle, costs, seed, seconds, steps, plugin }: Flags, io: Io): Promise<number> {
  const begin = startOf(file, await loadModule('run', file, io.directory));
  const machine = createMachine({ profile, idle, costs, seed, plugins: await loadPlugins(plugin, io.directory) });
  const { kernel, platform } = machine;
  const processes = new Set<Process>();
  kernel.seams.events.processExit.on('rpal-bench run', (_time, process) => processes.add(process));
  begin(machine);
  const booted = platform.now;
  const problem = outcomeOf(machine, booted + seconds * 1e9 * profile.clock.tscGHz, seconds);
  for (const process of kernel.processes) processes.add(process);
  if (processes.size === 0)
    throw new UsageError(`"${file}" has spawned no program: machine.spawn(executable('name', function* (p) { ... })) does`);
  io.stdout.write(`${ends(processes)}\n\n${books(machine, booted, steps)}\n`);
  if (problem !== null) io.stderr.write(`rpal-bench: ${problem}\n`);
  const bad = [...processes].some(({ exit }) => exit !== null && exit.signal !== 0);
  return problem === null && !bad ? ExitCode.OK : ExitCode.FAILED;
}

/** What starts what the module exports. @throws UsageError */
function startOf(file: string, { default: exported }: Exports): (machine: Machine) => void {
  if (typeof exported !== 'function') {
    throw new UsageError(`"${file}" has no default export that is a function: export default function* (p) { ... } is a program`);
  }
  const isProgram = exported.constructor.name === 'GeneratorFunction';
  if (!isProgram) return exported as (machine: Machine) => void;
  return (machine) => {
    machine.spawn(executable('program', exported as Main));
  };
}

/** Runs the machine. @returns what went wrong, or null */
function outcomeOf(machine: Machine, until: number, seconds: number): string | null {
  try {
    if (machine.run({ until, deaths: 'report' }) === 'ended') return null;
    const { queue, cpus } = machine.platform;
    // A run that has an end does not say that nothing can happen any more; one without does.
    const stuck = queue.nextTime === Number.POSITIVE_INFINITY && cpus.every(({ halted }) => halted);
    if (stuck && machine.run({ deaths: 'report' }) === 'ended') return null;
    return `programs were still running after ${seconds} s of machine time; --seconds allows more`;
  } catch (error) {
    if (error instanceof MachineError && error.code === 'DEADLOCK') return error.message.replace(/\s*\n\s*/g, '; ');
    throw error;
  }
}

function ends(processes: ReadonlySet<Process>): string {
  const rows = [...processes]
    .sort((a, b) => a.pid - b.pid)
    .map(({ pid, name, exit }) => {
      if (exit === null) return [String(pid), name, 'still running'];
      return [String(pid), name, exit.signal === 0 ? `ended with status ${exit.status}` : `killed by ${signalName(exit.signal)}`];
    });
  return textTable(['pid', 'program', 'end'], rows, [1, 2]);
}

/** What the machine's time was spent on, over all CPUs, but for being idle. */
function books({ platform }: Machine, booted: number, count: number): string {
  const sums = new Map<string, { cause: string; count: number; cycles: number }>();
  for (const { ownLedger } of platform.cpus) {
    for (const { step, count: times, cycles } of ownLedger.entries) {
      if (step.cause === 'idle' && step.name.endsWith(':idle')) continue;
      const sum = sums.get(step.name) ?? { cause: step.cause, count: 0, cycles: 0 };
      sums.set(step.name, { cause: step.cause, count: sum.count + times, cycles: sum.cycles + cycles });
    }
  }
  const all = [...sums].filter(([, { cycles }]) => cycles > 0).sort(([, a], [, b]) => b.cycles - a.cycles);
  const total = all.reduce((sum, [, { cycles }]) => sum + cycles, 0);
  const rows = all
    .slice(0, count)
    .map(([name, { cause, count: times, cycles }]) => [
      whole(Math.round(cycles)),
      percent(cycles / total),
      whole(times),
      cause,
      name.replace('@rpal/', ''),
    ]);
  const { tscGHz } = platform.profile.clock;
  const passed = platform.now - booted;
  return [
    `${whole(Math.round(passed))} TSC cycles of machine time (${whole(Math.round(passed / tscGHz))} ns), ${whole(Math.round(total))} of them at work, on all CPUs`,
    '',
    textTable(['cycles', 'share', 'times', 'cause', 'step'], rows, [3, 4]),
    ...(all.length > count ? [`  and ${all.length - count} steps more; --steps lists them`] : []),
  ].join('\n');
}
