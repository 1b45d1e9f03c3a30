import { satisfies, valid, validRange } from 'semver';
import type { Bus } from './bus.js';
import { BusError } from './errors.js';
import type { Plugin, PluginContext } from './plugin.js';

/** Sets plugins up in the order their requirements dictate, and tears them down in reverse. */
export class PluginHost {
  readonly #bus: Bus;
  readonly #undo: (() => void)[] = [];
  #order: readonly Plugin[] = [];

  constructor(bus: Bus) {
    this.#bus = bus;
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
    this.#order = resolve(plugins);
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
        onTeardown: (undo: () => void) => this.#undo.push(undo),
      } as unknown as PluginContext;
      this.#undo.push(() => this.#bus.release(name));
      try {
        plugin.definition.setup(context, options[index]);
      } catch (error) {
        this.teardown();
        if (error instanceof BusError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        throw new BusError('SETUP_FAILED', `plugin "${name}" could not be set up: ${reason}`, { cause: error });
      }
    });
  }

  /** Plugin by plugin, last first: runs what it registered with `onTeardown`, then takes it out of all hooks and slots. */
  teardown(): void {
    while (this.#undo.length > 0) this.#undo.pop()?.();
  }
}

/** Orders plugins so that each comes after all it requires; otherwise in the order given. */
function resolve(plugins: readonly Plugin[]): Plugin[] {
  const providers = new Map<string, Plugin>();
  for (const plugin of plugins) {
    const { name, version, provides = [] } = plugin.definition;
    if (valid(version) === null) {
      throw new BusError('INVALID_PLUGIN', `plugin "${name}" has version "${version}", which is not a semantic version; write it as 1.2.3`);
    }
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
      if (provider === undefined) {
        throw new BusError('MISSING_REQUIREMENT', `plugin "${name}" requires "${wanted}" ${range}; add that plugin`);
      }
      if (validRange(range) === null) {
        throw new BusError(
          'INVALID_PLUGIN',
          `plugin "${name}" requires "${wanted}" in version "${range}", which is not a range; write it as >=1.2.0 <2.0.0`,
        );
      }
      const { version } = provider.definition;
      if (!satisfies(version, range, { includePrerelease: true })) {
        throw new BusError(
          'INCOMPATIBLE_VERSION',
          `plugin "${name}" requires "${wanted}" ${range}, but version ${version} is here; install a version in that range`,
        );
      }
      visit(provider, [...path, name]);
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
    const names = Object.keys(input as object);
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
