import type { RpalOptions } from '@rpal/rpal-core';
import { Run, type RunResult, type Segment } from './run.js';
import type { Scenario } from './scenario.js';
import { Deviations, PriorityWalk, RandomWalk, Replay } from './strategies.js';

/** What a search came to. */
export interface SearchResult {
  /** The first run that went wrong; null if none did. */
  readonly failure: RunResult | null;
  readonly runs: number;
  readonly steps: number;
  /** Every interleaving that could make a difference within the bounds has been run. */
  readonly complete: boolean;
}

export interface SearchLimits {
  /** Runs at most. */
  readonly runs: number;
  /** Choices at most that differ from the usual order in one run; without a bound if left out. */
  readonly deviations?: number;
}

/** A point of the run that is being varied. */
interface Node {
  readonly enabled: readonly number[];
  choice: number;
  readonly usual: number;
  readonly todo: Set<number>;
  readonly done: Set<number>;
}

/**
 * All interleavings, less those that only swap steps which do not touch the same memory: dynamic partial-order reduction
 * (Flanagan and Godefroid, POPL 2005). Where two steps of different CPUs conflict and nothing orders them, the other order
 * is tried, too. Everything in the kernel that is not modelled memory counts as one place that every kernel step writes.
 */
export function searchAll(scenario: Scenario, options: RpalOptions, limits: SearchLimits): SearchResult {
  let runs = 0;
  let steps = 0;
  for (let bound = 0; ; bound++) {
    const result = searchWithin(scenario, options, limits.runs - runs, bound);
    runs += result.runs;
    steps += result.steps;
    const last = bound >= (limits.deviations ?? Number.POSITIVE_INFINITY) || !result.cut || runs >= limits.runs;
    if (result.failure !== null || last) return { failure: result.failure, runs, steps, complete: result.complete };
  }
}

/** As `searchAll`, with a bound on the deviations in one run. `cut`: the bound has kept something from being tried. */
function searchWithin(scenario: Scenario, options: RpalOptions, most: number, bound: number): SearchResult & { cut: boolean } {
  let cut = false;
  const nodes: Node[] = [];
  let steps = 0;
  for (let runs = 1; ; runs++) {
    const run = new Run(scenario, options, { footprints: true });
    const result = run.execute(new Replay(nodes.map(({ choice }) => choice)));
    steps += result.steps;
    if (result.failure !== null) return { failure: result, runs, steps, complete: false, cut };
    extend(nodes, run.segments, scenario.cpus);
    for (const [at, choices] of races(run.segments)) for (const choice of choices) (nodes[at] as Node).todo.add(choice);
    const next = nextPrefix(nodes, bound);
    cut ||= next.cut;
    if (!next.found) return { failure: null, runs, steps, complete: true, cut };
    if (runs >= most) return { failure: null, runs, steps, complete: false, cut };
  }
}

/** Ticks and NMIs are nobody's step: wherever one may come, it is tried. */
function extend(nodes: Node[], segments: readonly Segment[], cpus: number): void {
  for (let i = nodes.length; i < segments.length; i++) {
    const { enabled, choice } = segments[i] as Segment;
    nodes.push({ enabled, choice, usual: choice, todo: new Set(enabled.filter((other) => other > cpus)), done: new Set([choice]) });
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

/** Where the order of two conflicting steps is nobody's decision but the schedule's: index, and what to try there. */
function races(segments: readonly Segment[]): Map<number, Set<number>> {
  const found = new Map<number, Set<number>>();
  /** For each step, the last step of every actor that comes before it in any order. */
  const before: Map<number, number>[] = [];
  const lastOf = new Map<number, number>();
  const writer = new Map<number, number>();
  const readers = new Map<number, Map<number, number>>();

  const note = (i: number, j: number): void => {
    const first = segments[i] as Segment;
    const second = segments[j] as Segment;
    if (first.choice === second.choice || first.enabled.length === 1) return;
    const todo = found.get(i) ?? new Set<number>();
    found.set(i, todo);
    if (first.enabled.includes(second.choice)) todo.add(second.choice);
    else for (const choice of first.enabled) todo.add(choice);
  };

  for (let j = 0; j < segments.length; j++) {
    const { choice, reads, writes } = segments[j] as Segment;
    const previous = lastOf.get(choice);
    const mine = new Map(previous === undefined ? [] : before[previous]);
    if (previous !== undefined) mine.set(choice, previous);
    const conflicts = new Set<number>();
    for (const word of writes) {
      const last = writer.get(word);
      if (last !== undefined) conflicts.add(last);
      for (const reader of readers.get(word)?.values() ?? []) conflicts.add(reader);
    }
    for (const word of reads) {
      const last = writer.get(word);
      if (last !== undefined) conflicts.add(last);
    }
    // Unordered so far: neither the actor's own past nor anything it has seen comes after that step.
    for (const i of conflicts) if ((mine.get((segments[i] as Segment).choice) ?? -1) < i) note(i, j);
    for (const i of conflicts) {
      const actor = (segments[i] as Segment).choice;
      if ((mine.get(actor) ?? -1) < i) mine.set(actor, i);
      for (const [other, at] of before[i] as Map<number, number>) if ((mine.get(other) ?? -1) < at) mine.set(other, at);
    }
    before.push(mine);
    lastOf.set(choice, j);
    for (const word of writes) {
      writer.set(word, j);
      readers.delete(word);
    }
    for (const word of reads) {
      const list = readers.get(word) ?? new Map<number, number>();
      list.set(choice, j);
      readers.set(word, list);
    }
  }
  return found;
}

/** Random runs: half of them with random priorities, half with random choices. Seeds count up from `seed`. */
export function searchAtRandom(scenario: Scenario, options: RpalOptions, runs: number, seed = 1): SearchResult {
  const usual = new Run(scenario, options).execute(new Replay([]));
  if (usual.failure !== null) return { failure: usual, runs: 1, steps: usual.steps, complete: false };
  let steps = usual.steps;
  const injections = (scenario.ticks ?? 0) + (scenario.nmis ?? 0);
  for (let i = 0; i < runs; i++) {
    const walk =
      i % 2 === 0
        ? new PriorityWalk(seed + i, scenario.cpus, usual.steps, 1 + ((i >> 1) % 4), injections)
        : new RandomWalk(seed + i, 70 + ((i >> 1) % 3) * 12);
    const result = new Run(scenario, options).execute(walk);
    steps += result.steps;
    if (result.failure !== null) return { failure: result, runs: i + 2, steps, complete: false };
  }
  return { failure: null, runs: runs + 1, steps, complete: false };
}

/**
 * Makes a failing schedule shorter: leaves the usual order at as few points as possible and as late as possible, as long as
 * something goes wrong.
 * @param attempts runs at most
 */
export function shrink(scenario: Scenario, options: RpalOptions, failure: RunResult, attempts = 400): RunResult {
  let best = failure;
  let points = deviationsOf(scenario, options, failure);
  for (let size = Math.ceil(points.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < points.length && attempts > 0; ) {
      const fewer = [...points.slice(0, at), ...points.slice(at + size)];
      attempts--;
      const result = new Run(scenario, options).execute(new Deviations(new Map(fewer)));
      if (result.failure === null) {
        at += size;
      } else {
        best = result;
        points = deviationsOf(scenario, options, result);
      }
    }
  }
  return best;
}

/** Where a schedule differs from the usual order. */
function deviationsOf(scenario: Scenario, options: RpalOptions, { schedule }: RunResult): [number, number][] {
  const points: [number, number][] = [];
  const replay = new Replay(schedule);
  new Run(scenario, options).execute({
    choose(enabled, usual, run) {
      const choice = replay.choose(enabled, usual, run);
      if (choice !== usual) points.push([run.schedule.length, choice]);
      return choice;
    },
  });
  return points;
}
