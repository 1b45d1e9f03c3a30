import { describe, expect, it } from 'vitest';
import { MultikernelError } from '../src/errors.js';
import type { Dispatcher } from '../src/kernel/dispatcher.js';
import { Multikernel } from '../src/machine/multikernel.js';
import { opteron8350, opteron8380 } from '../src/machines/index.js';
import { ROUTES, treeOf } from '../src/monitor/routes.js';

/** A client and a server on core 0, and what either has an endpoint of. */
function pair(
  client: (d: Dispatcher, server: number) => Generator<void, void>,
  server: (d: Dispatcher, client: number) => Generator<void, void>,
) {
  const os = new Multikernel({ profile: opteron8380, cores: 1 });
  const slots = { there: 0, back: 0 };
  const a = os.domain('client', 0, (d) => client(d, slots.there));
  const b = os.domain('server', 0, (d) => server(d, slots.back));
  slots.there = os.endpoint(a, b);
  slots.back = os.endpoint(b, a);
  return { os, a, b };
}

describe('LRPC', () => {
  it('brings words to the receiver, which runs at once, and an answer back', () => {
    const order: unknown[] = [];
    const { os } = pair(
      function* (d, server) {
        for (let i = 0; i < 3; i++) {
          order.push(`call ${i}`);
          expect(yield* d.lrpc(server, i, 2, 3, 4)).toBe(null);
          order.push((yield* d.receive()).words);
        }
      },
      function* (d, client) {
        for (let i = 0; i < 3; i++) {
          const { words } = yield* d.receive();
          order.push(words);
          yield* d.lrpc(client, 10 * (words[0] as number));
        }
      },
    );
    expect(os.run()).toEqual([]);
    expect(order).toEqual([0, 1, 2].flatMap((i) => [`call ${i}`, [i, 2, 3, 4], [10 * i]]));
  });

  it('is refused while the receiver has not taken the one before, and when it is dead', () => {
    const answers: unknown[] = [];
    const { os } = pair(
      function* (d, server) {
        answers.push(yield* d.lrpc(server, 1));
        answers.push(yield* d.lrpc(server, 2));
        while (answers.at(-1) !== 'PEER_DIED') {
          yield* d.yield();
          answers.push(yield* d.lrpc(server, 3));
        }
      },
      function* (d) {
        yield* d.yield();
        yield* d.receive();
      },
    );
    expect(os.run()).toEqual([]);
    expect(answers.slice(0, 2)).toEqual([null, 'BUSY']);
    expect(answers.at(-1)).toBe('PEER_DIED');
  });

  it('tells who waits for an answer that does not come', () => {
    const { os, a } = pair(
      function* (d, server) {
        yield* d.lrpc(server, 1);
        yield* d.receive();
      },
      function* (d) {
        yield* d.receive();
        yield* d.words.load(0x7000_0000);
      },
    );
    expect(os.run()).toEqual([a]);
  });
});

describe('a domain that ends', () => {
  it('leaves no capability behind, alive or by a fault, and its memory can be typed again', () => {
    for (const fault of [false, true]) {
      const os = new Multikernel({ profile: opteron8380, cores: 5, slice: 5 });
      const slots: number[] = [];
      let ended = false;
      const first = os.domain('first', 4, function* (d) {
        const frame = (yield* d.retype(slots[0] as number, 'frame', 1, 2)) as number;
        yield* d.map(frame, 0x1_0000_0000);
        yield* d.copy(frame);
        ended = true;
        if (fault) yield* d.words.store(0, 1);
      });
      const before = os.drivers.map(({ capabilities }) => capabilities.size.slots);
      let again: unknown;
      const second = os.domain('second', 0, function* (d) {
        while (!ended || !first.dead) yield* d.words.pause();
        again = yield* d.retype(slots[1] as number, 'frame', 1, 2);
      });
      slots.push(...os.memory(2, first, second));
      expect(os.run()).toEqual([]);
      expect(first.faulted).toBe(fault);
      expect(again).toEqual(expect.any(Number));
      // An endpoint of the monitor and its endpoint of the first domain have gone with it.
      expect(os.drivers[4]?.capabilities.size.slots).toBe((before[4] as number) - 2);
      expect(os.monitors.map(({ pending }) => pending)).toEqual([0, 0, 0, 0, 0]);
    }
  });
});

describe('a multikernel', () => {
  it('is determined by its options', () => {
    const print = (seed: number): string => {
      const os = new Multikernel({ profile: opteron8380, cores: 4, seed });
      let slot = 0;
      const domain = os.domain('program', 0, function* (d) {
        yield* d.retype(slot, 'frame', 2, 1);
        yield* d.revoke(slot);
      });
      [slot] = os.memory(2, domain) as [number];
      os.run();
      return os.machine.platform.fingerprint().digest();
    };
    expect(print(1)).toBe(print(1));
    expect(print(1)).not.toBe(print(2));
  });

  it('says when programs go on and on', () => {
    const os = new Multikernel({ profile: opteron8380, cores: 1 });
    os.domain('endless', 0, function* (d) {
      for (;;) yield* d.words.pause();
    });
    expect(() => os.run(0.01)).toThrow('after 0.01 ms programs still run: endless');
  });

  it('refuses cores that are not there', () => {
    const wrong = (cores: number) => () => new Multikernel({ profile: opteron8380, cores });
    expect(wrong(17)).toThrow(MultikernelError);
    expect(wrong(0)).toThrow('cores: 0 is not a whole number from 1 to 16');
    expect(() => new Multikernel({ profile: opteron8380, cores: 2 }).domain('far', 2, function* () {})).toThrow('core: 2 has no kernel');
  });
});

describe.each(ROUTES)('a request by %s', (route) => {
  const topology = { cores: 32, coresPerSocket: 4, coresPerCache: 4, hops: opteron8350.topology.hops ?? null };

  it('reaches each other core once, from any root', () => {
    const cores = Array.from({ length: 32 }, (_, core) => core);
    for (const root of [0, 5, 31]) {
      const reached = [...treeOf(route, root, cores, topology).values()].flat().sort((a, b) => a - b);
      expect(reached).toEqual(cores.filter((core) => core !== root));
    }
  });
});
