import { setImmediate as breathe } from 'node:timers/promises';
import { mechanisms, type Waterfall, waterfall } from '@rpal/compare';
import { type CpuProfile, type Figure, parseProfile, profiles } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { type CompareSettings, measureRow, type Row, whyNot } from '../compare/comparison.js';
import { builtIn } from '../compare/mechanism-loader.js';
import { crossing, HANDLERS, type Line, meshLine } from '../mesh/mesh.js';
import { type Outcome, predict } from '../predict/predict-command.js';
import { predictions } from '../predict/predictions.js';
import { questions } from '../questions/index.js';
import type { Answer, Question } from '../questions/question.js';
import { commandLine } from '../report/envelope.js';
import { cpusFor, type Placement, runRfcBenchmark } from '../rfc-benchmark.js';
import { type Place, placesOf } from '../rfc-conditions.js';

/** A figure that a reader can make again. */
interface Reproducible {
  /** The line that makes it. */
  readonly command: string;
}

/** The RFC's benchmark under one of the conditions that the RFC leaves open. Cycles are TSC cycles per message. */
export interface Condition extends Reproducible, Place {
  readonly epoll: number;
  readonly rpal: number;
  readonly epollTrip: number;
  readonly rpalTrip: number;
}

/** How much the RFC's figure depends on one figure of the profile. */
export interface Sensitivity {
  /** Where it is in the profile: `costs.wrpkru`. */
  readonly path: string;
  readonly figure: Figure;
  /** Epoll's cycles over RPAL's, with the figure at its low and at its high end. */
  readonly low: number;
  readonly high: number;
}

/** A mechanism with messages of several sizes. */
export interface SizeRow extends Reproducible {
  readonly rows: readonly Row[];
}

/** A server that makes system calls for each request: round trips. The line makes the last of them. */
export interface HandlerRow extends Reproducible {
  readonly mechanism: string;
  /** System calls per request, and the trip with so many. */
  readonly calls: readonly number[];
  readonly trips: readonly number[];
}

/** What a service mesh saves by RPAL, by the time that its handlers compute. */
export interface MeshLines extends Reproducible {
  readonly lines: readonly Line[];
  /** Handler microseconds at which the RFC's share is saved; null: nowhere. */
  readonly claimedAt: number | null;
}

/** A question with both its answers. */
export interface Asked {
  readonly number: number;
  readonly question: Question;
  readonly written: Answer;
  readonly repaired: Answer;
}

/** Everything that the report shows. */
export interface Findings {
  readonly profile: CpuProfile;
  readonly messages: number;
  readonly conditions: readonly Condition[];
  readonly central: number;
  readonly sensitivities: readonly Sensitivity[];
  readonly apart: SizeRow;
  readonly together: SizeRow;
  readonly sizes: readonly number[];
  readonly bySize: SizeRow;
  readonly handlers: readonly HandlerRow[];
  readonly mesh: MeshLines;
  readonly waterfalls: readonly { readonly title: string; readonly command: string; readonly waterfall: Waterfall }[];
  readonly outcomes: readonly Outcome[];
  /** The line that makes the predictions. */
  readonly predicted: string;
  readonly asked: readonly Asked[];
}

/** Told what is being done, and how far it is: `done` of `all`. @returns false to stop */
export type Teller = (phase: string, done: number, all: number) => boolean;

/** How much is run. More messages make averages steadier; the report says how many there were. */
export interface Effort {
  /** Of the RFC's benchmark, per condition. */
  readonly messages: number;
  /** Per mechanism and size. */
  readonly exchanges: number;
  /** Round trips per prediction. */
  readonly rounds: number;
}

export const STANDARD_EFFORT: Effort = { messages: 2000, exchanges: 200, rounds: 100 };

/** What the RFC says nothing of: the defaults of `rfc`. */
const CENTRAL = { placement: 'same-socket', idle: 'C1E' } as const;
const SIZES = [32, 256, 1024, 4096, 16_384, 65_536] as const;
const COMPARED = ['pipe', 'unix', 'futex', 'spin', 'process-vm', 'rpal', 'rpal-reference'] as const;
const HANDLED = ['pipe', 'unix', 'futex', 'rpal'] as const;
const CALLS = [0, 1, 2, 4, 8] as const;
const FOLLOWED = ['unix', 'rpal'] as const;

/** Runs everything. @returns null if the teller stopped it */
export async function collect(effort: Effort, tell: Teller, chosen: readonly Question[] = questions): Promise<Findings | null> {
  const [profile] = profiles as [CpuProfile];
  const figures = figuresOf(profile);
  const places = placesOf(profile, CENTRAL.idle);
  const all =
    places.length +
    2 * figures.length +
    2 * mechanisms.length +
    SIZES.length * COMPARED.length +
    HANDLED.length +
    HANDLERS.length +
    FOLLOWED.length +
    predictions.length +
    2 * chosen.length;
  let done = 0;
  let stopped = false;
  /** Runs one thing after another. */
  async function each<T, R>(phase: string, items: readonly T[], run: (item: T) => R): Promise<R[]> {
    const results: R[] = [];
    for (const item of items) {
      if (!tell(phase, done, all)) stopped = true;
      await breathe();
      if (stopped) break;
      results.push(run(item));
      done++;
    }
    return results;
  }
  const conditions = await each("the RFC's benchmark", places, ({ placement, idle }) =>
    conditionOf(profile, placement, idle, effort.messages),
  );
  const shorter = Math.ceil(effort.messages / 4);
  const central = ratioOf(profile, shorter);
  const sensitivities = await each('what the ratio depends on', figures, ([path, figure]): Sensitivity => {
    const [low, high] = [figure.low, figure.high].map((value) => ratioOf(withFigure(profile, path, value), shorter)) as [number, number];
    done++;
    return { path, figure, low, high };
  });
  const side = async (placement: Placement): Promise<SizeRow> => {
    const settings = comparison(profile, placement, effort.exchanges);
    const fitting = mechanisms.filter((mechanism) => whyNot(mechanism, settings, 32) === null);
    const rows = await each('mechanisms', fitting, (mechanism) => measureRow(mechanism, settings, 32));
    return { rows, command: commandLine(['compare', '--placement', placement, '--messages', String(effort.exchanges)]) };
  };
  const apart = await side('same-socket');
  const together = await side('same-cpu');
  const settings = comparison(profile, 'same-socket', effort.exchanges);
  const pairs = COMPARED.flatMap((name) => SIZES.map((size) => ({ mechanism: builtIn(name), size })));
  const rows = await each('sizes', pairs, ({ mechanism, size }) => measureRow(mechanism, settings, size));
  const bySize = {
    rows,
    command: commandLine(['compare', '--mechanism', COMPARED.join(','), '--size', SIZES.join(','), '--messages', String(effort.exchanges)]),
  };
  const handlers = await each('handlers', HANDLED, (name) => handlerRow(profile, name, effort.exchanges));
  const services = { rate: 10_000, size: 256, hops: 1, calls: 2, requests: effort.exchanges, profile, placement: CENTRAL.placement };
  const meshLines = await each('a service mesh', HANDLERS, (handler) => meshLine(builtIn('unix'), builtIn('rpal'), services, handler));
  const mesh = { lines: meshLines, claimedAt: crossing(meshLines), command: commandLine(['mesh', '--requests', String(effort.exchanges)]) };
  const waterfalls = await each('one message', FOLLOWED, (name) => followed(profile, name));
  const outcomes = await each('predictions', predictions, (prediction) => predict(prediction, profile, effort.rounds, 1));
  const asked = await each('questions', chosen, (question): Asked => {
    const written = question.ask({});
    done++;
    return { number: questions.indexOf(question) + 1, question, written, repaired: question.ask({ repair: 'all' }) };
  });
  if (stopped) return null;
  return {
    profile,
    messages: effort.messages,
    conditions,
    central,
    sensitivities: [...sensitivities].sort((a, b) => width(b) - width(a)),
    apart,
    together,
    sizes: SIZES,
    bySize,
    handlers,
    mesh,
    waterfalls,
    outcomes,
    predicted: commandLine(['predict', '--rounds', String(effort.rounds), '--seeds', '1']),
    asked,
  };
}

function width({ low, high }: Sensitivity): number {
  return Math.abs(high - low);
}

function conditionOf(profile: CpuProfile, placement: Placement, idle: IdleStateName, messages: number): Condition {
  const { phases } = runRfcBenchmark({ machine: { profile, idle }, placement, messages, size: 32, phases: ['epoll', 'rpal'] });
  const [epoll, rpal] = phases.map(({ totalCycles, back }) => [totalCycles / messages, (totalCycles + back.total) / messages] as const) as [
    readonly [number, number],
    readonly [number, number],
  ];
  const command = commandLine(['rfc', '--messages', String(messages), '--placement', placement, '--idle', idle.toLowerCase()]);
  return { placement, idle, epoll: epoll[0], rpal: rpal[0], epollTrip: epoll[1], rpalTrip: rpal[1], command };
}

/** Epoll's cycles over RPAL's under the central conditions. */
function ratioOf(profile: CpuProfile, messages: number): number {
  const { phases } = runRfcBenchmark({
    machine: { profile, idle: CENTRAL.idle },
    placement: CENTRAL.placement,
    messages,
    size: 32,
    phases: ['epoll', 'rpal'],
  });
  const [epoll, rpal] = phases.map(({ totalCycles }) => totalCycles) as [number, number];
  return epoll / rpal;
}

/** Every uncertain figure of a profile, with its path. */
function figuresOf(profile: CpuProfile): readonly (readonly [path: string, figure: Figure])[] {
  const found: (readonly [string, Figure])[] = [];
  const look = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('low' in value && 'central' in value && 'high' in value) {
      const figure = value as Figure;
      if (figure.low < figure.high) found.push([path, figure]);
      return;
    }
    for (const [key, part] of Object.entries(value)) look(part, path === '' ? key : `${path}.${key}`);
  };
  look(profile, '');
  return found;
}

/** The profile with one figure at a value. */
function withFigure(profile: CpuProfile, path: string, value: number): CpuProfile {
  const changed = structuredClone(profile) as unknown as Record<string, unknown>;
  let at = changed;
  const keys = path.split('.');
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = keys.at(-1) as string;
  at[last] = { ...(at[last] as Figure), low: value, central: value, high: value };
  return parseProfile(changed);
}

function comparison(profile: CpuProfile, placement: Placement, messages: number): CompareSettings {
  return {
    mechanisms,
    workload: 'ping-pong',
    sizes: [32],
    messages,
    profile,
    placement,
    idle: CENTRAL.idle,
    costs: 'central',
    seed: 1,
    waiting: 'own',
    handlerCycles: 0,
    handlerCalls: 0,
    depth: 1,
    clients: 1,
  };
}

function handlerRow(profile: CpuProfile, name: string, messages: number): HandlerRow {
  const base = comparison(profile, 'same-socket', messages);
  const trips = CALLS.map((calls) => {
    const row = measureRow(builtIn(name), { ...base, workload: 'request', handlerCycles: 2000, handlerCalls: calls }, 32);
    return row.roundTrip as number;
  });
  const command = commandLine([
    ...['compare', '--mechanism', name, '--workload', 'request', '--handler', '2000', '--calls', String(CALLS.at(-1))],
    ...['--messages', String(messages)],
  ]);
  return { mechanism: name, calls: CALLS, trips, command };
}

function followed(profile: CpuProfile, name: string) {
  const mechanism = builtIn(name);
  const found = waterfall(mechanism, {
    machine: { profile, idle: CENTRAL.idle },
    size: 32,
    cpus: cpusFor(profile, CENTRAL.placement),
    waiting: 'sleep',
    warmUp: 100,
  });
  return { title: `One message of 32 B: ${mechanism.title}`, command: commandLine(['explain', name]), waterfall: found };
}
