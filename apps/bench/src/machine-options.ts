import { profiles } from '@rpal/hw-x86';
import { Option } from 'commander';
import { PLUGIN_SYNTAX } from './plugin-loader.js';
import { DEFAULT_PLACEMENT } from './rfc-benchmark.js';
import { PROFILE_HELP, profileNamed } from './rfc-settings.js';
import { oneOf, wholeNumber } from './usage.js';

/** The options by which commands say on which machine they run: written once, so that they mean the same everywhere. */

/** An option whose value is parsed. */
export function option<T>(flags: string, text: string, parse: (value: string) => T): Option {
  return new Option(flags, text).argParser(parse);
}

/** @param help what else there is to say about it */
export function profileOption(help: string = PROFILE_HELP): Option {
  return option('--profile <name>', help, profileNamed).default(profiles[0], profiles[0]?.name);
}

/** @param who of the two sides, in words */
export function placementOption(who = 'client and server'): Option {
  return option(
    '--placement <where>',
    `CPUs of ${who}: same-cpu, same-socket or cross-socket`,
    oneOf('--placement', ['same-cpu', 'same-socket', 'cross-socket']),
  ).default(DEFAULT_PLACEMENT, DEFAULT_PLACEMENT);
}

const IDLE_STATES = [...new Set(profiles.flatMap(({ idle }) => idle.map(({ name }) => name)))];

/** @param cpus which, in words @param standard the state if none is given */
export function idleOption(cpus = 'idle CPUs', standard: (typeof IDLE_STATES)[number] = 'C1E'): Option {
  const help = `state that ${cpus} go to: ${IDLE_STATES.join(', ').toLowerCase()}`;
  return option('--idle <state>', help, oneOf('--idle', IDLE_STATES)).default(standard, standard.toLowerCase());
}

export function costsOption(): Option {
  const help = 'value of every uncertain step cost: low, central or high';
  return option('--costs <level>', help, oneOf('--costs', ['low', 'central', 'high'])).default('central', 'central');
}

export function seedOption(): Option {
  const help = 'seed of the one random generator, 0 to 4294967295';
  return option('--seed <n>', help, wholeNumber('--seed', 0, 0xffff_ffff, 'units')).default(1);
}

/** Collects an option that may be given several times. */
export function several(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** May be repeated. @param verb what is done with the plugin, in words */
export function pluginOption(verb = 'also plug in'): Option {
  return new Option('--plugin <plugin>', `${verb} ${PLUGIN_SYNTAX}; may be repeated`).argParser(several).default([], 'none');
}
