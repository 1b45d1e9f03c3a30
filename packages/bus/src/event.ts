import { EventEmitter } from 'eventemitter3';

/**
 * Something happened. Any number of observers, no answer, and no observer can change the run.
 *
 * Emitters ask `observed` before they build arguments, so an event nobody listens to costs one load and one branch:
 *
 * ```ts
 * if (events.contextSwitch.observed) events.contextSwitch.emit(cpu.id, prev.pid, next.pid);
 * ```
 */
export class EventSeam<A extends readonly unknown[]> {
  readonly name: string;
  /** True while at least one observer listens. */
  observed = false;
  readonly #emitter = new EventEmitter();

  constructor(name: string) {
    this.name = name;
  }

  /** Adds an observer; may be called at any time, also between runs. Returns its own undo. */
  on(observer: (...args: A) => void): () => void {
    const listener = observer as unknown as (...args: unknown[]) => void;
    // A context of its own tells this registration from others of the same function.
    const registration = {};
    this.#emitter.on('event', listener, registration);
    this.observed = true;
    return () => {
      this.#emitter.off('event', listener, registration);
      this.observed = this.#emitter.listenerCount('event') > 0;
    };
  }

  emit(...args: A): void {
    this.#emitter.emit('event', ...args);
  }
}
