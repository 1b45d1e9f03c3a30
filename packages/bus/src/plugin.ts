import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Bus, Events, Hooks, Slots } from './bus.js';

/**
 * What a plugin's `setup` receives. Higher packages merge more into it (the machine, for one).
 * What a plugin taps, fills and observes under its own name is taken back for it at teardown; `onTeardown` undoes the rest.
 */
export interface PluginContext {
  /** Name of the plugin being set up: the name to tap with. */
  readonly plugin: string;
  readonly hooks: Hooks;
  readonly slots: Slots;
  readonly events: Events;
  readonly bus: Bus;
  /** Runs when the machine is torn down, in reverse order of registration. */
  onTeardown(undo: () => void): void;
}

/** A plugin as its author writes it. `O` is its options after validation. */
export interface PluginDefinition<O> {
  /** Unique; by convention the package name. */
  readonly name: string;
  /** Semantic version of the plugin. */
  readonly version: string;
  /**
   * Other plugins, and packages of the machine, that it needs, each with the range of versions it works with:
   * `{ '@rpal/kernel': '^0.1.0', '@rpal/rpal-core': '^0.1.0' }`.
   */
  readonly requires?: Readonly<Record<string, string>>;
  /** Names of plugins, or of capabilities that plugins provide, that it cannot share a machine with. */
  readonly conflicts?: readonly string[];
  /** Capabilities it offers to other plugins' `requires` and `conflicts`, besides its own name. */
  readonly provides?: readonly string[];
  /** Validates its options; any Standard Schema (zod, valibot, arktype) serves. Without one the plugin takes no options. */
  readonly options?: StandardSchemaV1<unknown, O>;
  /** Taps hooks, fills slots. Called once, after the setup of everything it requires. */
  setup(context: PluginContext, options: O): void;
}

/** A plugin with the options it is to run with, ready to be given to a machine. */
export interface Plugin {
  // biome-ignore lint/suspicious/noExplicitAny: plugins of all option types share one list
  readonly definition: PluginDefinition<any>;
  readonly input: unknown;
}

/** What `definePlugin` has returned, for who forgets to call it. */
const factories = new WeakMap<object, string>();

/** Turns a definition into the function users call: `rpal({ repair: 'all' })`. */
export function definePlugin<O, I = Partial<O>>(definition: PluginDefinition<O>): (options?: I) => Plugin {
  const factory = (options?: I): Plugin => ({ definition, input: options ?? {} });
  factories.set(factory, definition?.name);
  return factory;
}

/** Name of the plugin that a function makes; undefined if `definePlugin` did not return it. */
export function pluginMadeBy(factory: object): string | undefined {
  return factories.get(factory);
}
