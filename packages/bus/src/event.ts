import { EventEmitter } from 'eventemitter3';
import { type Arguments, failed, type Part, requirePart } from './combine.js';

/** The emitter of a seam emits this and nothing else. */
const HAPPENED = 'happened';

/**
 * Something happened. Any number of observers, no answer, and no observer may change the run.
 *
 * Emitters ask `observed` before they build arguments, so an event nobody listens to costs one load and one branch:
 *
 * ```ts
 * if (events.contextSwitch.observed) events.contextSwitch.emit(cpu.id, prev.pid, next.pid);
 * ```
 *
 * Events take at most six positional arguments, as hooks do.
 */
export class EventSeam<A extends Arguments> {
  readonly name: string;
  /** True while at least one observer listens. */
  observed = false;
  readonly #emitter = new EventEmitter();
  #observers: readonly Registration[] = [];

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
   * @throws BusError INVALID_PLUGIN for what is not a plain function
   */
  on(plugin: string, observer: (...args: A) => void): () => void {
    requirePart('observed', this.name, plugin, observer);
    const part: Registration = { plugin, fn: observer, listener: listenerOf(this.name, { plugin, fn: observer }) };
    this.#observers = [...this.#observers, part];
    this.#emitter.on(HAPPENED, part.listener);
    this.observed = true;
    return () => this.#remove(part);
  }

  /**
   * Tells all observers, in the order in which they came. Observers that are added or removed meanwhile count from the next emission on.
   */
  emit(...args: A): void {
    this.#emitter.emit(HAPPENED, ...args);
  }

  /** Removes all observers of a plugin. */
  release(plugin: string): void {
    for (const part of this.#observers) if (part.plugin === plugin) this.#remove(part);
  }

  #remove(part: Registration): void {
    this.#emitter.off(HAPPENED, part.listener);
    this.#observers = this.#observers.filter((other) => other !== part);
    this.observed = this.#observers.length > 0;
  }
}

interface Registration extends Part {
  /** What the emitter calls: one function for each registration, so that one can be told from others of the same observer. */
  readonly listener: (...args: unknown[]) => void;
}

/** The observer, with the plugin and the event in what it throws. */
function listenerOf(event: string, part: Part): Registration['listener'] {
  const { fn } = part;
  return (a, b, c, d, e, f) => {
    try {
      fn(a, b, c, d, e, f);
    } catch (error) {
      throw failed(event, part, error, 'observer');
    }
  };
}
