import { BusError, ModelledCrash, TapError } from './errors.js';
import { type Refusal, shown } from './refusals.js';

// biome-ignore lint/suspicious/noExplicitAny: the constraint of every function type; `unknown` would reject real signatures
export type AnyFunction = (...args: any[]) => any;

/** Arguments of a hook or an event: at most six, which are passed on one by one, so that a call makes no array. */
export type Arguments = readonly [unknown?, unknown?, unknown?, unknown?, unknown?, unknown?];

/** One plugin's function at a seam. */
export interface Part {
  readonly plugin: string;
  readonly fn: AnyFunction;
}

/** Says what each call of a part was given and answered. */
export type Tracer = (seam: string, plugin: string, args: readonly unknown[], answer: unknown) => void;

/** Functions that return before they have done anything. */
const LATE: readonly string[] = ['[object AsyncFunction]', '[object GeneratorFunction]', '[object AsyncGeneratorFunction]'];

/** The function is declared async or as a generator. */
export function returnsEarly(fn: AnyFunction): boolean {
  return LATE.includes(Object.prototype.toString.call(fn));
}

/** What each plugin must bring to take part in a seam. @throws BusError INVALID_PLUGIN */
export function requirePart(verb: string, seam: string, plugin: unknown, fn: unknown): void {
  if (typeof plugin !== 'string' || plugin === '') {
    throw new BusError('INVALID_PLUGIN', `"${seam}" was ${verb} without a name: ${shown(plugin)} is none; give the plugin's name first`);
  }
  if (typeof fn !== 'function') {
    throw new BusError('INVALID_PLUGIN', `plugin "${plugin}" ${verb} "${seam}" with ${shown(fn)}; give a function`);
  }
  if (returnsEarly(fn as AnyFunction)) {
    throw new BusError(
      'INVALID_PLUGIN',
      `plugin "${plugin}" ${verb} "${seam}" with an async function or a generator, whose answer nobody waits for; use a plain function`,
    );
  }
}

/** The part, with every answer shown to `tracer`. */
export function traced(seam: string, { plugin, fn }: Part, tracer: Tracer): Part {
  return {
    plugin,
    fn: (...args: unknown[]) => {
      const answer = fn(...args);
      tracer(seam, plugin, args, answer);
      return answer;
    },
  };
}

/** The part, with every answer (but that of a tap that has none) looked at first. */
export function checked(seam: string, { plugin, fn }: Part, refuse: Refusal<unknown, unknown[]>): Part {
  return {
    plugin,
    fn: (a, b, c, d, e, f) => {
      const answer = fn(a, b, c, d, e, f);
      const reason = refuse(answer, a, b, c, d, e, f);
      if (reason === null) return answer;
      throw new TapError('INVALID_ANSWER', seam, plugin, `plugin "${plugin}" answered "${seam}" with ${shown(answer)}, which ${reason}`);
    },
  };
}

/** What a part threw, with the plugin and the seam; what the machine itself has come to, as it is. */
export function failed(seam: string, part: Part | undefined, error: unknown, role: 'tap' | 'observer' = 'tap'): TapError | ModelledCrash {
  if (error instanceof TapError || error instanceof ModelledCrash) return error;
  const { plugin } = part as Part;
  const reason = error instanceof Error ? error.message : String(error);
  return new TapError('TAP_FAILED', seam, plugin, `plugin "${plugin}" threw in its ${role} of "${seam}": ${reason}`, { cause: error });
}

/** One function that calls all parts in order. The `try` is around all of them: which one threw is known by how far it came. */
export function allOf(seam: string, parts: readonly Part[]): AnyFunction {
  const [one, two, three] = parts as [Part, Part?, Part?];
  if (two === undefined) {
    const { fn } = one;
    return (a, b, c, d, e, f) => {
      try {
        fn(a, b, c, d, e, f);
      } catch (error) {
        throw failed(seam, one, error);
      }
    };
  }
  if (three === undefined) {
    const { fn: first } = one;
    const { fn: second } = two;
    return (a, b, c, d, e, f) => {
      let at = one;
      try {
        first(a, b, c, d, e, f);
        at = two;
        second(a, b, c, d, e, f);
      } catch (error) {
        throw failed(seam, at, error);
      }
    };
  }
  const fns = parts.map(({ fn }) => fn);
  return (a, b, c, d, e, f) => {
    let at = 0;
    try {
      for (; at < fns.length; at++) (fns[at] as AnyFunction)(a, b, c, d, e, f);
    } catch (error) {
      throw failed(seam, parts[at], error);
    }
  };
}
