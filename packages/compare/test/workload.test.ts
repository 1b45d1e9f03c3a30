import { HwStep, profiles } from '@rpal/hw-x86';
import { createMachine } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { RecordingLedger } from '../src/explain/recording-ledger.js';
import { CompareError, type Mechanism, mechanisms, pingPong, requests, streaming } from '../src/index.js';

const [server] = profiles;
const profile = { ...server!, topology: { sockets: 1, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 } };
const named = (name: string): Mechanism => mechanisms.find((candidate) => candidate.name === name)!;
const options = { machine: { profile }, size: 32, cpus: [0, 1], waiting: 'sleep', messages: 2, warmUp: 10 } as const;

describe('a workload', () => {
  it('takes messages of the sizes that its mechanism can carry, both ends included', () => {
    const limited = mechanisms.find(({ sizes: [, largest] }) => largest < 100_000)!;
    const { name, sizes, waits } = limited;
    const [smallest, largest] = sizes;
    const run = (size: number) => pingPong(limited, { ...options, waiting: waits[0]!, size }).messages;
    expect([run(smallest), run(largest)]).toEqual([run(smallest + 1), run(smallest + 1)]);
    for (const size of [smallest - 1, largest + 1, smallest + 0.5]) {
      expect(() => run(size)).toThrow(`${name} takes messages of ${smallest} to ${largest} bytes, not of ${size}`);
    }
  });

  it('refuses what cannot be run, by name', () => {
    const pipe = named('pipe');
    expect(() => pingPong(pipe, { ...options, messages: 0 })).toThrow('messages: 0 is not a whole number from 1 on');
    expect(() => pingPong(pipe, { ...options, warmUp: 9 })).toThrow('warmUp: 9 is not a whole number from 10 on');
    expect(() => pingPong(pipe, { ...options, waiting: 'call' as never })).toThrow(CompareError);
    const single = mechanisms.find(({ streams }) => !streams)!;
    expect(() => streaming(single, { ...options, waiting: single.waits[0]! })).toThrow(CompareError);
  });

  it('takes as much longer as its handler works', () => {
    const trip = (cycles: number) => requests(named('unix'), { cycles, systemCalls: 0 }, options).roundTrip.cycles;
    expect(trip(50_000) - trip(10_000)).toBeGreaterThan(39_000);
    expect(trip(50_000) - trip(10_000)).toBeLessThan(42_000);
  });
});

describe('a ledger that keeps the order', () => {
  const { costs } = createMachine({ profile }).platform;
  const { invept, vmExit } = HwStep;

  it('puts together what one step takes on one CPU, and nothing else', () => {
    let cpu: number | null = 0;
    const ledger = new RecordingLedger(costs, () => cpu);
    ledger.book(invept, 10);
    ledger.book(invept, 5);
    cpu = 1;
    ledger.book(invept, 7);
    ledger.book(vmExit, 1);
    ledger.book(invept, 2);
    expect(ledger.bookings).toEqual([
      { step: invept, cycles: 15, cpu: 0 },
      { step: invept, cycles: 7, cpu: 1 },
      { step: vmExit, cycles: 1, cpu: 1 },
      { step: invept, cycles: 2, cpu: 1 },
    ]);
  });

  it('has the way of a wake-up between the CPUs, on none', () => {
    const ledger = new RecordingLedger(costs, () => 1);
    ledger.book(HwStep.wakeTransit, 30);
    ledger.book(vmExit, 1);
    expect(ledger.bookings.map(({ cpu }) => cpu)).toEqual([null, 1]);
  });

  it('takes back from the end what the sender did after the receiver had the message', () => {
    const ledger = new RecordingLedger(costs, () => 0);
    ledger.book(invept, 10);
    ledger.book(vmExit, 4);
    ledger.book(HwStep.senderBusy, -6);
    expect(ledger.bookings).toEqual([{ step: invept, cycles: 8, cpu: 0 }]);
  });
});
