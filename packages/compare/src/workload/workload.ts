import type { Ledger } from '@rpal/hw-x86';
import { done, exactly, type Machine, type MachineOptions, type Program, type Trip, Trips } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Endpoint, Mechanism, Routine, Waiting } from '../mechanism/mechanism.js';
import { checkWaiting, checkWhole } from './checks.js';
import { Counters, type Counts } from './counters.js';
import { machineWith } from './machine.js';
import { buffers, check, fill, STRIDE } from './message.js';

/** Messages before those that count. */
export const LEAST_WARM_UP = 10;

/** What two programs are to exchange, and where. */
export interface WorkloadOptions {
  /** The machine, without what the mechanism plugs in. */
  readonly machine: MachineOptions;
  /** Bytes of a message. */
  readonly size: number;
  /** CPUs of client and server. */
  readonly cpus: readonly [client: number, server: number];
  readonly waiting: Waiting;
  /** Messages that count. */
  readonly messages: number;
  /** Messages before them, whose bytes are looked at; 10 at least. */
  readonly warmUp: number;
  /** What the client does before each message that counts; it is in none of the trips. */
  readonly before?: (p: Program) => Routine;
  /** Called when the messages that count begin, and when they have ended. */
  readonly watch?: { begin(): void; end(): void };
  /** Makes the ledgers of the way there and of the way back, in this order. */
  readonly book?: (machine: Machine) => Ledger;
}

/** What every workload reports about its messages. */
export interface Usage {
  /** Messages, both ways. */
  readonly messages: number;
  /** TSC cycles of the whole window. */
  readonly elapsed: number;
  /** TSC cycles that the CPUs of client and server were not halted; one figure if they share a CPU. */
  readonly busy: readonly number[];
  readonly counts: Counts;
  readonly tscGHz: number;
  /** Hash of the final state of the machine. */
  readonly fingerprint: string;
}

/** Messages there and back, one at a time. */
export interface PingPong extends Usage {
  readonly there: Trip;
  readonly back: Trip;
  readonly roundTrip: Trip;
}

/** Messages one way, as fast as the mechanism takes them. */
export interface Streaming extends Usage {}

/** Client and server in turn: what a message takes there and back. @throws CompareError USAGE, CHANGED; MachineError CALL_FAILED */
export function pingPong(mechanism: Mechanism, options: WorkloadOptions): PingPong {
  const { messages, warmUp, size } = options;
  const run = new Run(mechanism, options);
  const { book } = options;
  const trips = book === undefined ? new Trips(run.machine.kernel) : new Trips(run.machine.kernel, () => book(run.machine));
  let server: Program | null = null;
  run.start(
    function* (p, end) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i++) {
        yield* fill(p, out, size, i);
        yield* end.send(out, size);
        yield* check(p, yield* end.receive(into, size), size, i + STRIDE);
      }
      options.watch?.begin();
      run.counters.begin(p.rdtsc());
      for (let i = 0; i < messages; i++) {
        if (options.before !== undefined) yield* options.before(p);
        trips.sends(p, server as unknown as Program);
        yield* end.send(out, size);
        trips.sent(p);
        yield* end.receive(into, size);
        trips.returns(p);
      }
      run.counters.end(p.rdtsc());
      options.watch?.end();
      yield* fill(p, out, size, warmUp);
      yield* end.send(out, size);
      yield* check(p, yield* end.receive(into, size), size, warmUp + STRIDE);
    },
    function* (p, end) {
      server = p;
      const [out, into] = yield* buffers(p, size);
      const checked = function* (i: number): Routine {
        yield* check(p, yield* end.receive(into, size), size, i);
        yield* fill(p, out, size, i + STRIDE);
        yield* end.send(out, size);
      };
      for (let i = 0; i < warmUp; i++) yield* checked(i);
      for (let i = 0; i < messages; i++) {
        yield* end.receive(into, size);
        trips.arrives(p);
        yield* end.send(out, size);
        trips.sent(p);
      }
      yield* checked(warmUp);
    },
  );
  const { there, back, roundTrip } = trips;
  return { there, back, roundTrip, ...run.usage(2 * messages) };
}

/** The client sends and sends; the server answers once, at the end. @throws CompareError USAGE if the mechanism sends one at a time */
export function streaming(mechanism: Mechanism, options: WorkloadOptions): Streaming {
  needsStream(mechanism, 'cannot stream');
  const { messages, warmUp, size } = options;
  const run = new Run(mechanism, options);
  run.start(
    function* (p, end) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i++) {
        yield* fill(p, out, size, i);
        yield* end.send(out, size);
        yield* end.receive(into, size);
      }
      run.counters.begin(p.rdtsc());
      for (let i = 0; i < messages; i++) yield* end.send(out, size);
      yield* end.receive(into, size);
    },
    function* (p, end) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i++) {
        yield* check(p, yield* end.receive(into, size), size, i);
        yield* end.send(out, size);
      }
      let last = into;
      for (let i = 0; i < messages; i++) last = yield* end.receive(into, size);
      run.counters.end(p.rdtsc());
      yield* check(p, last, size, warmUp - 1);
      yield* end.send(out, size);
    },
  );
  return run.usage(messages);
}

/**
 * The client sends `depth` requests and then waits for as many answers; the server takes a batch and then answers it.
 * `messages` are requests, and a multiple of `depth`; so are those that warm up.
 * @throws CompareError USAGE also if the mechanism sends one at a time
 */
export function batches(mechanism: Mechanism, depth: number, options: WorkloadOptions): Streaming {
  needsStream(mechanism, 'has no batches');
  const { messages, warmUp, size } = options;
  checkWhole('depth', depth, 1);
  for (const [what, value] of Object.entries({ messages, warmUp })) {
    if (value % depth !== 0) throw new CompareError('USAGE', `${what}: ${value} is not a multiple of the depth, which is ${depth}`);
  }
  const run = new Run(mechanism, options);
  run.start(
    function* (p, end) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i += depth) {
        yield* fill(p, out, size, i);
        for (let j = 0; j < depth; j++) yield* end.send(out, size);
        for (let j = 0; j < depth; j++) yield* check(p, yield* end.receive(into, size), size, i + STRIDE);
      }
      let last = into;
      run.counters.begin(p.rdtsc());
      for (let i = 0; i < messages; i += depth) {
        for (let j = 0; j < depth; j++) yield* end.send(out, size);
        for (let j = 0; j < depth; j++) last = yield* end.receive(into, size);
      }
      run.counters.end(p.rdtsc());
      yield* check(p, last, size, warmUp - depth + STRIDE);
    },
    function* (p, end) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i += depth) {
        for (let j = 0; j < depth; j++) yield* check(p, yield* end.receive(into, size), size, i);
        yield* fill(p, out, size, i + STRIDE);
        for (let j = 0; j < depth; j++) yield* end.send(out, size);
      }
      for (let i = 0; i < messages; i += depth) {
        for (let j = 0; j < depth; j++) yield* end.receive(into, size);
        for (let j = 0; j < depth; j++) yield* end.send(out, size);
      }
    },
  );
  return run.usage(2 * messages);
}

/** What the server does between a request and its answer, and how often requests come. */
export interface Handler {
  /** TSC cycles of computing. */
  readonly cycles: number;
  /** System calls (getppid). */
  readonly systemCalls: number;
  /** Nanoseconds that the client sleeps before each request; without, it sends the next one as soon as it has an answer. */
  readonly pause?: number;
}

/** As `pingPong`, but the server works on each message, and the client may pause before each. @throws CompareError USAGE, CHANGED; MachineError CALL_FAILED */
export function requests(mechanism: Mechanism, { cycles, systemCalls, pause = 0 }: Handler, options: WorkloadOptions): PingPong {
  const working: Mechanism = {
    ...mechanism,
    start: (machine, meeting) =>
      mechanism.start(machine, {
        ...meeting,
        server: (p, end) =>
          meeting.server(p, {
            ...end,
            *send(address, length) {
              if (cycles > 0) yield* p.compute(cycles);
              for (let i = 0; i < systemCalls; i++) done('getppid', yield* p.getppid());
              yield* end.send(address, length);
            },
          }),
      }),
  };
  return pingPong(working, pause === 0 ? options : { ...options, before: (p) => sleep(p, pause) });
}

/** @param otherwise what a mechanism that sends one message at a time cannot do */
function needsStream(mechanism: Mechanism, otherwise: string): void {
  if (!mechanism.streams) throw new CompareError('USAGE', `${mechanism.name} sends one message at a time: it ${otherwise}`);
}

function* sleep(p: Program, ns: number): Routine {
  done('nanosleep', yield* p.sleep(ns));
}

/** One machine with one meeting of two sides. */
class Run {
  readonly machine: Machine;
  readonly counters: Counters;
  readonly #mechanism: Mechanism;
  readonly #options: WorkloadOptions;

  constructor(mechanism: Mechanism, options: WorkloadOptions) {
    checkOptions(mechanism, options);
    this.machine = machineWith(mechanism.plugins?.() ?? [], options.machine);
    this.counters = new Counters(this.machine);
    this.#mechanism = mechanism;
    this.#options = options;
  }

  /** Runs both sides to their ends. */
  start(client: (p: Program, end: Endpoint) => Routine, server: (p: Program, end: Endpoint) => Routine): void {
    const { size, cpus, waiting } = this.#options;
    let ended = 0;
    const ending = (side: typeof client) =>
      function* (p: Program, end: Endpoint): Routine {
        yield* side(p, end);
        yield* end.close?.() ?? [];
        ended++;
      };
    this.#mechanism.start(this.machine, { size, cpus, waiting, client: ending(client), server: ending(server) });
    this.machine.run();
    exactly(`${this.#mechanism.name}: sides that ended as they should`, ended, 2);
  }

  usage(messages: number): Usage {
    return usageOf(this.machine, this.counters, [...new Set(this.#options.cpus)], messages);
  }
}

/** What a workload reports once its machine has come to its end. @param cpus those of its sides */
export function usageOf(machine: Machine, counters: Counters, cpus: readonly number[], messages: number): Usage {
  return {
    messages,
    elapsed: counters.elapsed,
    busy: cpus.map((cpu) => counters.busy(cpu)),
    counts: counters.counts,
    tscGHz: machine.platform.profile.clock.tscGHz,
    fingerprint: machine.fingerprint(),
  };
}

function checkOptions(mechanism: Mechanism, { size, cpus, waiting, messages, warmUp }: WorkloadOptions): void {
  const {
    name,
    oneCpu,
    sizes: [smallest, largest],
  } = mechanism;
  if (!Number.isInteger(size) || size < smallest || size > largest) {
    throw new CompareError('USAGE', `${name} takes messages of ${smallest} to ${largest} bytes, not of ${size}`);
  }
  checkWaiting(mechanism, waiting);
  if (oneCpu === true && cpus[0] !== cpus[1]) {
    throw new CompareError('USAGE', `${name} takes both sides on one CPU, not on ${cpus[0]} and ${cpus[1]}`);
  }
  checkWhole('messages', messages, 1);
  checkWhole('warmUp', warmUp, LEAST_WARM_UP);
}
