import type { Mechanism, Waiting } from '@rpal/compare';
import { rpal } from '@rpal/rpal-core';
import { figureOf } from '../compare/compare-text.js';
import { checkWorkload, measureRow, type WorkloadName, whyNot } from '../compare/comparison.js';
import { builtIn, mechanismNamed } from '../compare/mechanism-loader.js';
import { isModule } from '../module-loader.js';
import { loadPlugins } from '../plugin-loader.js';
import { BenchmarkFailure, runRfcBenchmark } from '../rfc-benchmark.js';
import { oneOf, UsageError, wholeNumber } from '../usage.js';
import { machineOf, machineParameters, type Parameter, repairOf, type Settings } from './parameters.js';

/** The result of one point: figures by name, with the unit in brackets. */
export type Figures = Readonly<Record<string, number | string>>;

/** Something that can be run again and again with other settings. A point's figures depend on its settings and on nothing else. */
export interface Experiment {
  readonly name: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Whether these settings fit together. @throws UsageError */
  check(settings: Settings): void;
  /** @param directory where plugins are looked for */
  run(settings: Settings, directory: string): Promise<Figures>;
}

async function pluginsOf({ plugin }: Settings, directory: string) {
  return plugin === 'none' ? [] : await loadPlugins([String(plugin)], directory);
}

/** The RFC's own benchmark. */
const rfc: Experiment = {
  name: 'rfc',
  parameters: {
    messages: { help: 'messages per phase', standard: 10_000, parse: wholeNumber('messages', 1, 100_000_000, 'messages') },
    size: { help: 'bytes per message, 18 to 1024', standard: 32, parse: wholeNumber('size', 18, 1024, 'bytes') },
    phase: { help: 'epoll, rpal or both', standard: 'both', parse: oneOf('phase', ['epoll', 'rpal', 'both']) },
    ...machineParameters,
  },
  check: (settings) => {
    machineOf(settings);
  },
  async run(settings, directory) {
    const { machine, placement } = machineOf(settings);
    const { phase } = settings;
    const own = phase === 'epoll' ? [] : [rpal({ repair: repairOf(settings) })];
    const { phases, fingerprint } = runRfcBenchmark({
      machine: { ...machine, plugins: [...own, ...(await pluginsOf(settings, directory))] },
      placement,
      messages: settings.messages as number,
      size: settings.size as number,
      phases: phase === 'both' ? ['epoll', 'rpal'] : [phase as 'epoll' | 'rpal'],
    });
    const figures: Record<string, number | string> = {};
    for (const { phase: name, totalCycles, messages, unbalanced, back } of phases) {
      if (unbalanced !== 0) throw new BenchmarkFailure(`the ${name} phase's steps do not add up for ${unbalanced} of ${messages} messages`);
      figures[`${name} [cycles]`] = totalCycles / messages;
      figures[`${name} round trip [cycles]`] = (totalCycles + back.total) / messages;
    }
    const [epoll, calls] = [figures['epoll [cycles]'], figures['rpal [cycles]']];
    if (typeof epoll === 'number' && typeof calls === 'number') figures['ratio [x]'] = epoll / calls;
    return { ...figures, fingerprint };
  },
};

/** One mechanism of `rpal-bench compare`. */
const compare: Experiment = {
  name: 'compare',
  parameters: {
    mechanism: {
      help: 'as in compare --list',
      standard: 'pipe',
      parse: (word) => (isModule(word) ? word : builtIn(word).name),
    },
    workload: {
      help: 'ping-pong, stream, batch, request or fan-in',
      standard: 'ping-pong',
      parse: oneOf('workload', ['ping-pong', 'stream', 'batch', 'request', 'fan-in']),
    },
    size: { help: 'bytes per message, 1 to 1048576', standard: 32, parse: wholeNumber('size', 1, 1_048_576, 'bytes') },
    messages: { help: 'messages', standard: 1000, parse: wholeNumber('messages', 1, 10_000_000, 'messages') },
    waiting: { help: 'own, sleep or poll', standard: 'own', parse: oneOf('waiting', ['own', 'sleep', 'poll']) },
    handler: { help: 'TSC cycles of the server per request', standard: 0, parse: wholeNumber('handler', 0, 1e9, 'cycles') },
    calls: { help: 'system calls of the server per request', standard: 0, parse: wholeNumber('calls', 0, 1000, 'calls') },
    depth: { help: 'requests of a batch', standard: 10, parse: wholeNumber('depth', 1, 10_000, 'requests') },
    clients: { help: 'clients of fan-in', standard: 4, parse: wholeNumber('clients', 1, 255, 'clients') },
    ...machineParameters,
  },
  check(settings) {
    machineOf(settings);
    // What a file exports is known when it is loaded.
    if (isModule(String(settings.mechanism))) return;
    const { mechanism, compareSettings, size } = comparisonOf(settings, builtIn(String(settings.mechanism)));
    checkWorkload(compareSettings);
    const why = whyNot(mechanism, compareSettings, size);
    if (why !== null) throw new UsageError(`${mechanism.name} ${why}`);
  },
  async run(settings, directory) {
    const named = await mechanismNamed(String(settings.mechanism), directory);
    const { mechanism, compareSettings, size } = comparisonOf(settings, named);
    const row = measureRow(mechanism, compareSettings, size, await pluginsOf(settings, directory));
    const counts = Object.entries(row.counts).map(([what, count]) => [`${what} [per message]`, count as number]);
    return {
      [row.interval === null ? 'one way [cycles]' : 'interval [cycles]']: figureOf(row),
      ...(row.roundTrip === null ? {} : { 'round trip [cycles]': row.roundTrip }),
      'busy [cycles]': row.busy,
      ...(Object.fromEntries(counts) as Record<string, number>),
      fingerprint: row.fingerprint,
    };
  },
};

function comparisonOf(settings: Settings, found: Mechanism) {
  const { machine, placement } = machineOf(settings);
  const mechanism = found.name.startsWith('rpal') ? { ...found, plugins: () => [rpal({ repair: repairOf(settings) })] } : found;
  const size = settings.size as number;
  const compareSettings = {
    mechanisms: [mechanism],
    workload: settings.workload as WorkloadName,
    sizes: [size],
    messages: settings.messages as number,
    ...machine,
    placement,
    waiting: settings.waiting as Waiting | 'own',
    handlerCycles: settings.handler as number,
    handlerCalls: settings.calls as number,
    depth: settings.depth as number,
    clients: settings.clients as number,
  };
  return { mechanism, compareSettings, size };
}

/** What can be swept. */
export const experiments: readonly Experiment[] = [rfc, compare];

/** @throws UsageError with the names that there are */
export function experimentNamed(name: string): Experiment {
  const found = experiments.find((experiment) => experiment.name === name);
  if (found === undefined) {
    throw new UsageError(`an experiment is one of ${experiments.map((each) => each.name).join(', ')}; "${name}" is none of them`);
  }
  return found;
}
