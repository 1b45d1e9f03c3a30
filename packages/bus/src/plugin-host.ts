import type { Bus } from './bus.js';
import { returnsEarly } from './combine.js';
import { BusError } from './errors.js';
import { didYouMean } from './nearest.js';
import { type Plugin, type PluginContext, type PluginDefinition, pluginMadeBy } from './plugin.js';
import { shown } from './refusals.js';
import { isInRange, isRange, isVersion } from './version.js';

/** What a host knows besides its plugins. */
export interface PluginHostOptions {
  /** Versions of the packages that plugins may require besides each other, by name. */
  readonly packages?: Readonly<Record<string, string>>;
}

/** Sets plugins up in the order their requirements dictate, and tears them down in reverse. */
export class PluginHost {
  readonly #bus: Bus;
  readonly #packages: Readonly<Record<string, string>>;
  readonly #undo: (() => void)[] = [];
  #order: readonly Plugin[] = [];

  constructor(bus: Bus, { packages = {} }: PluginHostOptions = {}) {
    this.#bus = bus;
    this.#packages = packages;
  }

  /** The plugins in the order in which they were set up. */
  get plugins(): readonly Plugin[] {
    return this.#order;
  }

  /**
   * Checks that the plugins fit together, validates their options, and sets them up.
   * @param extras what the layer that builds the machine adds to each plugin's context
   * @throws BusError naming the plugins and the remedy; nothing stays half set up
   */
  setup(plugins: readonly Plugin[], extras: object = {}): void {
    this.#order = resolve(requirePlugins(plugins), this.#packages);
    const options = this.#order.map(validate);
    this.#order.forEach((plugin, index) => {
      const { name } = plugin.definition;
      const context = {
        ...extras,
        plugin: name,
        hooks: this.#bus.hooks,
        slots: this.#bus.slots,
        events: this.#bus.events,
        bus: this.#bus,
        onTeardown: (undo: () => void) => {
          if (typeof undo !== 'function') throw invalid(name, `gave ${shown(undo)} to onTeardown; give a function`);
          this.#undo.push(undo);
        },
      } as unknown as PluginContext;
      this.#undo.push(() => this.#bus.release(name));
      try {
        const result: unknown = plugin.definition.setup(context, options[index]);
        // If the promise fails, too, this error has said enough.
        if (isThenable(result)) {
          Promise.resolve(result).catch(() => {});
          throw late(name);
        }
      } catch (error) {
        this.teardown();
        if (error instanceof BusError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        throw new BusError('SETUP_FAILED', `plugin "${name}" could not be set up: ${reason}`, { cause: error });
      }
    });
  }

  /** Plugin by plugin, last first: runs what it registered with `onTeardown`, then takes it out of all hooks, slots and events. */
  teardown(): void {
    this.#bus.unseal();
    while (this.#undo.length > 0) this.#undo.pop()?.();
  }
}

function invalid(name: string, what: string): BusError {
  return new BusError('INVALID_PLUGIN', `plugin "${name}" ${what}`);
}

function late(name: string): BusError {
  return invalid(name, 'has an asynchronous setup, which nobody waits for; do without async, and await before the machine is built');
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** What was given as plugins, if plugins it is. */
function requirePlugins(plugins: unknown): readonly Plugin[] {
  if (!Array.isArray(plugins)) {
    throw new BusError('INVALID_PLUGIN', `plugins is ${shown(plugins)}; give an array: [myPlugin()]`);
  }
  for (const [index, given] of plugins.entries()) {
    const place = `plugins[${index}]`;
    if (typeof given === 'function') {
      const name = pluginMadeBy(given);
      const remedy =
        name === undefined ? 'give what definePlugin(...) makes, called' : 'write its name with parentheses: myPlugin() for myPlugin';
      const what = name === undefined ? `is ${shown(given)}` : `is the function that makes plugin "${name}", not called`;
      throw new BusError('INVALID_PLUGIN', `${place} ${what}; ${remedy}`);
    }
    if (typeof given !== 'object' || given === null) {
      throw new BusError('INVALID_PLUGIN', `${place} is ${shown(given)}; give what a function made by definePlugin returns: myPlugin()`);
    }
    if (!('definition' in given)) {
      const remedy =
        'setup' in given ? 'give it to definePlugin and call what that returns' : 'give what a function made by definePlugin returns';
      throw new BusError('INVALID_PLUGIN', `${place} is ${'setup' in given ? 'a definition' : 'no plugin'}; ${remedy}`);
    }
    requireDefinition(place, (given as Plugin).definition);
  }
  return plugins as readonly Plugin[];
}

const KNOWN: readonly (keyof PluginDefinition<unknown>)[] = ['name', 'version', 'requires', 'conflicts', 'provides', 'options', 'setup'];

/** Checks what a type checker would have, for authors who have none. */
function requireDefinition(place: string, definition: PluginDefinition<unknown>): void {
  if (typeof definition !== 'object' || definition === null) {
    throw new BusError(
      'INVALID_PLUGIN',
      `${place} is defined as ${shown(definition)}; give definePlugin an object with name, version, setup`,
    );
  }
  const { name, version, setup, requires = {}, conflicts = [], provides = [], options } = definition;
  if (typeof name !== 'string' || name === '') {
    throw new BusError('INVALID_PLUGIN', `${place} has ${shown(name)} as its name; give the name of its package`);
  }
  for (const key of Object.keys(definition)) {
    if (!(KNOWN as readonly string[]).includes(key)) {
      throw invalid(name, `is defined with "${key}", which means nothing${didYouMean(key, KNOWN) || `; known are ${KNOWN.join(', ')}`}`);
    }
  }
  if (typeof version !== 'string' || !isVersion(version)) {
    throw invalid(name, `has version ${shown(version)}, which is not a semantic version; write it as 1.2.3`);
  }
  if (typeof setup !== 'function') throw invalid(name, `has ${shown(setup)} as setup; give setup(context, options) { ... }`);
  if (returnsEarly(setup)) throw late(name);
  for (const [key, list] of Object.entries({ conflicts, provides })) {
    if (!Array.isArray(list) || list.some((entry) => typeof entry !== 'string')) {
      throw invalid(name, `has ${shown(list)} as ${key}; give an array of names`);
    }
  }
  if (typeof requires !== 'object' || requires === null || Array.isArray(requires)) {
    throw invalid(name, `has ${shown(requires)} as requires; give an object of ranges: { '@rpal/kernel': '^0.1.0' }`);
  }
  for (const [wanted, range] of Object.entries(requires)) {
    if (typeof range !== 'string' || !isRange(range)) {
      throw invalid(name, `requires "${wanted}" in version ${shown(range)}, which is not a range; write it as ^1.2.0`);
    }
  }
  if (options !== undefined && typeof options['~standard']?.validate !== 'function') {
    throw invalid(name, `has ${shown(options)} as options, which is not a Standard Schema; give a schema of zod, valibot or arktype`);
  }
}

/** Orders plugins so that each comes after all it requires; otherwise in the order given. */
function resolve(plugins: readonly Plugin[], packages: Readonly<Record<string, string>>): Plugin[] {
  const providers = new Map<string, Plugin>();
  for (const plugin of plugins) {
    const { name, provides = [] } = plugin.definition;
    if (providers.has(name)) {
      throw new BusError('DUPLICATE_PLUGIN', `plugin "${name}" was given twice; give it once`);
    }
    providers.set(name, plugin);
    for (const capability of provides) if (!providers.has(capability)) providers.set(capability, plugin);
  }
  for (const { definition } of plugins) {
    for (const rival of definition.conflicts ?? []) {
      const other = plugins.find((plugin) => plugin.definition.name !== definition.name && offers(plugin, rival));
      if (other !== undefined) {
        throw new BusError('CONFLICT', `plugin "${definition.name}" cannot share a machine with "${other.definition.name}"; remove one`);
      }
    }
  }
  const done = new Set<Plugin>();
  const order: Plugin[] = [];
  const visit = (plugin: Plugin, path: readonly string[]): void => {
    if (done.has(plugin)) return;
    const { name, requires = {} } = plugin.definition;
    if (path.includes(name)) {
      const cycle = [...path.slice(path.indexOf(name)), name].join(' -> ');
      throw new BusError('REQUIREMENT_CYCLE', `plugins require each other in a circle: ${cycle}; drop one of these requirements`);
    }
    for (const [wanted, range] of Object.entries(requires)) {
      const provider = providers.get(wanted);
      const version = provider?.definition.version ?? packages[wanted];
      if (version === undefined) {
        const others = [...providers.keys(), ...Object.keys(packages)].filter((other) => other !== name);
        const hint = didYouMean(wanted, others) || '; add that plugin';
        throw new BusError('MISSING_REQUIREMENT', `plugin "${name}" requires "${wanted}" ${range}${hint}`);
      }
      if (!isInRange(version, range)) {
        throw new BusError(
          'INCOMPATIBLE_VERSION',
          `plugin "${name}" requires "${wanted}" ${range}, but version ${version} is here; install a version in that range`,
        );
      }
      if (provider !== undefined) visit(provider, [...path, name]);
    }
    done.add(plugin);
    order.push(plugin);
  };
  for (const plugin of plugins) visit(plugin, []);
  return order;
}

/** Answers to `name`: by its own name or as a capability that it provides. */
function offers({ definition }: Plugin, name: string): boolean {
  return definition.name === name || (definition.provides?.includes(name) ?? false);
}

function validate({ definition, input }: Plugin): unknown {
  if (definition.options === undefined) {
    if (typeof input !== 'object' || input === null) {
      throw new BusError('INVALID_OPTIONS', `plugin "${definition.name}" takes no options, but was given ${shown(input)}; leave it out`);
    }
    const names = Object.keys(input);
    if (names.length > 0) {
      throw new BusError(
        'INVALID_OPTIONS',
        `plugin "${definition.name}" takes no options, but was given ${names.join(', ')}; leave them out`,
      );
    }
    return {};
  }
  const result = definition.options['~standard'].validate(input);
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new BusError('INVALID_PLUGIN', `plugin "${definition.name}" validates its options asynchronously; use a synchronous schema`);
  }
  if (result.issues !== undefined) {
    const issues = result.issues.map(({ message, path = [] }) => {
      const where = path.map((part) => (typeof part === 'object' ? String(part.key) : String(part))).join('.');
      return where === '' ? message : `${where}: ${message}`;
    });
    throw new BusError('INVALID_OPTIONS', `plugin "${definition.name}" was given wrong options: ${issues.join('; ')}`);
  }
  return result.value;
}
