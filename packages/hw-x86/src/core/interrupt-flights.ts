import { TimedEvent } from '../time/event-queue.js';

/** Interrupts on their way to one processor. The objects are reused: sending an interrupt allocates nothing. */
export class InterruptFlights {
  readonly #arm: (event: TimedEvent, time: number) => void;
  readonly #arrive: (vector: number, time: number) => void;
  readonly #spare: Flight[] = [];

  /** @param arrive called with the vector when it is there, and with the time */
  constructor(arm: (event: TimedEvent, time: number) => void, arrive: (vector: number, time: number) => void) {
    this.#arm = arm;
    this.#arrive = arrive;
  }

  /** `vector` will arrive at `time`. */
  send(vector: number, time: number): void {
    const flight = this.#spare.pop() ?? new Flight(this);
    flight.vector = vector;
    this.#arm(flight, time);
  }

  /** @internal */
  landed(flight: Flight): void {
    this.#arrive(flight.vector, flight.time);
    this.#spare.push(flight);
  }
}

class Flight extends TimedEvent {
  vector = 0;
  readonly #flights: InterruptFlights;

  constructor(flights: InterruptFlights) {
    super();
    this.#flights = flights;
  }

  override fire(): void {
    this.#flights.landed(this);
  }
}
