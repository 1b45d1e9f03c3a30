import { Access, Touch } from '@rpal/hw-x86';
import { Madvise } from '@rpal/uapi';
import { expect, it } from 'vitest';
import type { Main } from '../src/index.js';
import { KernelStep } from '../src/index.js';
import { runOn, smallMachine } from './support.js';

const PAGE = 4096;

/** Two programs side by side: the other core is busy all the time, so faults are not through at once. */
function beside(main: Main): ReturnType<typeof smallMachine> {
  const machine = smallMachine();
  let over = false;
  runOn(
    machine,
    function* (p) {
      yield* main(p);
      over = true;
    },
    function* (p) {
      while (!over) yield* p.compute(50);
    },
  );
  return machine;
}

it('finds what differs though the second range is not there yet and another core is busy', () => {
  const results: number[] = [];
  beside(function* (p) {
    const sevens = yield* p.allocate(3 * PAGE);
    yield* p.memset(sevens, 7, 3 * PAGE);
    const others = yield* p.allocate(3 * PAGE);
    for (let i = 0; i < 20; i++) {
      yield* p.madvise(others, 3 * PAGE, Madvise.DONTNEED);
      results.push(yield* p.memcmp(sevens, others, 32), yield* p.memcmp(others, sevens, 32));
    }
  });
  expect(results).toEqual(Array(40).fill(1));
});

it('compares every byte once, wherever the pages of the two ranges end', () => {
  const results: number[] = [];
  beside(function* (p) {
    const a = yield* p.allocate(8 * PAGE);
    const b = yield* p.allocate(8 * PAGE);
    const length = 5 * PAGE;
    for (const [from, to] of [
      [100, 3000],
      [3000, 100],
      [4095, 1],
    ] as const) {
      for (const at of [0, PAGE - to, PAGE - from, 2 * PAGE, length - 1]) {
        yield* p.memset(a, 7, 8 * PAGE);
        yield* p.memset(b, 7, 8 * PAGE);
        yield* p.store8(b + to + at, 8);
        results.push(
          yield* p.memcmp(a + from, b + to, length),
          yield* p.memcmp(a + from, b + to, at),
          yield* p.memcmp(a + from, b + to, 0),
        );
      }
    }
  });
  expect(results).toEqual(Array(15).fill([1, 0, 0]).flat());
});

it('costs what its bytes cost, once, and the lines of both ranges', () => {
  const machine = smallMachine();
  const moved: number[] = [];
  const booked: number[] = [];
  runOn(machine, function* (p) {
    const a = yield* p.allocate(2 * PAGE);
    const b = yield* p.allocate(2 * PAGE);
    yield* p.memset(a, 1, 2 * PAGE);
    yield* p.memset(b, 1, 2 * PAGE);
    const { cpu } = p.context;
    const [other] = machine.platform.cpus.slice(1);
    for (const taken of [null, a, b]) {
      if (taken !== null && other !== undefined) {
        const physical = cpu.data(taken, Access.user);
        other.coherence.touchRange(other, physical, PAGE, Touch.STORE);
      }
      const before = [cpu.linesMoved, cpu.ledger.booked(KernelStep.memcmp)] as const;
      yield* p.memcmp(a, b, PAGE);
      moved.push(cpu.linesMoved - before[0]);
      booked.push(cpu.ledger.booked(KernelStep.memcmp) - before[1]);
    }
  });
  expect(moved).toEqual([0, 64, 64]);
  const { step, perByte } = machine.platform.costs;
  const price = (step[KernelStep.memcmp] as number) + Math.round((perByte[KernelStep.memcmp] as number) * PAGE);
  expect(booked).toEqual([price, price, price]);
});
