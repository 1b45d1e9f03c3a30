import { type AnyFunction, type Arguments, allOf, checked, failed, type Part, requirePart, type Tracer, traced } from './combine.js';
import { BusError } from './errors.js';
import { type Refusal, shown } from './refusals.js';

/** One plugin's part in a hook. Taps run by ascending `order`, and in tapping order within the same order. */
export interface Tap<F extends AnyFunction> {
  readonly plugin: string;
  readonly order: number;
  readonly fn: F;
}

/** How a hook with answers behaves. */
export interface HookOptions<R, A extends readonly unknown[]> {
  /** Called with every answer of a tap and the arguments of the call: returns why the answer is wrong, or null. */
  readonly refuse?: Refusal<R, A>;
}

/**
 * A moment at which plugins take part. `call` holds the combined function of all taps and is replaced when taps change,
 * so calling costs no look-up: a shared function that does nothing, a small closure for one tap or two, a loop beyond.
 * Hooks take at most six positional arguments; their types hold them to it.
 */
export abstract class Hook<F extends AnyFunction> {
  readonly name: string;
  /** The combined function; call it at that moment. */
  call: F;
  /** True while at least one plugin taps the hook: the test that lets a caller skip preparing arguments. */
  tapped = false;
  protected readonly idle: F;
  #taps: readonly Tap<F>[] = [];
  #sealed = false;
  #tracer: Tracer | null = null;

  constructor(name: string, idle: F) {
    this.name = name;
    this.call = idle;
    this.idle = idle;
  }

  /** The taps in the order in which they run. */
  get taps(): readonly Tap<F>[] {
    return this.#taps;
  }

  /**
   * Adds a tap; returns its own undo.
   * @param plugin name of the plugin, for errors and `describe()`
   * @param order smaller runs earlier; 0 by default
   * @throws BusError SEALED once the machine has booted, also from the undo; INVALID_PLUGIN for what is not a plain function
   */
  tap(plugin: string, fn: F, order = 0): () => void {
    requirePart('tapped', this.name, plugin, fn);
    if (typeof order !== 'number' || Number.isNaN(order)) {
      throw new BusError('INVALID_PLUGIN', `plugin "${plugin}" tapped "${this.name}" with order ${shown(order)}; give a number`);
    }
    this.#requireOpen(`plugin "${plugin}" tapped "${this.name}"`);
    const tap: Tap<F> = { plugin, order, fn };
    this.#replace([...this.#taps, tap].sort((a, b) => a.order - b.order));
    return () => {
      if (!this.#taps.includes(tap)) return;
      this.#requireOpen(`plugin "${plugin}" took its tap of "${this.name}" back`);
      this.#replace(this.#taps.filter((other) => other !== tap));
    };
  }

  /** Removes everything that `plugin` tapped, sealed or not: teardown, not composition. */
  release(plugin: string): void {
    this.#replace(this.#taps.filter((tap) => tap.plugin !== plugin));
  }

  /** From here on the set of taps is fixed. */
  seal(): void {
    this.#sealed = true;
  }

  /** The machine is being torn down: undos work again. */
  unseal(): void {
    this.#sealed = false;
  }

  /** Shows every answer of every tap to `tracer`, at any time; null for nobody, which costs nothing. */
  trace(tracer: Tracer | null): void {
    this.#tracer = tracer;
    this.#replace(this.#taps);
  }

  #requireOpen(what: string): void {
    if (this.#sealed) throw new BusError('SEALED', `${what} after the machine was sealed; tap hooks in the plugin's setup()`);
  }

  #replace(taps: readonly Tap<F>[]): void {
    this.#taps = taps;
    this.tapped = taps.length > 0;
    const tracer = this.#tracer;
    const parts = taps.map((tap) => this.prepare(tracer === null ? tap : traced(this.name, tap, tracer)));
    this.call = parts.length === 0 ? this.idle : (this.combine(parts) as F);
  }

  /** A tap as it is called. */
  protected prepare(part: Part): Part {
    return part;
  }

  /** How the taps of one call are combined. `parts` has at least one element. */
  protected abstract combine(parts: readonly Part[]): AnyFunction;
}

const nothing = (): undefined => undefined;

/** All taps run; nothing is returned. */
export class NotifyHook<A extends Arguments> extends Hook<(...args: A) => void> {
  constructor(name: string) {
    super(name, nothing);
  }

  protected override combine(parts: readonly Part[]): AnyFunction {
    return allOf(this.name, parts);
  }
}

/** The taps run in order until one answers (returns something else than `undefined`). */
export class FirstAnswerHook<A extends Arguments, R> extends Hook<(...args: A) => R | undefined> {
  readonly #refuse: Refusal<R, A> | undefined;

  constructor(name: string, { refuse }: HookOptions<R, A> = {}) {
    super(name, nothing);
    this.#refuse = refuse;
  }

  protected override prepare(part: Part): Part {
    if (this.#refuse === undefined) return part;
    const refuse = this.#refuse as unknown as Refusal<unknown, unknown[]>;
    return checked(this.name, part, (answer, ...args) => (answer === undefined ? null : refuse(answer, ...args)));
  }

  protected override combine(parts: readonly Part[]): AnyFunction {
    const { name } = this;
    const [one, two] = parts as [Part, Part?];
    if (two === undefined) {
      const { fn } = one;
      return (a, b, c, d, e, f) => {
        try {
          return fn(a, b, c, d, e, f);
        } catch (error) {
          throw failed(name, one, error);
        }
      };
    }
    const fns = parts.map(({ fn }) => fn);
    return (a, b, c, d, e, f) => {
      let at = 0;
      try {
        for (; at < fns.length; at++) {
          const answer = (fns[at] as AnyFunction)(a, b, c, d, e, f);
          if (answer !== undefined) return answer;
        }
        return undefined;
      } catch (error) {
        throw failed(name, parts[at], error);
      }
    };
  }
}

/** Arguments of a value hook besides the value. */
type FurtherArguments = readonly [unknown?, unknown?, unknown?, unknown?, unknown?];

/** A value is passed through all taps: each receives what the one before returned as its first argument. */
export class ValueHook<T, A extends FurtherArguments = []> extends Hook<(value: T, ...args: A) => T> {
  readonly #refuse: Refusal<T, A> | undefined;

  constructor(name: string, { refuse }: HookOptions<T, A> = {}) {
    super(name, ((value: T) => value) as AnyFunction);
    this.#refuse = refuse;
  }

  protected override prepare(part: Part): Part {
    if (this.#refuse === undefined) return part;
    const refuse = this.#refuse as unknown as Refusal<unknown, unknown[]>;
    // The second argument of a refusal is the first one after the value.
    return checked(this.name, part, (answer, _value, ...args) => refuse(answer, ...args));
  }

  protected override combine(parts: readonly Part[]): AnyFunction {
    const { name } = this;
    const [one, two] = parts as [Part, Part?];
    if (two === undefined) {
      const { fn } = one;
      return (v, a, b, c, d, e) => {
        try {
          return fn(v, a, b, c, d, e);
        } catch (error) {
          throw failed(name, one, error);
        }
      };
    }
    const fns = parts.map(({ fn }) => fn);
    return (v, a, b, c, d, e) => {
      let value = v;
      let at = 0;
      try {
        for (; at < fns.length; at++) value = (fns[at] as AnyFunction)(value, a, b, c, d, e);
        return value;
      } catch (error) {
        throw failed(name, parts[at], error);
      }
    };
  }
}
