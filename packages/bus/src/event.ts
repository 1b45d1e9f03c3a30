import { type AnyFunction, type Arguments, allOf, type Part, requirePart } from './combine.js';

const nobody = (): void => {};

/**
 * Something happened. Any number of observers, no answer, and no observer may change the run.
 *
 * Emitters ask `observed` before they build arguments, so an event nobody listens to costs one load and one branch:
 *
 * ```ts
 * if (events.contextSwitch.observed) events.contextSwitch.emit(cpu.id, prev.pid, next.pid);
 * ```
 *
 * Events take at most six positional arguments, and an emission makes no array of them.
 */
export class EventSeam<A extends Arguments> {
  readonly name: string;
  /** True while at least one observer listens. */
  observed = false;
  /** Tells all observers, in the order in which they came. Those that come or go meanwhile do so with the next emission. */
  emit: (...args: A) => void = nobody;
  #observers: readonly Part[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Names of the observers, in the order in which they are told. */
  get observers(): readonly string[] {
    return this.#observers.map(({ plugin }) => plugin);
  }

  /**
   * Adds an observer; may be called at any time, also between runs. Returns its own undo.
   * @param plugin who observes: the plugin's name, or what the host calls itself; for errors and `describe()`
   * @throws BusError INVALID_PLUGIN for what is no plain function
   */
  on(plugin: string, observer: (...args: A) => void): () => void {
    requirePart('observed', this.name, plugin, observer);
    const part: Part = { plugin, fn: observer as AnyFunction };
    this.#replace([...this.#observers, part]);
    return () => this.#replace(this.#observers.filter((other) => other !== part));
  }

  /** Removes all observers of a plugin. */
  release(plugin: string): void {
    this.#replace(this.#observers.filter((part) => part.plugin !== plugin));
  }

  #replace(observers: readonly Part[]): void {
    this.#observers = observers;
    this.observed = observers.length > 0;
    this.emit = observers.length === 0 ? nobody : (allOf(this.name, observers, 'observer') as (...args: A) => void);
  }
}
