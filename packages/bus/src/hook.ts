import { BusError, TapError } from './errors.js';

// biome-ignore lint/suspicious/noExplicitAny: the constraint of every function type; `unknown` would reject real signatures
type AnyFunction = (...args: any[]) => any;

/** One plugin's part in a hook. Taps run by ascending `order`, and in tapping order within the same order. */
export interface Tap<F extends AnyFunction> {
  readonly plugin: string;
  readonly order: number;
  readonly fn: F;
}

/** Functions that return before they have done anything. */
const LATE: readonly string[] = ['[object AsyncFunction]', '[object GeneratorFunction]', '[object AsyncGeneratorFunction]'];

/**
 * A moment at which plugins take part. `call` holds the combined function of all taps and is replaced when taps change,
 * so calling costs no look-up: a shared no-op, the one tap, a small closure for two, a loop beyond.
 * Hooks take at most six positional arguments.
 */
export abstract class Hook<F extends AnyFunction> {
  readonly name: string;
  /** The combined function; call it where the moment is. */
  call: F;
  /** True while at least one plugin taps the hook: the test that lets a caller skip preparing arguments. */
  tapped = false;
  #taps: readonly Tap<F>[] = [];
  #sealed = false;

  constructor(name: string, idle: F) {
    this.name = name;
    this.call = idle;
    this.idle = idle;
  }

  protected readonly idle: F;

  /** The taps in the order in which they run. */
  get taps(): readonly Tap<F>[] {
    return this.#taps;
  }

  /**
   * Adds a tap; returns its own undo.
   * @param plugin name of the plugin, for errors and `describe()`
   * @param order smaller runs earlier; 0 by default
   * @throws BusError SEALED once the machine has booted; INVALID_PLUGIN for an asynchronous function or a generator
   */
  tap(plugin: string, fn: F, order = 0): () => void {
    if (this.#sealed) {
      throw new BusError(
        'SEALED',
        `plugin "${plugin}" tapped "${this.name}" after the machine was sealed; tap hooks in the plugin's setup()`,
      );
    }
    if (LATE.includes(Object.prototype.toString.call(fn))) {
      throw new BusError(
        'INVALID_PLUGIN',
        `plugin "${plugin}" taps "${this.name}" with an async function or a generator, whose answer nobody waits for; use a plain function`,
      );
    }
    const tap: Tap<F> = { plugin, order, fn };
    this.#replace([...this.#taps, tap].sort((a, b) => a.order - b.order));
    return () => this.#replace(this.#taps.filter((other) => other !== tap));
  }

  /** Removes everything that `plugin` tapped, sealed or not: teardown, not composition. */
  release(plugin: string): void {
    this.#replace(this.#taps.filter((tap) => tap.plugin !== plugin));
  }

  /** From here on the set of taps is fixed. */
  seal(): void {
    this.#sealed = true;
  }

  #replace(taps: readonly Tap<F>[]): void {
    this.#taps = taps;
    this.tapped = taps.length > 0;
    this.call = taps.length === 0 ? this.idle : (this.combine(taps.map((tap) => guarded(this.name, tap))) as F);
  }

  /** How the taps of one call are combined. `fns` has at least one element. */
  protected abstract combine(fns: readonly AnyFunction[]): AnyFunction;
}

/** Wraps a tap so that what it throws names the plugin and the hook. */
function guarded<F extends AnyFunction>(hook: string, { fn, plugin }: Tap<F>): AnyFunction {
  return (a, b, c, d, e, f) => {
    try {
      return fn(a, b, c, d, e, f);
    } catch (error) {
      throw error instanceof TapError ? error : new TapError(hook, plugin, error);
    }
  };
}

const nothing = (): undefined => undefined;

/** All taps run; nothing is returned. */
export class NotifyHook<A extends readonly unknown[]> extends Hook<(...args: A) => void> {
  constructor(name: string) {
    super(name, nothing);
  }

  protected override combine(fns: readonly AnyFunction[]): AnyFunction {
    const [f, g, h] = fns as [AnyFunction, AnyFunction?, AnyFunction?];
    if (g === undefined) return f;
    if (h === undefined) {
      return (a, b, c, d, e, x) => {
        f(a, b, c, d, e, x);
        g(a, b, c, d, e, x);
      };
    }
    if (fns.length === 3) {
      return (a, b, c, d, e, x) => {
        f(a, b, c, d, e, x);
        g(a, b, c, d, e, x);
        h(a, b, c, d, e, x);
      };
    }
    return (a, b, c, d, e, x) => {
      for (const fn of fns) fn(a, b, c, d, e, x);
    };
  }
}

/** The taps run in order until one answers (returns something else than `undefined`). */
export class FirstAnswerHook<A extends readonly unknown[], R> extends Hook<(...args: A) => R | undefined> {
  constructor(name: string) {
    super(name, nothing);
  }

  protected override combine(fns: readonly AnyFunction[]): AnyFunction {
    const [f, g] = fns as [AnyFunction, AnyFunction?];
    if (g === undefined) return f;
    if (fns.length === 2) {
      return (a, b, c, d, e, x) => {
        const answer = f(a, b, c, d, e, x);
        return answer === undefined ? g(a, b, c, d, e, x) : answer;
      };
    }
    return (a, b, c, d, e, x) => {
      for (const fn of fns) {
        const answer = fn(a, b, c, d, e, x);
        if (answer !== undefined) return answer;
      }
      return undefined;
    };
  }
}

/** A value is passed through all taps: each receives what the one before returned as its first argument. */
export class ValueHook<T, A extends readonly unknown[] = []> extends Hook<(value: T, ...args: A) => T> {
  constructor(name: string) {
    super(name, ((value: T) => value) as AnyFunction);
  }

  protected override combine(fns: readonly AnyFunction[]): AnyFunction {
    const [f, g] = fns as [AnyFunction, AnyFunction?];
    if (g === undefined) return f;
    if (fns.length === 2) return (v, a, b, c, d, e) => g(f(v, a, b, c, d, e), a, b, c, d, e);
    return (v, a, b, c, d, e) => {
      let value = v;
      for (const fn of fns) value = fn(value, a, b, c, d, e);
      return value;
    };
  }
}
