import { Signal } from '@rpal/uapi';
import { expect, it } from 'vitest';
import { KernelStep } from '../src/index.js';
import { run, runOn, smallMachine } from './support.js';

const PAGE = 4096;

it('copies bytes over page borders at any offset, and leaves what is beside them', () => {
  run(function* (p) {
    const source = yield* p.allocate(3 * PAGE);
    const target = yield* p.allocate(3 * PAGE);
    const bytes = Uint8Array.from({ length: 3 * PAGE }, (_, i) => (i * 7 + (i >> 8)) & 255);
    yield* p.storeBytes(source, bytes);
    const seen = new Uint8Array(3 * PAGE);
    for (const [to, from, length] of [
      [0, 0, 3 * PAGE],
      [4090, 17, 20],
      [17, 4090, 4100],
      [4095, 4095, 1],
      [5, 6, 0],
    ] as const) {
      yield* p.memset(target, 0xee, 3 * PAGE);
      yield* p.memcpy(target + to, source + from, length);
      yield* p.loadBytes(target, seen);
      expect(seen).toEqual(
        Uint8Array.from({ length: 3 * PAGE }, (_, i) => (i >= to && i < to + length ? (bytes[i - to + from] as number) : 0xee)),
      );
    }
  });
});

it('moves the lines of both ranges and costs by the byte', () => {
  const machine = smallMachine();
  runOn(machine, function* (p) {
    const source = yield* p.allocate(PAGE);
    const target = yield* p.allocate(PAGE);
    yield* p.memset(source, 1, PAGE);
    yield* p.memset(target, 2, PAGE);
    const { cpu } = p.context;
    const before = cpu.ledger.booked(KernelStep.memcpy);
    yield* p.memcpy(target, source, PAGE);
    const { step, perByte } = machine.platform.costs;
    expect(cpu.ledger.booked(KernelStep.memcpy) - before).toBe(
      (step[KernelStep.memcpy] as number) + Math.round((perByte[KernelStep.memcpy] as number) * PAGE),
    );
  });
});

it('faults where one of the ranges is not there', () => {
  const dies: number[] = [];
  run(function* (p) {
    const there = yield* p.allocate(PAGE);
    const page = yield* p.allocate(PAGE);
    yield* p.munmap(page, PAGE);
    yield* p.sigaction(Signal.SEGV, function* (handler) {
      dies.push(1);
      yield* handler.exit(0);
    });
    yield* p.memcpy(there, page, 8);
  });
  expect(dies).toEqual([1]);
});
