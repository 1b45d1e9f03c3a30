import { Signal, SocketOption } from '@rpal/uapi';
import { stream } from '../../../../scripts/testing/draw.ts';
import { type Call, lineOf } from './calls.js';
import { Interleaving, orders } from './interleaving.js';
import { ModelWorkers, type Sequel } from './model-workers.js';
import { randomCall } from './random-program.js';
import type { RealKernel } from './real-kernel.js';

/** A program on which model and kernel do not agree, as short as could be made. */
export interface Difference {
  readonly seed: number;
  readonly report: string;
}

/** What a comparison of programs has come to. */
export interface Comparison {
  calls: number;
  /** Calls whose outcome depends on who is first, and was another one than the model's usual. */
  races: number;
  /** Calls after which sockets were collected that nobody could receive any more. */
  collections: number;
  readonly differences: Difference[];
}

/** How often a processor may be held up in favour of another one, at most, in the orders that are tried. */
const INTERRUPTIONS = 2;
/** Orders that are tried for one outcome, and for one whose consequences show later only, at most. */
const ORDERS = 3000;
const HIDDEN_ORDERS = 100;
/** How long a program that differs is made shorter, milliseconds. */
const PATIENCE = 30_000;

/** A program that the model executes, where races have to turn out as they did on the real kernel. */
class Following {
  workers: ModelWorkers = new ModelWorkers();
  readonly calls: Call[] = [];
  /** What model and kernel both answered. */
  readonly answers: string[] = [];
  /** Per call the order that leads to its answer; null for the usual one. */
  #orders: (readonly number[] | null)[] = [];
  races = 0;
  collections = 0;

  /**
   * Executes `call` here and, by `observe`, on the real kernel.
   * @returns null, or what both answered if no order of execution leads to the answer that was observed
   */
  async follow(call: Call, observe: (sequel: Sequel) => Promise<readonly string[]>): Promise<{ answer: string; observed: string } | null> {
    const answer = this.workers.execute(call).join(' | ');
    const observed = (await observe(this.workers.sequel)).join(' | ');
    if (this.workers.sequel === 'collect') this.collections++;
    let order: readonly number[] | null = null;
    if (answer !== observed) {
      if (othersWentOn(answer) || othersWentOn(observed)) order = this.#find(this.calls.length, call, observed, ORDERS);
      if (order === null && !this.#revise(call, observed)) return { answer, observed };
      this.races++;
    }
    this.calls.push(call);
    this.answers.push(observed);
    this.#orders.push(order);
    return null;
  }

  /** An order in which `call`, after the first `before` calls, is answered so; the model has then executed it. */
  #find(before: number, call: Call, answer: string, limit: number): readonly number[] | null {
    for (const { order, result } of this.#outcomes(before, call, limit)) if (result === answer) return order.choices;
    return null;
  }

  *#outcomes(before: number, call: Call, limit: number) {
    const execute = (interleaving: Interleaving): string => {
      this.workers = this.#replayed(before);
      return this.workers.execute(call, interleaving).join(' | ');
    };
    let tried = 0;
    for (const outcome of orders(execute, INTERRUPTIONS)) {
      yield outcome;
      if (++tried === limit) return;
    }
  }

  /** Could an earlier race have turned out another way that did not show, and lead to what was observed now? */
  #revise(call: Call, observed: string): boolean {
    for (let at = this.calls.length - 1; at >= 0; at--) {
      if (!othersWentOn(this.answers[at] as string)) continue;
      for (const { order, result } of this.#outcomes(at, this.calls[at] as Call, HIDDEN_ORDERS)) {
        if (result !== this.answers[at]) continue;
        const rest = this.calls.slice(at + 1);
        const agrees = rest.every(
          (later, i) => this.workers.execute(later, this.#order(at + 1 + i)).join(' | ') === this.answers[at + 1 + i],
        );
        if (!agrees || this.workers.execute(call).join(' | ') !== observed) continue;
        this.#orders[at] = order.choices;
        return true;
      }
    }
    return false;
  }

  #order(at: number): Interleaving | undefined {
    const choices = this.#orders[at] ?? null;
    return choices === null ? undefined : new Interleaving(choices);
  }

  #replayed(length: number): ModelWorkers {
    const workers = new ModelWorkers();
    for (let i = 0; i < length; i++) workers.execute(this.calls[i] as Call, this.#order(i));
    return workers;
  }
}

/** Have others gone on, or ended, beside the caller? Then the order in which processors step may matter. */
function othersWentOn(answer: string): boolean {
  return answer.includes('+ ');
}

/** Where model and kernel do not agree: the calls up to there, and what each answered to the last one. */
interface Disagreement {
  readonly calls: readonly Call[];
  readonly answers: readonly string[];
  readonly model: string;
  readonly observed: string;
}

/** Executes on both sides what `next` says, from the state that the model is in by then, until it says nothing or they disagree. */
async function execute(
  real: RealKernel,
  next: (workers: ModelWorkers, count: number) => Call | null,
): Promise<{ following: Following; disagreement: Disagreement | null }> {
  const following = new Following();
  real.reset();
  for (;;) {
    const call = next(following.workers, following.calls.length);
    if (call === null) return { following, disagreement: null };
    const different = await following.follow(call, (sequel) => real.execute(call, sequel));
    if (different === null) continue;
    const { answer: model, observed } = different;
    return { following, disagreement: { calls: [...following.calls, call], answers: following.answers, model, observed } };
  }
}

/** Compares a random program per seed, call by call. */
export async function compare(real: RealKernel, seeds: readonly number[], length: number): Promise<Comparison> {
  const comparison: Comparison = { calls: 0, races: 0, collections: 0, differences: [] };
  for (const seed of seeds) {
    const draw = stream(seed);
    const leaning = (['passing', 'sharing', 'none', 'threads'] as const)[seed % 4] ?? 'none';
    const { following, disagreement } = await execute(real, (workers, count) =>
      count < length ? sensible(randomCall(draw, workers, leaning), workers) : null,
    );
    comparison.calls += following.calls.length;
    comparison.races += following.races;
    comparison.collections += following.collections;
    if (disagreement !== null) comparison.differences.push({ seed, report: report(await shrink(real, disagreement)) });
  }
  return comparison;
}

/** Compares one written program. @returns what differs, or an empty text */
export async function compareProgram(real: RealKernel, calls: readonly Call[]): Promise<string> {
  const disagreement = await replay(real, calls);
  return disagreement === null ? '' : report(disagreement);
}

/** Another call instead of one that cannot be compared. */
function sensible(call: Call | null, workers: ModelWorkers): Call | null {
  return call === null || isPossible(call, workers) ? call : { process: call.process, call: 'seen', args: [] };
}

/** Executes those of `wanted` that can be executed in the state the model is in by then. */
async function replay(real: RealKernel, wanted: readonly Call[]): Promise<Disagreement | null> {
  let at = 0;
  const { disagreement } = await execute(real, (workers) => {
    while (at < wanted.length) {
      const call = wanted[at++] as Call;
      if (isPossible(call, workers)) return call;
    }
    return null;
  });
  return disagreement;
}

/**
 * Who is to make it is there, and a new worker's number is free. No thread stops its own
 * process where another one could take the signal: whether it still gets to say so is a race outside the system calls.
 */
function isPossible({ process, call, args }: Call, workers: ModelWorkers): boolean {
  if (!workers.idle.includes(process)) return false;
  // The driver makes room for who sent a message when a receive begins, and not while it waits.
  if (call === 'setopt' && args[1] === SocketOption.PASSCRED && workers.someWait) return false;
  if (call === 'kill' && args[1] === Signal.STOP && workers.together(process, args[0] as number)) return workers.alone(process);
  return (call !== 'fork' && call !== 'thread') || workers.free.includes(args[0] as number);
}

/** Leaves calls out, many at first, as long as a difference remains and time is left. */
async function shrink(real: RealKernel, found: Disagreement): Promise<Disagreement> {
  let shortest = found;
  const end = performance.now() + PATIENCE;
  for (let size = found.calls.length >> 1; size >= 1; size >>= 1) {
    for (let from = 0; from < shortest.calls.length && performance.now() < end; ) {
      const candidate = await replay(real, [...shortest.calls.slice(0, from), ...shortest.calls.slice(from + size)]);
      if (candidate !== null && candidate.calls.length < shortest.calls.length) shortest = candidate;
      else from += size;
    }
  }
  return shortest;
}

function report({ calls, answers, model, observed }: Disagreement): string {
  return calls
    .map((call, i) => {
      const both = answers[i];
      return both === undefined ? `${lineOf(call)}  ->  model ${model}, Linux ${observed}` : `${lineOf(call)}  ->  ${both}`;
    })
    .join('\n');
}
