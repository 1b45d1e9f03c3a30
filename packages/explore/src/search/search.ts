import type { RpalOptions } from '@rpal/rpal-core';
import { ExploreError } from '../errors.js';
import type { Scenario } from '../scenarios/scenario.js';
import { requireCount, requireScenario } from './checks.js';
import { complete, type Progress } from './complete.js';
import { races } from './races.js';
import { encodeRecording, type Recording } from './recording.js';
import { Run, type RunResult, type Segment, type Strategy } from './run.js';
import { Deviations, PriorityWalk, RandomWalk, Replay } from './strategies.js';

/** What a search has come to. */
export interface SearchResult {
  /** The first run that went wrong; null if none did. */
  readonly failure: RunResult | null;
  readonly runs: number;
  readonly steps: number;
  /**
   * Every interleaving with at most so many deviations from the usual order has been run, where it could make a difference: -1 for none,
   * Infinity for all there are.
   */
  readonly covered: number;
}

export interface SearchLimits {
  /** Runs at most. */
  readonly runs: number;
  /** Choices at most that differ from the usual order in one run; without a bound if left out. */
  readonly deviations?: number;
}

/** A search, run by run: its caller may look at the result so far, and may stop. */
export type Search = Generator<SearchResult, SearchResult>;

/** Drives a search to its end. */
function toItsEnd(search: Search): SearchResult {
  for (;;) {
    const { done, value } = search.next();
    if (done === true) return value;
  }
}

/** Bounds that are tried before there is none. */
const BOUNDS = 2;

/** A point of the run that is being varied. */
interface Node {
  choice: number;
  readonly usual: number;
  readonly todo: Set<number>;
  readonly done: Set<number>;
}

/**
 * All interleavings, less those that only swap steps which do not touch the same memory: dynamic partial-order reduction
 * (Flanagan and Godefroid, POPL 2005). Where two steps of different CPUs conflict and nothing orders them, the other order
 * is tried, too. Everything in the kernel that is not modelled memory counts as one place that every kernel step writes.
 * The bound on deviations grows from 0, so that what is found first has the fewest. Without `limits.deviations` it grows to 1, and
 * then comes everything at once (`complete`).
 */
export function* exhaustive(scenario: Scenario, options: RpalOptions, limits: SearchLimits): Search {
  const most = limits.deviations ?? Number.POSITIVE_INFINITY;
  requireCount('runs', limits.runs);
  requireCount('deviations', most);
  let runs = 0;
  let steps = 0;
  // What is run with one bound is run again with the next: that is little compared to the rest.
  for (let bound = 0; ; bound++) {
    if (most === Number.POSITIVE_INFINITY && bound === BOUNDS) {
      for (const one of complete(scenario, options)) {
        const covered = one.failure === null && one.over ? most : bound - 1;
        const result = { failure: one.failure, runs: runs + one.runs, steps: steps + one.steps, covered };
        if (one.failure !== null || one.over || result.runs >= limits.runs) return result;
        yield result;
      }
    }
    for (const one of within(scenario, options, bound)) {
      const { failure, cut, over } = one;
      const covered = failure !== null || !over ? bound - 1 : cut ? bound : Number.POSITIVE_INFINITY;
      const result = { failure, runs: runs + one.runs, steps: steps + one.steps, covered };
      if (failure !== null || covered >= most || result.runs >= limits.runs) return result;
      if (over) {
        ({ runs, steps } = result);
        break;
      }
      yield result;
    }
  }
}

/** As `exhaustive`, to the end. */
export function searchAll(scenario: Scenario, options: RpalOptions, limits: SearchLimits): SearchResult {
  return toItsEnd(exhaustive(scenario, options, limits));
}

interface Within extends Progress {
  /** The bound has kept something from being tried. */
  readonly cut: boolean;
}

/** All interleavings with at most `bound` deviations in one run. */
function* within(scenario: Scenario, options: RpalOptions, bound: number): Generator<Within, never> {
  let cut = false;
  const nodes: Node[] = [];
  let steps = 0;
  for (let runs = 1; ; runs++) {
    const run = new Run(scenario, options, { footprints: true });
    const result = run.execute(new Replay(nodes.map(({ choice }) => choice)));
    steps += result.steps;
    const failure = result.failure === null ? null : result;
    extend(nodes, run.segments, scenario.cpus);
    for (const [at, choices] of races(run.segments)) for (const choice of choices) (nodes[at] as Node).todo.add(choice);
    const next = nextPrefix(nodes, bound);
    cut ||= next.cut;
    yield { failure, runs, steps, cut, over: !next.found };
  }
}

/** Ticks and NMIs belong to no actor: they are tried wherever they may come. */
function extend(nodes: Node[], segments: readonly Segment[], cpus: number): void {
  for (let i = nodes.length; i < segments.length; i++) {
    const { enabled, choice } = segments[i] as Segment;
    nodes.push({ choice, usual: choice, todo: new Set(enabled.filter((other) => other > cpus)), done: new Set([choice]) });
  }
}

/**
 * Cuts the path back to the last point with something left to try, and turns there. @returns whether there was one, and
 * whether the bound has kept something from being tried
 */
function nextPrefix(nodes: Node[], bound: number): { readonly found: boolean; readonly cut: boolean } {
  let cut = false;
  while (nodes.length > 0) {
    const node = nodes[nodes.length - 1] as Node;
    let before = 0;
    for (let i = 0; i < nodes.length - 1; i++) if (nodes[i]?.choice !== nodes[i]?.usual) before++;
    for (const choice of node.todo) {
      if (node.done.has(choice)) continue;
      if (before + (choice === node.usual ? 0 : 1) > bound) {
        cut = true;
        continue;
      }
      node.done.add(choice);
      node.choice = choice;
      return { found: true, cut };
    }
    nodes.pop();
  }
  return { found: false, cut };
}

/** How random runs choose: by random priorities (PCT), at random at each step, or the two in turn. */
export type Chance = 'pct' | 'random' | 'both';

export interface ChanceLimits {
  readonly runs: number;
  /** Seed of the first run; the others count up from it. */
  readonly seed?: number;
  readonly chance?: Chance;
  /** Changes of priority at most in a run by priorities. */
  readonly changes?: number;
}

/** Random runs, after one in the usual order. */
export function* byChance(scenario: Scenario, options: RpalOptions, limits: ChanceLimits): Search {
  const { runs, seed = 1, chance = 'both', changes = 4 } = limits;
  requireScenario(scenario);
  requireCount('runs', runs);
  const injections = (scenario.ticks ?? 0) + (scenario.nmis ?? 0);
  let steps = 0;
  let length = 0;
  for (let i = 0; ; i++) {
    const result = new Run(scenario, options).execute(i === 0 ? new Replay([]) : walk(i - 1));
    steps += result.steps;
    if (i === 0) length = result.steps;
    const failure = result.failure === null ? null : result;
    const sofar = { failure, runs: i + 1, steps, covered: failure === null ? 0 : -1 };
    if (failure !== null || i === runs) return sofar;
    yield sofar;
  }

  function walk(i: number): Strategy {
    const turn = chance === 'both' ? i >> 1 : i;
    return chance === 'pct' || (chance === 'both' && i % 2 === 0)
      ? new PriorityWalk(seed + i, scenario.cpus, length, 1 + (turn % changes), injections)
      : new RandomWalk(seed + i, 70 + (turn % 3) * 12);
  }
}

/** As `byChance`, to the end. */
export function searchAtRandom(scenario: Scenario, options: RpalOptions, runs: number, seed = 1): SearchResult {
  return toItsEnd(byChance(scenario, options, { runs, seed }));
}

/** A failure, found and made as short as it could be. */
export interface Shortest {
  /** What goes wrong; null if nothing does. */
  readonly what: string | null;
  /** The schedule as `Replay` takes it; null if nothing goes wrong. */
  readonly recording: string | null;
  readonly run: RunResult | null;
}

/** Shrinks what a search has found, if it has, and writes it down. @param attempts runs at most */
export function shortestOf(found: RunResult | null, of: Omit<Recording, 'deviations'>, attempts?: number): Shortest {
  if (found === null) return { what: null, recording: null, run: null };
  const { scenario, repair, without } = of;
  const options = { repair: repair === 'all' ? repair : [...repair], without: [...without] };
  const run = shrink(scenario, options, found, attempts);
  return { what: run.failure, recording: encodeRecording({ ...of, deviations: run.deviations }), run };
}

/**
 * Makes a failing schedule shorter: leaves the usual order at as few points as possible, as long as something goes wrong.
 * @param attempts runs at most
 */
export function shrink(scenario: Scenario, options: RpalOptions, failure: RunResult, attempts = 400): RunResult {
  if (!Array.isArray(failure?.deviations)) {
    throw new ExploreError(
      'INVALID_ARGUMENT',
      `failure: ${String(failure)} is not a result of a run; give the failure that a search has found`,
    );
  }
  requireCount('attempts', attempts);
  let best = failure;
  for (let size = Math.ceil(best.deviations.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.deviations.length && attempts > 0; attempts--) {
      const fewer = [...best.deviations.slice(0, at), ...best.deviations.slice(at + size)];
      const result = new Run(scenario, options).execute(new Deviations(fewer));
      if (result.failure === null) at += size;
      else best = result;
    }
  }
  return best;
}
