import type { Plugin } from '@rpal/bus';
import {
  batches,
  type Counts,
  cost,
  costInCores,
  type Exchange,
  fanIn,
  type Mechanism,
  type PingPong,
  pingPong,
  requests,
  type Streaming,
  streaming,
  type Waiting,
  type WorkloadOptions,
} from '@rpal/compare';
import type { CostLevel, CpuProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import type { IdleStateName } from '@rpal/sched';
import { cpusFor, type Placement } from '../rfc-benchmark.js';
import { UsageError } from '../usage.js';

/** What the mechanisms are to do. */
export const WORKLOADS = ['ping-pong', 'stream', 'batch', 'request', 'fan-in', 'cost'] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** A comparison as the user asked for it. */
export interface CompareSettings {
  readonly mechanisms: readonly Mechanism[];
  readonly workload: WorkloadName;
  /** Bytes per message. */
  readonly sizes: readonly number[];
  readonly messages: number;
  readonly profile: CpuProfile;
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  /** GHz; undefined: the profile's. */
  readonly coreGHz?: number;
  readonly seed: number;
  /** How the sides wait; `own`: as each mechanism does first. */
  readonly waiting: Waiting | 'own';
  /** Of the server of `request`, and of each client of `cost`: TSC cycles and system calls per message. */
  readonly handlerCycles: number;
  readonly handlerCalls: number;
  /** Of `batch` and `cost`: requests that are sent before their answers are waited for. */
  readonly depth: number;
  /** Of `fan-in`. */
  readonly clients: number;
}

/** One mechanism with messages of one size. Cycles are TSC cycles, per message. */
export interface Row {
  readonly mechanism: string;
  readonly size: number;
  readonly waiting: Waiting;
  /** From the beginning of a send to its receipt; null where messages overlap. */
  readonly oneWay: number | null;
  /** There and back; null where a client's messages overlap. */
  readonly roundTrip: number | null;
  /** Between two messages, where they overlap, or between two requests of any clients; null where one waits for the other. */
  readonly interval: number | null;
  /** What the CPUs of both sides were not halted for, in all. */
  readonly busy: number;
  readonly copies: number;
  readonly counts: Counts;
  /** Where the way there went: causes, most expensive first; empty where messages overlap. */
  readonly causes: readonly { readonly cause: string; readonly cycles: number }[];
  readonly fingerprint: string;
}

/** The messages by which several cores are compared with one thread that does what they all do. */
export const COST_WORKLOADS = ['stream', 'batch', 'fan-in'] as const;
export type CostWorkload = (typeof COST_WORKLOADS)[number];

/** The configuration from which on several cores beat one thread. */
export interface CostRow {
  readonly workload: CostWorkload;
  readonly mechanism: string;
  readonly size: number;
  readonly waiting: Waiting;
  /** Of a stream and of batches 2; of several clients what was looked for. Null: however many there are, one thread is faster. */
  readonly cores: number | null;
  /** TSC cycles of work per message: of several clients what was asked for, else what was looked for. Null: however much it is, one thread is faster. */
  readonly work: number | null;
  /** TSC cycles per message of this configuration: by the mechanism, and in one thread. */
  readonly byMechanism: number;
  readonly oneThread: number;
}

/** Why a mechanism has no row for a size. */
export interface Left {
  readonly mechanism: string;
  readonly size: number;
  readonly why: string;
}

/** Messages that warm up. */
export function warmUpOf(messages: number): number {
  return Math.max(10, Math.ceil(messages / 10));
}

/** @throws UsageError if a workload cannot be as it was asked for, whatever the mechanism */
export function checkWorkload({ workload, messages, depth, clients, placement, profile }: CompareSettings): void {
  if (workload === 'cost' && placement === 'same-cpu')
    throw new UsageError('--workload cost compares two CPUs with one thread; --placement same-socket or cross-socket has two');
  if ((workload === 'batch' || workload === 'cost') && messages % depth !== 0)
    throw new UsageError(`--messages takes a multiple of --depth, which is ${depth}; ${messages} is none`);
  if (workload !== 'fan-in') return;
  if (placement !== 'same-socket')
    throw new UsageError('--workload fan-in gives the server and each client a core: --placement same-socket');
  const most = profile.topology.coresPerSocket - 1;
  if (clients > most)
    throw new UsageError(`--clients: a socket of ${profile.name} has cores for a server and ${most} clients, not ${clients}`);
}

/** Why this mechanism cannot do this with messages of this size, or null; of `cost`, see `whyNoCost`. */
export function whyNot(mechanism: Mechanism, settings: CompareSettings, size: number): string | null {
  const [smallest, largest] = mechanism.sizes;
  if (size < smallest || size > largest) return `takes ${smallest} to ${largest} bytes`;
  if (settings.waiting !== 'own' && !mechanism.waits.includes(settings.waiting)) return `its sides do not ${settings.waiting}`;
  if (mechanism.oneCpu === true && settings.placement !== 'same-cpu') return 'takes both sides on one CPU (--placement same-cpu)';
  const { workload, clients } = settings;
  if ((workload === 'stream' || workload === 'batch') && !mechanism.streams) return 'sends one message at a time';
  if (workload === 'fan-in') {
    if (mechanism.gather === undefined) return 'is for two sides only';
    const { mostClients = clients } = mechanism;
    if (clients > mostClients) return `has ${mostClients} clients at most`;
  }
  return null;
}

/** Runs one mechanism with messages of one size, on a machine with further plugins. @throws MachineError if a call failed, CompareError if a message came changed */
export function measureRow(mechanism: Mechanism, settings: CompareSettings, size: number, plugins: readonly Plugin[] = []): Row {
  const options = optionsOf(mechanism, settings, size, plugins);
  const { waiting } = options;
  const { workload, depth, clients } = settings;
  if (workload === 'stream') return streamRow(mechanism, size, waiting, streaming(mechanism, options));
  if (workload === 'batch') return streamRow(mechanism, size, waiting, batches(mechanism, depth, options));
  if (workload === 'fan-in') {
    const gathered = fanIn(mechanism, { ...options, clients });
    const requests = gathered.messages / 2;
    return { ...streamRow(mechanism, size, waiting, gathered), interval: gathered.elapsed / requests, roundTrip: gathered.latency };
  }
  const handler = { cycles: settings.handlerCycles, systemCalls: settings.handlerCalls };
  const result = workload === 'request' ? requests(mechanism, handler, options) : pingPong(mechanism, options);
  return tripRow(mechanism, size, waiting, result);
}

/** Why this mechanism cannot be compared with one thread by such messages, or null. */
export function whyNoCost(workload: CostWorkload, mechanism: Mechanism, settings: CompareSettings, size: number): string | null {
  if (workload === 'fan-in' && settings.placement !== 'same-socket') return 'takes cores of one socket (--placement same-socket)';
  return whyNot(mechanism, { ...settings, workload, clients: 1 }, size);
}

/** COST of one mechanism with messages of one size. @throws as `measureRow` */
export function costRow(workload: CostWorkload, mechanism: Mechanism, settings: CompareSettings, size: number): CostRow {
  const { depth, profile, handlerCycles } = settings;
  const options = optionsOf(mechanism, { ...settings, workload }, size, []);
  const row = { workload, mechanism: mechanism.name, size, waiting: options.waiting };
  if (workload === 'fan-in') {
    const { cores, mechanism: byMechanism, oneThread } = costInCores(mechanism, options, handlerCycles, profile.topology.coresPerSocket);
    return { ...row, cores, work: handlerCycles, byMechanism, oneThread };
  }
  const exchange: Exchange = workload === 'stream' ? streaming : (by, how) => batches(by, depth, how);
  const { work, mechanism: byMechanism, oneThread } = cost(mechanism, options, exchange);
  return { ...row, cores: 2, work, byMechanism, oneThread };
}

function optionsOf(mechanism: Mechanism, settings: CompareSettings, size: number, plugins: readonly Plugin[]): WorkloadOptions {
  const { messages, profile, idle, costs, seed, placement, coreGHz, workload, depth } = settings;
  const waiting = settings.waiting === 'own' ? (mechanism.waits[0] as Waiting) : settings.waiting;
  const machine: MachineOptions = { profile, idle, costs, seed, plugins, ...(coreGHz === undefined ? {} : { coreGHz }) };
  // Whole batches.
  const warmUp = workload === 'batch' ? Math.ceil(warmUpOf(messages) / depth) * depth : warmUpOf(messages);
  return { machine, size, cpus: cpusFor(profile, placement), waiting, messages, warmUp };
}

function tripRow({ name, copies }: Mechanism, size: number, waiting: Waiting, result: PingPong): Row {
  const { there, roundTrip } = result;
  const causes = [...there.causes].map(([cause, cycles]) => ({ cause, cycles }));
  return {
    mechanism: name,
    size,
    waiting,
    oneWay: there.cycles,
    roundTrip: roundTrip.cycles,
    interval: null,
    ...usageOf(result),
    copies,
    causes,
    fingerprint: result.fingerprint,
  };
}

function streamRow({ name, copies }: Mechanism, size: number, waiting: Waiting, result: Streaming): Row {
  const interval = result.elapsed / result.messages;
  const { fingerprint } = result;
  return {
    mechanism: name,
    size,
    waiting,
    oneWay: null,
    roundTrip: null,
    interval,
    ...usageOf(result),
    copies,
    causes: [],
    fingerprint,
  };
}

function usageOf({ messages, busy, counts }: Streaming): { readonly busy: number; readonly counts: Counts } {
  const each = Object.entries(counts).map(([what, count]) => [what, count / messages]);
  return { busy: busy.reduce((sum, cycles) => sum + cycles, 0) / messages, counts: Object.fromEntries(each) as Counts };
}
