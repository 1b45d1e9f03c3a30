import { type CostModel, type Cpu, Ledger, ModelBug } from '@rpal/hw-x86';
import type { Handover } from '@rpal/sched';
import { MachineError } from '../errors.js';
import type { Kernel } from '../kernel.js';
import type { Program } from '../program/program.js';
import { Trip } from './trip.js';

/**
 * Follows messages from one program to another and back, one at a time, along their critical path: what either CPU does for the
 * message, and what it waits for. The programs say where a message is:
 *
 * ```ts
 * trips.sends(client, server); // the client begins to send: the way there begins
 * trips.arrives(server);       // the server has it: the way there ends, the way back begins
 * trips.returns(client);       // the client has the answer
 * ```
 *
 * It costs no simulated time, and a run is the same with it and without.
 */
export class Trips {
  readonly #there: Ledger;
  readonly #back: Ledger;
  readonly #memory: Handover;
  readonly #tscPerNs: number;
  #client: Program | null = null;
  #arrived = 0;
  #returned = 0;
  #thereCycles = 0;
  #backCycles = 0;

  /** @param book makes the ledgers of the way there and of the way back, in this order, for who wants to see what is booked as it is */
  constructor({ platform, scheduler }: Kernel, book: (costs: CostModel) => Ledger = (costs) => new Ledger(costs)) {
    this.#there = book(platform.costs);
    this.#back = book(platform.costs);
    this.#memory = scheduler.handovers.open('shared memory');
    this.#tscPerNs = platform.costs.tscPerNs;
  }

  /** `client` begins to send to `server`. */
  sends(client: Program, server: Program): void {
    const { cpu } = client.context;
    this.#client = client;
    cpu.path.start(cpu, this.#there, server.context.thread);
  }

  /**
   * `program` has sent. Where a message goes through a file, a queue, a signal or a futex the kernel has noticed; what was stored in
   * shared memory for a program that looks at it all the time is on its way from here on.
   */
  sent(program: Program): void {
    this.#memory.leave(program.context.cpu);
  }

  /** `server` has the message: the way there ends and the way back begins. */
  arrives(server: Program): void {
    const cpu = this.#found(server);
    if (this.#client === null) throw new MachineError('MEASURE', 'a message arrives that was not sent: call sends(client, server) before');
    this.#thereCycles += cpu.path.turn(cpu, this.#back, this.#client.context.thread);
    this.#arrived++;
  }

  /** `client` has the answer. */
  returns(client: Program): void {
    const cpu = this.#found(client);
    this.#backCycles += cpu.path.finish(cpu);
    this.#returned++;
  }

  /** The program sees what is in shared memory. Nothing to do where the kernel has handed the message over. */
  #found({ context: { cpu, thread } }: Program): Cpu {
    this.#memory.find(cpu, thread);
    return cpu;
  }

  /** From `sends` to `arrives`. */
  get there(): Trip {
    return this.#trip(this.#arrived, this.#thereCycles, this.#there);
  }

  /** From `arrives` to `returns`. */
  get back(): Trip {
    return this.#trip(this.#returned, this.#backCycles, this.#back);
  }

  get roundTrip(): Trip {
    return this.#trip(this.#returned, this.#thereCycles + this.#backCycles, this.#there, this.#back);
  }

  #trip(count: number, cycles: number, ...ledgers: Ledger[]): Trip {
    if (count === 0) throw new MachineError('MEASURE', 'no message has come to the end of this trip');
    const trip = new Trip(count, cycles, ledgers, this.#tscPerNs);
    if (trip.booked !== cycles) throw new ModelBug('the ledger does not close', { booked: trip.booked, passed: cycles });
    return trip;
  }
}
