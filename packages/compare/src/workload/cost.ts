import type { Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Endpoint, Mechanism, Side } from '../mechanism/mechanism.js';
import { functionCall } from '../mechanisms/function-call.js';
import { checkWhole } from './checks.js';
import { type FanInOptions, fanIn } from './fan-in.js';
import { LEAST_WARM_UP, type Streaming, streaming, type WorkloadOptions } from './workload.js';

/** Work per message beyond which nobody is looked for, TSC cycles. */
const MOST = 2 ** 24;
/** How far the answer may be from the exact one. */
const TOLERANCE = 0.02;

/** Two CPUs against one thread, both of which do the same work on each message. */
export interface Cost {
  /** TSC cycles of work per message from which on the mechanism's two CPUs are faster; null: they never are. */
  readonly work: number | null;
  /** TSC cycles between two messages with that work, or with `MOST`: by the mechanism, and in one thread. */
  readonly mechanism: number;
  readonly oneThread: number;
}

/** How two CPUs exchange messages while both work: `streaming`, or `batches` of some depth. */
export type Exchange = (mechanism: Mechanism, options: WorkloadOptions) => Streaming;

/**
 * COST, the configuration that outperforms a single thread (McSherry, Isard and Murray, HotOS 2015): messages, each of which takes some
 * work, half of it before it is sent and half after it has come. One thread does both halves and passes the message by a function call;
 * with a mechanism the two halves go on at the same time on two CPUs, and each pays for its side of the mechanism.
 * @param options `cpus` of both sides must differ: on one CPU nothing goes on at the same time
 * @throws CompareError USAGE if the mechanism cannot stream, or both sides are on one CPU
 */
export function cost(mechanism: Mechanism, options: WorkloadOptions, exchange: Exchange = streaming): Cost {
  if (options.cpus[0] === options.cpus[1]) {
    throw new CompareError('USAGE', `two CPUs are compared with one thread; both sides are on CPU ${options.cpus[0]}`);
  }
  const between = (by: Mechanism, work: number, waiting: WorkloadOptions['waiting']): number => {
    return exchange(working(by, work), { ...options, waiting }).elapsed / options.messages;
  };
  const at = (work: number): Cost => ({
    work,
    mechanism: between(mechanism, work, options.waiting),
    oneThread: between(functionCall, work, functionCall.waits[0] as WorkloadOptions['waiting']),
  });
  const pays = ({ mechanism: two, oneThread }: Cost): boolean => two < oneThread;

  let low = 0;
  let best = at(low);
  if (pays(best)) return best;
  for (let work = 256; ; work *= 2) {
    best = at(work);
    if (pays(best)) break;
    if (work >= MOST) return { ...best, work: null };
    low = work;
  }
  while ((best.work as number) - low > TOLERANCE * (best.work as number)) {
    const middle = at(Math.round((low + (best.work as number)) / 2));
    if (pays(middle)) best = middle;
    else low = middle.work as number;
  }
  return best;
}

/** Cores of several clients and a server against one thread that does what they all do. */
export interface CostInCores {
  /** The fewest that are faster than one thread, the server's core among them; null: none are. */
  readonly cores: number | null;
  /** TSC cycles between two requests, with so many cores, or with the most that were tried: by the mechanism, and in one thread. */
  readonly mechanism: number;
  readonly oneThread: number;
}

/**
 * COST in cores: each client works before it sends a request and waits for the answer, and one server, which has no work of its own, answers
 * them all. One thread does the work and calls the server's function.
 * @param work TSC cycles of each request
 * @param most cores, the server's among them
 * @throws CompareError as `fanIn`
 */
export function costInCores(mechanism: Mechanism, options: Omit<FanInOptions, 'clients'>, work: number, most: number): CostInCores {
  checkWhole('cores', most, 2);
  const { elapsed } = streaming(working(functionCall, work), {
    ...options,
    warmUp: Math.max(LEAST_WARM_UP, options.warmUp),
    cpus: [0, 0],
    waiting: functionCall.waits[0] as WorkloadOptions['waiting'],
  });
  const oneThread = elapsed / options.messages;
  let between = Number.POSITIVE_INFINITY;
  for (let cores = 2; cores <= Math.min(most, 1 + (mechanism.mostClients ?? most)); cores++) {
    const clients = cores - 1;
    between = fanIn(eachWorking(mechanism, work), { ...options, clients }).elapsed / (clients * options.messages);
    if (between < oneThread) return { cores, mechanism: between, oneThread };
  }
  return { cores: null, mechanism: between, oneThread };
}

/** The mechanism with clients that work before they send. */
function eachWorking(mechanism: Mechanism, work: number): Mechanism {
  const { gather } = mechanism;
  if (gather === undefined) return mechanism;
  return {
    ...mechanism,
    gather: (machine, gathering) =>
      gather(machine, {
        ...gathering,
        client: (p, end, number) =>
          gathering.client(p, { ...end, send: (address, length) => workThenSend(p, work, end, address, length) }, number),
      }),
  };
}

/** The mechanism with a client that works before it sends, and a server that works on what has come. */
function working(mechanism: Mechanism, work: number): Mechanism {
  const half = Math.round(work / 2);
  const client =
    (side: Side): Side =>
    (p, end) =>
      side(p, { ...end, send: (address, length) => workThenSend(p, half, end, address, length) });
  const server =
    (side: Side): Side =>
    (p, end) =>
      side(p, { ...end, receive: (address, length) => receiveThenWork(p, half, end, address, length) });
  return {
    ...mechanism,
    start: (machine, meeting) => mechanism.start(machine, { ...meeting, client: client(meeting.client), server: server(meeting.server) }),
  };
}

function* workThenSend(p: Program, cycles: number, end: Endpoint, address: number, length: number): Generator<void, void> {
  if (cycles > 0) yield* p.compute(cycles);
  yield* end.send(address, length);
}

function* receiveThenWork(p: Program, cycles: number, end: Endpoint, address: number, length: number): Generator<void, number> {
  const at = yield* end.receive(address, length);
  if (cycles > 0) yield* p.compute(cycles);
  return at;
}
