import { definePlugin } from '@rpal/bus';
import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import {
  batches,
  type FanInOptions,
  fanIn,
  type Mechanism,
  mechanisms,
  pingPong,
  rpalMechanism,
  type WorkloadOptions,
} from '../src/index.js';

const [server] = profiles;
const profile = { ...server!, topology: { sockets: 1, coresPerSocket: 20, threadsPerCore: 1, coresPerCache: 20, memoryPerSocket: 1 } };
const named = (name: string): Mechanism => mechanisms.find((candidate) => candidate.name === name)!;
const several = mechanisms.filter(({ gather }) => gather !== undefined);
const options = (mechanism: Mechanism, clients: number, more: Partial<FanInOptions> = {}): FanInOptions => ({
  machine: { profile },
  size: 32,
  waiting: mechanism.waits[0]!,
  messages: 20,
  warmUp: 3,
  clients,
  ...more,
});

describe('several clients of one server', () => {
  it('can be brought together by sockets, pipes, rings and RPAL', () => {
    expect(several.map(({ name }) => name)).toEqual(['pipe-epoll', 'unix', 'spin', 'rpal']);
  });

  const situations = several.flatMap((mechanism) => mechanism.waits.map((waiting) => [mechanism.name, waiting, mechanism] as const));
  it.each(situations)('each get their own answers, one or five of them, small or large: %s, sides that %s', (_name, waiting, mechanism) => {
    for (const clients of [1, 5]) {
      for (const size of [32, mechanism.name === 'rpal' ? 1000 : 9000]) {
        const { messages, latency, busy, elapsed } = fanIn(mechanism, options(mechanism, clients, { size, waiting, messages: 5 }));
        expect([messages, busy.length]).toEqual([2 * clients * 5, clients + 1]);
        expect(latency * 5).toBeLessThanOrEqual(elapsed);
        for (const cycles of busy) expect(cycles).toBeLessThanOrEqual(elapsed);
      }
    }
  });

  it('with one client take about what a ping-pong takes', () => {
    for (const mechanism of several) {
      const trip = pingPong(mechanism, { ...options(mechanism, 1), cpus: [1, 0], warmUp: 10 }).roundTrip.cycles;
      expect(fanIn(mechanism, options(mechanism, 1)).latency / trip, mechanism.name).toBeCloseTo(1, 0);
    }
  });

  it('keep the server awake, so that sockets gain more on it than RPAL, whose clients bring their own CPUs', () => {
    const perRequest = (name: string, clients: number): number => {
      const { elapsed, messages } = fanIn(named(name), options(named(name), clients));
      return (2 * elapsed) / messages;
    };
    const gain = (clients: number): number => perRequest('unix', clients) / perRequest('rpal', clients);
    expect(gain(1)).toBeGreaterThan(2);
    expect(gain(8)).toBeLessThan(gain(1) / 1.5);
    expect(perRequest('unix', 8)).toBeLessThan(perRequest('unix', 1) / 3);
  });

  it('come to the same result twice', () => {
    const once = (): string => fanIn(named('unix'), options(named('unix'), 3)).fingerprint;
    expect(once()).toBe(once());
  });

  it('are at most fifteen with RPAL, which has sixteen keys', () => {
    const rpal = named('rpal');
    expect(fanIn(rpal, options(rpal, 15, { messages: 2 })).messages).toBe(60);
    expect(() => fanIn(rpal, options(rpal, 16))).toThrow('a server of rpal has 15 clients at most, not 16');
    expect(() => fanIn({ ...rpal, mostClients: 16 }, options(rpal, 16, { messages: 2 }))).toThrow('the handshake failed');
  });

  it('of RPAL lose up to a tick where a message is several calls: a word that comes while the server goes to sleep waits for the tick', () => {
    const rpal = named('rpal');
    /** Latency, and how often the waker (row 8 of the receiver's states) found words that nobody had told the server of. */
    const of = (clients: number, size: number): readonly [latency: number, woken: number] => {
      let woken = 0;
      const spy = definePlugin({
        name: 'spy',
        version: '0.1.0',
        setup: ({ plugin, events }) => {
          events.rpalReceiverState.on(plugin, (_cpu, _time, _rcc, row) => {
            if (row === 8) woken++;
          });
        },
      });
      const watched = { ...rpal, plugins: () => [...rpal.plugins!(), spy()] };
      const { latency } = fanIn(watched, options(rpal, clients, { size, messages: 5 }));
      return [latency, woken];
    };
    const [[alone, woken], [whole, wokenWhole], [parts, wokenParts]] = [of(1, 264), of(2, 256), of(2, 264)] as const;
    expect([woken, wokenWhole]).toEqual([0, 0]);
    expect(wokenParts).toBeGreaterThan(0);
    expect(parts).toBeGreaterThan(10 * Math.max(alone, whole));
    // Each of them waits for a tick at most: 4 ms.
    expect(parts * 2 * 5).toBeLessThan((wokenParts + 1) * 2 * 4e6 * profile.clock.tscGHz);
  });

  it('are as many with a variant of RPAL', () => {
    const { gather, mostClients, plugins } = named('rpal');
    const own = rpalMechanism({ name: 'own', title: 'a variant', plugins: () => plugins!(), passing: 'copy' });
    expect([own.gather, own.mostClients]).toEqual([gather, mostClients]);
    const byReference = rpalMechanism({ name: 'other', title: 'another', plugins: () => plugins!(), passing: 'reference' });
    expect(byReference).not.toHaveProperty('mostClients');
  });

  it.each([
    ['pipe', {}, 'pipe is for two sides only'],
    ['unix', { clients: 20 }, 'clients: 20 is not a whole number from 1 to 19'],
    ['unix', { clients: 0 }, 'clients: 0 is not a whole number from 1 to 19'],
    ['unix', { messages: 0 }, 'messages: 0 is not a whole number from 1 on'],
    ['unix', { size: 2 ** 21 }, 'size: 2097152 is not a whole number from 1 to 1048576'],
    ['rpal', { size: 2 ** 21 }, 'size: 2097152 is not a whole number from 1 to 1048576'],
    ['spin', { waiting: 'sleep' }, 'the sides of spin poll; they cannot sleep'],
  ] as const)('refuse wrong use by name: %s %j', (name, more, complaint) => {
    expect(() => fanIn(named(name), options(named(name), 2, more))).toThrow(complaint);
  });
});

describe('batches of requests', () => {
  const of = (mechanism: Mechanism, more: Partial<WorkloadOptions> = {}): WorkloadOptions => ({
    machine: { profile },
    size: Math.min(32, mechanism.sizes[1]),
    cpus: mechanism.oneCpu === true ? [0, 0] : [0, 1],
    waiting: mechanism.waits[0]!,
    messages: 24,
    warmUp: 16,
    ...more,
  });

  it.each(mechanisms.filter(({ streams }) => streams).map((mechanism) => [mechanism.name, mechanism] as const))(
    'are answered in whole, and a message of a batch takes no longer, unless each switches: %s',
    (_name, mechanism) => {
      const interval = (depth: number): number => batches(mechanism, depth, of(mechanism)).elapsed / 48;
      // Who switches to the other side for each message does so in a batch, too.
      if (mechanism.oneCpu === true) expect(interval(8)).toBeGreaterThan(interval(1));
      else expect(interval(8)).toBeLessThanOrEqual(interval(1));
    },
  );

  it('of one are a ping-pong', () => {
    const { elapsed } = batches(named('pipe'), 1, of(named('pipe')));
    expect(elapsed / 24 / pingPong(named('pipe'), of(named('pipe'))).roundTrip.cycles).toBeCloseTo(1, 2);
  });

  it('are refused where they cannot be', () => {
    const pipe = named('pipe');
    expect(() => batches(pipe, 0, of(pipe))).toThrow('depth: 0 is not a whole number from 1 on');
    expect(() => batches(pipe, 5, of(pipe))).toThrow('messages: 24 is not a multiple of the depth, which is 5');
    expect(() => batches(named('rpal-reference'), 2, of(pipe))).toThrow('rpal-reference sends one message at a time: it has no batches');
  });
});
