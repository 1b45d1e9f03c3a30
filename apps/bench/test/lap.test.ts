import { CoherenceDirectory, Cpu, Pointer } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { type Phase, type Placement, RfcBenchmark } from '../src/rfc-benchmark.js';

const WARM_UP = 300;
const LAPS = 300;
/** TSC cycles of machine time: a few laps. */
const SLICE = 100_000;

// biome-ignore lint/suspicious/noExplicitAny: any method of any class
type Methods = Record<string, (...args: any[]) => unknown>;

/** Calls of one method, of whatever object of its class. A spy of the test runner would keep all arguments. */
class CallCounter {
  calls = 0;
  readonly #methods: Methods;
  readonly #name: string;
  readonly #original: Methods[string];
  readonly #inherited: boolean;

  constructor(prototype: object, name: string) {
    this.#methods = prototype as Methods;
    this.#name = name;
    this.#original = this.#methods[name] as Methods[string];
    this.#inherited = !Object.hasOwn(prototype, name);
    const counter = this;
    this.#methods[name] = function (this: unknown, ...args) {
      counter.calls++;
      return counter.#original.apply(this, args);
    };
  }

  restore(): void {
    if (this.#inherited) delete this.#methods[this.#name];
    else this.#methods[this.#name] = this.#original;
  }
}

/** What a round trip takes, in the average of some hundred, to the next whole number: where the window begins moves hundredths. */
function operationsOf(phase: Phase, placement: Placement): Record<string, number> {
  const benchmark = new RfcBenchmark({ machine: {}, placement, messages: 1e6, size: 32, phases: [phase] });
  const advance = (laps: number): number => {
    const before = benchmark.messages;
    while (benchmark.messages < before + laps) benchmark.advance(SLICE);
    return benchmark.messages - before;
  };
  advance(WARM_UP);
  const { mmu } = benchmark.machine.platform.cpus[0] as Cpu;
  const counters = {
    // Cycles are spent on a step, on a computed amount, or on a length, which is one of each besides.
    charges: new CallCounter(Cpu.prototype, 'charge'),
    'computed charges': new CallCounter(Cpu.prototype, 'chargeCycles'),
    'charges by length': new CallCounter(Cpu.prototype, 'chargeBytes'),
    'accesses by address': new CallCounter(Cpu.prototype, 'data'),
    'accesses by pointer': new CallCounter(Pointer.prototype, 'data'),
    'translations beyond the short cut': new CallCounter(Object.getPrototypeOf(mmu), 'translate'),
    'touches of the directory of lines': new CallCounter(CoherenceDirectory.prototype, 'touch'),
    turns: new CallCounter(Cpu.prototype, 'beginTurn'),
    steps: new CallCounter(Cpu.prototype, 'step'),
  };
  try {
    const laps = advance(LAPS);
    return Object.fromEntries(Object.entries(counters).map(([name, { calls }]) => [name, Math.round(calls / laps)]));
  } finally {
    for (const counter of Object.values(counters)) counter.restore();
  }
}

// Free of the noise of clocks: these numbers are the same on every computer. One that grows makes the model slower; one that falls
// is written down by `vitest --update`.
describe('a round trip takes', () => {
  it('through socket and epoll, on two CPUs', () => {
    expect(operationsOf('epoll', 'same-socket')).toMatchInlineSnapshot(`
      {
        "accesses by address": 12,
        "accesses by pointer": 0,
        "charges": 91,
        "charges by length": 8,
        "computed charges": 24,
        "steps": 9,
        "touches of the directory of lines": 8,
        "translations beyond the short cut": 0,
        "turns": 6,
      }
    `);
  });

  it('through socket and epoll, on one CPU', () => {
    expect(operationsOf('epoll', 'same-cpu')).toMatchInlineSnapshot(`
      {
        "accesses by address": 12,
        "accesses by pointer": 0,
        "charges": 71,
        "charges by length": 8,
        "computed charges": 8,
        "steps": 4,
        "touches of the directory of lines": 4,
        "translations beyond the short cut": 0,
        "turns": 0,
      }
    `);
  });

  it('through RPAL, on two CPUs', () => {
    expect(operationsOf('rpal', 'same-socket')).toMatchInlineSnapshot(`
      {
        "accesses by address": 22,
        "accesses by pointer": 45,
        "charges": 102,
        "charges by length": 8,
        "computed charges": 8,
        "steps": 3,
        "touches of the directory of lines": 40,
        "translations beyond the short cut": 0,
        "turns": 0,
      }
    `);
  });

  it('through RPAL, on one CPU', () => {
    expect(operationsOf('rpal', 'same-cpu')).toMatchInlineSnapshot(`
      {
        "accesses by address": 20,
        "accesses by pointer": 45,
        "charges": 102,
        "charges by length": 8,
        "computed charges": 8,
        "steps": 3,
        "touches of the directory of lines": 9,
        "translations beyond the short cut": 0,
        "turns": 0,
      }
    `);
  });
});
