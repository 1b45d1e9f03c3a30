import { errnoName } from '@rpal/uapi';
import { MachineError } from '../errors.js';
import type { Machine } from '../machine.js';
import { executable } from '../program/executable.js';
import type { Program } from '../program/program.js';
import type { Trip } from './trip.js';
import { Trips } from './trips.js';

/** The result of a program's routine that may fail as a system call does: a negative number is an errno. */
type Outcome = Generator<void, number | void>;

/**
 * How two processes exchange messages. The first, the client, opens what both use and forks the second, the server; then each
 * sends and receives in turn. `E` is what a side knows: descriptors, addresses.
 */
export interface Exchange<E> {
  /** Makes what both sides use. @returns the client's end and the server's */
  open(p: Program): Generator<void, readonly [client: E, server: E]>;
  /** In each of the two: makes what a side has of its own, an epoll instance for example. */
  prepare?(p: Program, end: NoInfer<E>): Outcome;
  send(p: Program, end: NoInfer<E>): Outcome;
  receive(p: Program, end: NoInfer<E>): Outcome;
}

/** How an exchange is measured. */
export interface MeasureOptions {
  /** Round trips that count; 1000 by default. */
  readonly rounds?: number;
  /** Round trips before them; a tenth as many by default. */
  readonly warmUp?: number;
  /** CPUs that client and server are pinned to; 0 and 1 by default. `free`: the scheduler chooses. */
  readonly cpus?: readonly [client: number, server: number] | 'free';
}

/** What an exchange took. */
export interface Measurement {
  /** From the moment at which the client begins to send to the one at which the server has received. */
  readonly there: Trip;
  /** From there to the moment at which the client has received. */
  readonly back: Trip;
  readonly roundTrip: Trip;
}

/** Time for both sides to get ready, ns. */
const SETTLE = 1e6;

/**
 * Measures how long messages take from one process to another and back, with every cycle of the critical path booked. Runs the machine
 * until all its programs have ended.
 * @throws MachineError MEASURE if a call of the exchange fails, or the options make no sense
 */
export function measure<E>(machine: Machine, exchange: Exchange<E>, options: MeasureOptions = {}): Measurement {
  const { rounds = 1000, cpus = [0, 1] } = options;
  const { warmUp = Math.ceil(rounds / 10) } = options;
  if (!Number.isInteger(rounds) || rounds < 1) throw new MachineError('MEASURE', `rounds: ${rounds} is not a whole number above 0`);
  if (!Number.isInteger(warmUp) || warmUp < 0) throw new MachineError('MEASURE', `warmUp: ${warmUp} is not a whole number, 0 or more`);
  const trips = new Trips(machine.kernel);
  const side = (who: 'client' | 'server') => new Side(exchange, who, cpus === 'free' ? null : cpus[who === 'client' ? 0 : 1]);

  machine.spawn(
    executable('client', function* (p) {
      const [near, far] = yield* exchange.open(p);
      let peer: Program | null = null;
      yield* p.fork(function* server(child) {
        peer = child;
        const end = side('server');
        yield* end.begin(child, far);
        for (let i = -warmUp; i < rounds; i++) {
          yield* end.receive(child, far);
          if (i >= 0) trips.arrives(child);
          yield* end.send(child, far);
          if (i >= 0) trips.sent(child);
        }
      });
      const end = side('client');
      yield* end.begin(p, near);
      yield* p.sleep(SETTLE);
      for (let i = -warmUp; i < rounds; i++) {
        if (i >= 0) trips.sends(p, peer as unknown as Program);
        yield* end.send(p, near);
        if (i >= 0) trips.sent(p);
        yield* end.receive(p, near);
        if (i >= 0) trips.returns(p);
      }
    }),
    cpus === 'free' ? 0 : cpus[0],
  );
  machine.run();
  const { there, back, roundTrip } = trips;
  return { there, back, roundTrip };
}

/** One of the two processes: its calls, checked. */
class Side<E> {
  readonly #exchange: Exchange<E>;
  readonly #who: string;
  readonly #cpu: number | null;

  constructor(exchange: Exchange<E>, who: string, cpu: number | null) {
    this.#exchange = exchange;
    this.#who = who;
    this.#cpu = cpu;
  }

  *begin(p: Program, end: E): Generator<void, void> {
    if (this.#cpu !== null) this.#check('setAffinity', yield* p.setAffinity([this.#cpu]));
    if (this.#exchange.prepare !== undefined) this.#check('prepare', yield* this.#exchange.prepare(p, end));
  }

  *send(p: Program, end: E): Generator<void, void> {
    this.#check('send', yield* this.#exchange.send(p, end));
  }

  *receive(p: Program, end: E): Generator<void, void> {
    this.#check('receive', yield* this.#exchange.receive(p, end));
  }

  #check(call: string, result: number | void): void {
    if (typeof result === 'number' && result < 0)
      throw new MachineError('MEASURE', `${call} of the ${this.#who} failed: ${errnoName(result)}`);
  }
}
