import { LinuxCall } from '@rpal/uapi';

/**
 * A case: a program written once, as data, that the model and a real kernel both execute, and what each step has to answer.
 *
 * ```ts
 * linuxCase('a write to a pipe that nobody reads', [
 *   [0, 'pipe', A],
 *   [0, 'close', 3],
 *   handler(Signal.PIPE),
 *   [-Errno.EPIPE, 'write', 4, 'x', 1],
 *   seen(Signal.PIPE, 1),
 * ]);
 * ```
 *
 * It runs as root without CAP_SYS_RESOURCE in /tmp of an empty tree, as leader of a session, with descriptors 0 to 2 open and at
 * most 64 of them.
 */

/** 64 KiB of private memory, whose second half the steps themselves use; 64 KiB that children share; and where there is none. */
export const A = 0x100_0000_0000;
export const SHARED: number = A + 0x10_0000;
export const NOWHERE = 0x200_0000_0000;
/** Where the texts among a case's arguments lie. */
export const TEXT: number = A + 0x20_0000;
/** Signals that handlers have got: their number, then one after the other. */
export const ORDER: number = A + 0x7000;
const SEEN = A + 0x8000;
/** Bytes of a region. */
export const REGION = 0x1_0000;

/** A result that later steps use: `$('pid')`, `$('pid', -1)` for its group. */
export interface Variable {
  readonly name: string;
  readonly factor: number;
  readonly summand: number;
}

export function $(name: string, factor = 1, summand = 0): Variable {
  return { name, factor, summand };
}

/** What an argument is: a number, a variable, or the address of a text. */
export type Argument = number | Variable | string;
/** What a step answers: a number; a variable: what is not negative, and is kept; 'never': it is not come back from. */
export type Answer = number | Variable | 'never';
export type CallName = keyof typeof LinuxCall;

export type Step =
  | readonly [answer: Answer, call: CallName, ...args: Argument[]]
  | { readonly kind: 'put'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'get'; readonly address: number; readonly words: readonly (number | Variable)[] }
  | { readonly kind: 'bytes'; readonly address: number; readonly text: string }
  | { readonly kind: 'load'; readonly address: number; readonly answer: number | 'never' }
  | { readonly kind: 'store'; readonly address: number; readonly byte: number; readonly answer: 0 | 'never' }
  | { readonly kind: 'fork' | 'thread'; readonly name: string; readonly steps: readonly Step[] }
  | {
      readonly kind: 'handler';
      readonly signal: number;
      readonly flags: number;
      readonly mask: number;
      readonly steps: readonly Step[] | null;
    }
  | { readonly kind: 'asleep'; readonly who: Variable };

/** Stores 32-bit words. */
export function put(address: number, ...words: number[]): Step {
  return { kind: 'put', address, bytes: new Uint8Array(Int32Array.from(words, (word) => word | 0).buffer) };
}

export function putText(address: number, text: string): Step {
  return { kind: 'put', address, bytes: encoder.encode(text) };
}

/** The two words of a 64-bit number. */
export function long(value: number): [number, number] {
  return [(value % 2 ** 32) | 0, Math.floor(value / 2 ** 32)];
}

/** Expects 32-bit words in memory. */
export function get(address: number, ...words: (number | Variable)[]): Step {
  return { kind: 'get', address, words };
}

/** Expects characters in memory. */
export function getText(address: number, text: string): Step {
  return { kind: 'bytes', address, text };
}

/** Reads a byte as a program does. */
export function load(address: number, answer: number | 'never'): Step {
  return { kind: 'load', address, answer };
}

export function store(address: number, byte: number, answer: 0 | 'never' = 0): Step {
  return { kind: 'store', address, byte, answer };
}

/** A child that makes these steps and exits with status 0. Its pid is kept under the name. */
export function fork(name: string, ...steps: Step[]): Step {
  return { kind: 'fork', name, steps };
}

/** A thread that makes these steps and ends. */
export function thread(name: string, ...steps: Step[]): Step {
  return { kind: 'thread', name, steps };
}

/** Installs a handler that keeps what siginfo says. */
export function handler(signal: number, flags = 0, mask = 0): Step {
  return { kind: 'handler', signal, flags, mask, steps: null };
}

/** As `handler`; afterwards it makes these steps. */
export function handling(signal: number, flags: number, mask: number, ...steps: Step[]): Step {
  return { kind: 'handler', signal, flags, mask, steps };
}

/** How often a signal's handler has run; what siginfo said last: si_code, and the words from `si_pid` on. */
export function seen(signal: number, times: number, ...words: (number | Variable)[]): Step {
  return get(recordOf(signal), times, ...words);
}

/** Where a handler's record of a signal lies. */
export function recordOf(signal: number): number {
  return SEEN + 64 * signal;
}

/** Waits until a thread or the only one of a process sleeps, is stopped, or has ended. */
export function asleep(name: string): Step {
  return { kind: 'asleep', who: $(name) };
}

const encoder = new TextEncoder();

/** A case with its lists of steps, variables and texts by number: what both sides execute. */
export class Script {
  readonly lists: (readonly Step[])[] = [];
  readonly #numbers = new Map<readonly Step[], number>();
  readonly #variables: string[] = [];
  readonly #texts = new Map<string, number>();
  /** What lies at `TEXT`. */
  readonly texts: Uint8Array;

  constructor(steps: readonly Step[]) {
    this.#add(steps);
    const bytes: number[] = [];
    for (const list of this.lists)
      for (const step of list)
        if (isCall(step))
          for (const argument of step.slice(2))
            if (typeof argument === 'string' && !this.#texts.has(argument)) {
              this.#texts.set(argument, TEXT + bytes.length);
              bytes.push(...encoder.encode(argument), 0);
            }
    this.texts = Uint8Array.from(bytes);
  }

  #add(steps: readonly Step[]): void {
    this.#numbers.set(steps, this.lists.length);
    this.lists.push(steps);
    for (const step of steps) {
      if (isCall(step)) continue;
      const inner = 'steps' in step ? step.steps : null;
      if (inner !== null) this.#add(inner);
    }
  }

  numberOf(steps: readonly Step[]): number {
    return this.#numbers.get(steps) as number;
  }

  variable(name: string): number {
    const known = this.#variables.indexOf(name);
    return known >= 0 ? known : this.#variables.push(name) - 1;
  }

  addressOf(text: string): number {
    return this.#texts.get(text) as number;
  }

  /** What each step has to answer, in the words in which both sides answer: 'list step answer'. */
  expected(): string[] {
    return this.lists.flatMap((list, number) => list.flatMap((step, at) => this.#expected(number, at, step)));
  }

  #expected(list: number, at: number, step: Step): string[] {
    const words = (answer: Answer) => (answer === 'never' ? [] : [`${list} ${at} ${typeof answer === 'number' ? answer : '+'}`]);
    if (isCall(step)) return words(step[0]);
    switch (step.kind) {
      case 'get':
        return [
          `${list} ${at} ${step.words.map((word) => (typeof word === 'number' ? word | 0 : `v${this.variable(word.name)}`)).join(' ')}`,
        ];
      case 'bytes':
        return [`${list} ${at} ${hexOf(encoder.encode(step.text))}`];
      case 'load':
      case 'store':
        return words(step.answer);
      case 'fork':
      case 'thread':
        return words($(step.name));
      default:
        return words(0);
    }
  }

  /** Answers with the steps that they are of, for people. */
  shown(answers: readonly string[]): string[] {
    const by = new Map(answers.map((answer) => [answer.split(' ', 2).join(' '), answer.split(' ').slice(2).join(' ')]));
    return this.lists.flatMap((list, number) =>
      list.map((step, at) => `${number}.${at} ${nameOf(step)} -> ${by.get(`${number} ${at}`) ?? 'never'}`),
    );
  }

  /** The lines that the driver for the real kernel reads. */
  lines(): string {
    const lines = this.lists.flatMap((list) => ['list', ...list.map((step) => this.#line(step))]);
    return [`texts ${TEXT} ${hexOf(this.texts)}`, ...lines, ''].join('\n');
  }

  #value(argument: Argument): string {
    if (typeof argument === 'number') return String(argument);
    if (typeof argument === 'string') return String(this.addressOf(argument));
    return `v${this.variable(argument.name)},${argument.factor},${argument.summand}`;
  }

  #line(step: Step): string {
    if (isCall(step)) {
      const [answer, name, ...args] = step;
      const kept = typeof answer === 'object' ? this.variable(answer.name) : -1;
      return `call ${kept} ${LinuxCall[name]} ${args.map((argument) => this.#value(argument)).join(' ')}`;
    }
    switch (step.kind) {
      case 'put':
        return `put ${step.address} ${hexOf(step.bytes)}`;
      case 'get':
        return `get ${step.address} ${step.words.map((word) => (typeof word === 'number' ? -1 : this.variable(word.name))).join(' ')}`;
      case 'bytes':
        return `bytes ${step.address} ${encoder.encode(step.text).length}`;
      case 'load':
        return `load ${step.address}`;
      case 'store':
        return `store ${step.address} ${step.byte}`;
      case 'fork':
      case 'thread':
        return `${step.kind} ${this.variable(step.name)} ${this.numberOf(step.steps)}`;
      case 'handler':
        return `handler ${step.signal} ${step.flags} ${step.mask} ${step.steps === null ? -1 : this.numberOf(step.steps)}`;
      case 'asleep':
        return `asleep ${this.#value(step.who)}`;
    }
  }
}

export function isCall(step: Step): step is readonly [Answer, CallName, ...Argument[]] {
  return Array.isArray(step);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Characters of an argument that are shown. */
const LONG = 40;

function nameOf(step: Step): string {
  if (isCall(step)) {
    const shown = step.slice(2).map((argument) => (typeof argument === 'object' ? argument.name : String(argument)));
    return `${step[1]}(${shown.map((text) => (text.length > LONG ? `${text.slice(0, LONG)}...` : text)).join(', ')})`;
  }
  return `${step.kind} ${'name' in step ? step.name : 'address' in step ? step.address : 'signal' in step ? step.signal : step.who.name}`;
}
