import type { RpalOptions } from '@rpal/rpal-core';
import type { Scenario } from '../scenarios/scenario.js';
import { independent, races } from './races.js';
import { Run, type RunLimits, type RunResult, type Segment, type Strategy } from './run.js';

/** Choices that need not be made now: what they lead to has been seen, and nothing since has touched what they touch. */
type Asleep = ReadonlyMap<number, Segment>;

/** A point of the run that is being varied. */
interface Node {
  choice: number;
  readonly todo: Set<number>;
  /** Choices that have been made here, and the first step of each. */
  readonly done: Map<number, Segment>;
  readonly asleep: Asleep;
}

export interface Progress {
  readonly failure: RunResult | null;
  readonly runs: number;
  readonly steps: number;
  /** Nothing is left to try. */
  readonly over: boolean;
}

/**
 * All interleavings, as the bounded search has them, and none of them twice: sleep sets (Godefroid, LNCS 1032) keep a step out that
 * was tried before until something conflicts with it. There is no bound, so what is found first need not be short.
 */
export function* complete(scenario: Scenario, options: RpalOptions, limits: Pick<RunLimits, 'listen'> = {}): Generator<Progress, never> {
  const nodes: Node[] = [];
  let steps = 0;
  for (let runs = 1; ; runs++) {
    const walk = new Wakeful(nodes);
    const run = new Run(scenario, options, { ...limits, footprints: true });
    const result = run.execute(walk);
    steps += result.steps;
    const { segments } = run;
    const last = nodes[nodes.length - 1];
    if (last !== undefined) last.done.set(last.choice, segments[nodes.length - 1] as Segment);
    for (let i = nodes.length; i < segments.length; i++) {
      const segment = segments[i] as Segment;
      const { enabled, choice } = segment;
      // Ticks and NMIs belong to no actor: they are tried wherever they may come.
      const todo = new Set(enabled.filter((other) => other > scenario.cpus));
      nodes.push({ choice, todo, done: new Map([[choice, segment]]), asleep: walk.asleepAt(i) });
    }
    for (const [at, choices] of races(segments)) for (const choice of choices) (nodes[at] as Node).todo.add(choice);
    const over = !turn(nodes);
    yield { failure: result.failure === null ? null : result, runs, steps, over };
  }
}

/** Cuts the path back to the last point with something left to try, and turns there. @returns false if there is none */
function turn(nodes: Node[]): boolean {
  for (; nodes.length > 0; nodes.pop()) {
    const node = nodes[nodes.length - 1] as Node;
    for (const choice of node.todo) {
      if (node.done.has(choice) || node.asleep.has(choice)) continue;
      node.choice = choice;
      return true;
    }
  }
  return false;
}

/** Follows a path; behind its end the usual order, as far as that is not asleep. Where all is, the run has nothing new to show. */
class Wakeful implements Strategy {
  readonly #path: readonly Node[];
  /** Length of the path: what it points to grows once the run is over. */
  readonly #from: number;
  /** What is asleep at each point behind the path. */
  readonly #behind: Asleep[] = [];

  constructor(path: readonly Node[]) {
    this.#path = path;
    this.#from = path.length;
  }

  asleepAt(point: number): Asleep {
    return this.#behind[point - this.#from] ?? NOBODY;
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    const at = run.schedule.length;
    const given = this.#path[at];
    if (given !== undefined) return given.choice;
    const asleep = this.#upTo(at, run);
    if (!asleep.has(usual)) return usual;
    const awake = enabled.find((choice) => !asleep.has(choice));
    if (awake === undefined) run.stop();
    return awake ?? usual;
  }

  #upTo(at: number, run: Run): Asleep {
    const from = this.#from;
    while (this.#behind.length <= at - from) {
      const point = from + this.#behind.length;
      const step = run.segments[point - 1];
      const before = point === from ? this.#atTurn() : (this.#behind[this.#behind.length - 1] as Asleep);
      if (step !== undefined && before.has(step.choice)) run.stop();
      const still = step === undefined ? [] : [...before].filter(([choice, other]) => choice !== step.choice && independent(other, step));
      this.#behind.push(still.length === 0 ? NOBODY : new Map(still));
    }
    return this.#behind[at - from] as Asleep;
  }

  /** At the last point of the path: what was asleep, and what has been tried there. */
  #atTurn(): Asleep {
    const node = this.#path[this.#path.length - 1];
    if (node === undefined) return NOBODY;
    const tried = [...node.done].filter(([choice]) => choice !== node.choice);
    return new Map([...node.asleep, ...tried]);
  }
}

const NOBODY: Asleep = new Map();
