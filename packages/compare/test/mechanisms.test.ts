import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { type Mechanism, mechanisms, pingPong, requests, streaming, type WorkloadOptions } from '../src/index.js';

const [server] = profiles;
/** The RFC's CPU with few cores and little memory: machines are made in no time. */
const profile = {
  ...server!,
  topology: { sockets: 1, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 },
};

const named = (name: string): Mechanism => mechanisms.find((mechanism) => mechanism.name === name) as Mechanism;

/** As small as the mechanism allows, near `size`. */
function options(mechanism: Mechanism, size: number, more: Partial<WorkloadOptions> = {}): WorkloadOptions {
  const [smallest, largest] = mechanism.sizes;
  return {
    machine: { profile },
    size: Math.min(Math.max(size, smallest), largest),
    cpus: placesOf(mechanism)[0]!,
    waiting: mechanism.waits[0]!,
    messages: 20,
    warmUp: 10,
    ...more,
  };
}

/** Where the two sides may be. */
function placesOf({ oneCpu }: Mechanism): readonly (readonly [number, number])[] {
  return oneCpu === true
    ? [[0, 0]]
    : [
        [0, 1],
        [0, 0],
      ];
}

const situations = mechanisms.flatMap((mechanism) =>
  mechanism.waits.flatMap((waiting) =>
    placesOf(mechanism).map(
      (cpus) => [`${mechanism.name}, sides that ${waiting}, on ${new Set(cpus).size} CPUs`, mechanism, { waiting, cpus }] as const,
    ),
  ),
);

describe('Every mechanism', () => {
  it.each(situations)('brings every byte there and back, and every cycle is booked: %s', (_name, mechanism, situation) => {
    const { there, back, roundTrip, messages } = pingPong(mechanism, options(mechanism, 5000, { ...situation, messages: 5 }));
    expect(messages).toBe(10);
    for (const trip of [there, back]) {
      expect(trip.count).toBe(5);
      expect(trip.booked).toBe(trip.totalCycles);
    }
    expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
  });

  it.each(mechanisms.filter(({ streams }) => streams).map((mechanism) => [mechanism.name, mechanism] as const))(
    'streams: %s',
    (_name, mechanism) => {
      const own = options(mechanism, 64, { messages: 100 });
      const { elapsed, busy } = streaming(mechanism, own);
      // What streams overlaps: no message waits for the one before it to be answered.
      expect(elapsed).toBeGreaterThan(0);
      expect(elapsed / 100).toBeLessThanOrEqual(pingPong(mechanism, own).roundTrip.cycles);
      for (const cycles of busy) expect(cycles).toBeLessThanOrEqual(elapsed);
    },
  );

  it.each(['unix', 'futex', 'rpal'])('comes to the same result twice: %s', (name) => {
    const mechanism = named(name);
    const once = (): string => pingPong(mechanism, options(mechanism, 32)).fingerprint;
    expect(once()).toBe(once());
  });
});

describe('What is counted', () => {
  it('are kernel entries, switches, and the time that the CPUs were awake', () => {
    const pipe = pingPong(named('pipe'), options(named('pipe'), 32));
    // A write and a read on each side, each of which switches away and back.
    expect(pipe.counts).toMatchObject({ kernelEntries: 4 * 20, contextSwitches: 4 * 20, ipis: 0, tlbFlushes: 0 });
    expect(pipe.busy).toHaveLength(2);
    const spin = pingPong(named('spin'), options(named('spin'), 32));
    expect(spin.counts).toMatchObject({ kernelEntries: 0, contextSwitches: 0 });
    // Who spins is never idle.
    for (const cycles of spin.busy) expect(cycles).toBe(spin.elapsed);
    // A server's CPU that nothing wakes is idle from the beginning to the end.
    expect(pingPong(named('rpal'), options(named('rpal'), 32)).busy[1]).toBe(0);
    const shared = pingPong(named('pipe'), options(named('pipe'), 32, { cpus: [0, 0] }));
    expect(shared.busy).toHaveLength(1);
  });
});

describe('What the comparison is for', () => {
  it('RPAL beats every mechanism of the kernel one way on two CPUs, and a function call beats RPAL', () => {
    const oneWay = (name: string): number => pingPong(named(name), options(named(name), 32)).there.cycles;
    const rpal = oneWay('rpal');
    for (const name of ['pipe', 'stream', 'datagram', 'seqpacket', 'unix', 'mq', 'futex', 'eventfd-ring', 'process-vm']) {
      expect(oneWay(name), name).toBeGreaterThan(3 * rpal);
    }
    expect(oneWay('call')).toBeLessThan(rpal / 10);
  });

  it('a call that switches straight to the other side takes one kernel entry a message, and beats RPAL there and back on one CPU', () => {
    const onOneCpu = (name: string) => pingPong(named(name), options(named(name), 32, { cpus: [0, 0] }));
    const { counts, roundTrip } = onOneCpu('switch-to');
    expect(counts).toMatchObject({ kernelEntries: 2 * 20, contextSwitches: 2 * 20 });
    for (const name of ['rpal', 'futex', 'pipe', 'mq']) expect(onOneCpu(name).roundTrip.cycles, name).toBeGreaterThan(roundTrip.cycles);
  });

  it('RPAL loses with large messages by value on one CPU, and not by reference', () => {
    const oneWay = (name: string): number => pingPong(named(name), options(named(name), 4096, { cpus: [0, 0] })).there.cycles;
    const pipe = oneWay('pipe');
    expect(oneWay('rpal')).toBeGreaterThan(2 * pipe);
    expect(oneWay('rpal-reference')).toBeLessThan(pipe);
  });

  it('a handler costs what it computes', () => {
    const plain = pingPong(named('spin'), options(named('spin'), 32)).roundTrip.cycles;
    const working = requests(named('spin'), { cycles: 10_000, systemCalls: 0 }, options(named('spin'), 32)).roundTrip.cycles;
    expect(Math.abs(working - plain - 10_000)).toBeLessThan(100);
  });
});

describe('Wrong use', () => {
  it('is refused by name, with what would be right', () => {
    const pipe = named('pipe');
    expect(() => pingPong(pipe, { ...options(pipe, 8), size: 0 })).toThrow('pipe takes messages of 1 to 1048576 bytes, not of 0');
    expect(() => pingPong(named('spin'), { ...options(named('spin'), 8), waiting: 'sleep' })).toThrow(
      'the sides of spin poll; they cannot sleep',
    );
    expect(() => pingPong(named('switch-to'), { ...options(named('switch-to'), 8), cpus: [0, 1] })).toThrow(
      'switch-to takes both sides on one CPU, not on 0 and 1',
    );
    expect(() => pingPong(pipe, { ...options(pipe, 8), messages: 0 })).toThrow('messages: 0 is not a whole number from 1 on');
    expect(() => pingPong(pipe, { ...options(pipe, 8), warmUp: 9 })).toThrow('warmUp: 9 is not a whole number from 10 on');
    expect(() => streaming(named('rpal-reference'), options(named('rpal-reference'), 8))).toThrow('sends one message at a time');
  });

  it('a message that comes changed ends the run', () => {
    const pipe = named('pipe');
    const lossy: Mechanism = {
      ...pipe,
      start: (machine, meeting) =>
        pipe.start(machine, {
          ...meeting,
          server: (p, end) =>
            meeting.server(p, {
              ...end,
              *receive(address, length) {
                const at = yield* end.receive(address, length);
                yield* p.store8(at + length - 1, 0xff);
                return at;
              },
            }),
        }),
    };
    expect(() => pingPong(lossy, options(pipe, 8))).toThrow('byte 7 of message 0 came as 255, not 7');
  });
});
