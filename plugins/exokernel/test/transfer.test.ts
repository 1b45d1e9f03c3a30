import { defaultProfile } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { Exokernel, PageTables, type Refusal } from '../src/index.js';

const kernel = (options = {}) => new Exokernel({ profile: defaultProfile, ...options });

describe('a synchronous transfer', () => {
  it('brings eight registers and the name of the sender, and those of the answer back', () => {
    const os = kernel();
    const seen: unknown[] = [];
    const server = os.environment('server', function* (e) {
      e.entries.transfer = function* ({ from, words, synchronous }) {
        yield;
        seen.push(from, words, synchronous);
        return words.map((word) => 10 * word);
      };
      yield* e.serve();
    });
    const client = os.environment('client', function* (e) {
      seen.push(yield* e.call(server.id, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    });
    expect(os.run()).toEqual([server]);
    expect(seen).toEqual([client.id, [1, 2, 3, 4, 5, 6, 7, 8], true, [10, 20, 30, 40, 50, 60, 70, 80]]);
  });

  it('gives the slice away with its later turns, until it comes back', () => {
    const os = kernel({ slice: 1 });
    const order: string[] = [];
    const server = os.environment('server', function* (e) {
      e.entries.transfer = function* () {
        for (let i = 0; i < 20; i++) yield* e.yield();
        order.push('served');
        return [1];
      };
      yield* e.serve();
    });
    const client = os.environment('client', function* (e) {
      yield* e.call(server.id);
      order.push('back');
    });
    os.environment('other', function* (e) {
      for (let i = 0; i < 3; i++) yield* e.yield();
      order.push('other');
    });
    expect(os.run()).toEqual([server]);
    expect(client.faulted).toBe(false);
    expect(order).toEqual(['other', 'served', 'back']);
  });

  it('nests: a service calls another one, and answers come back in their order', () => {
    const os = kernel();
    const second = os.environment('second', function* (e) {
      e.entries.transfer = function* ({ words: [n] }) {
        yield;
        return [(n as number) + 1];
      };
      yield* e.serve();
    });
    const first = os.environment('first', function* (e) {
      e.entries.transfer = function* ({ words: [n] }) {
        const answer = yield* e.call(second.id, 2 * (n as number));
        return answer as readonly number[];
      };
      yield* e.serve();
    });
    const answers: unknown[] = [];
    os.environment('client', function* (e) {
      for (let i = 1; i < 4; i++) answers.push(yield* e.call(first.id, i));
    });
    os.run();
    expect(answers).toEqual([[3], [5], [7]]);
  });
});

describe('an asynchronous transfer', () => {
  it('gives away only what is left of the turn: the sender goes on in its next one', () => {
    const os = kernel({ slice: 5 });
    const order: string[] = [];
    const endless = os.environment('endless', function* (e) {
      e.entries.transfer = function* () {
        order.push('entered');
        for (;;) yield* e.yield(e.id);
      };
      yield* e.serve();
    });
    os.environment('sender', function* (e) {
      expect(yield* e.send(endless.id, 1)).toBe(null);
      order.push('goes on');
    });
    expect(() => os.run(0.1)).toThrow('after 0.1 ms programs still run: endless');
    expect(order).toEqual(['entered', 'goes on']);
  });

  it('cannot be used to give away later turns that are not its own', () => {
    const os = kernel({ slice: 5 });
    let turns = 0;
    const greedy = os.environment('greedy', function* (e) {
      e.entries.transfer = function* () {
        for (;;) yield* e.yield(e.id);
      };
      yield* e.serve();
    });
    const thief = os.environment('thief', function* (e) {
      e.entries.transfer = function* () {
        yield* e.call(greedy.id);
        return null;
      };
      yield* e.serve();
    });
    os.environment('victim', function* (e) {
      yield* e.send(thief.id);
      for (; turns < 5; turns++) yield* e.yield();
    });
    expect(() => os.run(0.5)).toThrow('programs still run: greedy, thief');
    expect(turns).toBe(5);
  });
});

describe('a transfer is refused', () => {
  it('by who has no entry, who serves another, who is dead, and who never was', () => {
    const os = kernel({ slice: 1 });
    const answers: (readonly number[] | Refusal | null)[] = [];
    const closed = os.environment('closed', (e) => e.serve());
    const slow = os.environment('slow', function* (e) {
      e.entries.transfer = function* () {
        for (let i = 0; i < 50; i++) yield* e.yield();
        return [];
      };
      yield* e.serve();
    });
    const short = os.environment('short', function* () {});
    os.environment('client', function* (e) {
      yield* e.yield();
      answers.push(yield* e.call(closed.id));
      answers.push(yield* e.send(slow.id));
      answers.push(yield* e.send(slow.id));
      answers.push(yield* e.call(short.id));
      for (const nobody of [0, -1, 99, 1.5, Number.NaN]) answers.push(yield* e.call(nobody));
    });
    os.run();
    expect(answers).toEqual(['NO_ENTRY', null, 'BUSY', 'PEER_DIED', ...Array(5).fill('PEER_DIED')]);
  });

  it('afterwards, when the callee dies before it has answered: the slice comes back', () => {
    const os = kernel();
    let answer: unknown;
    const server = os.environment('server', function* (e) {
      e.entries.transfer = function* () {
        yield* e.load(0x1000);
        return [1];
      };
      yield* e.serve();
    });
    const client = os.environment('client', function* (e) {
      answer = yield* e.call(server.id);
    });
    expect(os.run()).toEqual([]);
    expect([answer, server.faulted, client.faulted]).toEqual(['PEER_DIED', true, false]);
    expect(os.frames.used).toBe(0);
  });

  it('silently for an answer whose caller has died', () => {
    const os = kernel({ slice: 2 });
    let served = false;
    const server = os.environment('server', function* (e) {
      e.entries.transfer = function* () {
        for (let i = 0; i < 40; i++) yield* e.yield();
        served = true;
        return [1];
      };
      yield* e.serve();
    });
    const client = os.environment('client', function* (e) {
      e.entries.revoke = function* () {
        yield* e.load(0x1000);
      };
      yield* e.call(server.id);
    });
    os.environment('other', function* (e) {
      yield* e.yield();
      os.revoke(client, 1, 1);
      yield* e.yield(client.id);
    });
    expect(os.run()).toEqual([server]);
    expect([served, client.dead]).toEqual([true, true]);
  });
});

describe('an exokernel', () => {
  it('is determined by its options', () => {
    const print = (seed: number): string => {
      const os = kernel({ seed });
      const server = os.environment('server', function* (e) {
        e.entries.transfer = function* ({ words }) {
          yield;
          return words;
        };
        yield* e.serve();
      });
      os.environment('client', function* (e) {
        const frame = yield* new PageTables(e).fresh(0x1000);
        if (typeof frame === 'string') return;
        yield* e.store(0x1000, frame.check);
        yield* e.call(server.id, frame.check);
      });
      os.run();
      return os.machine.platform.fingerprint().digest();
    };
    expect(print(1)).toBe(print(1));
    // Another key of capabilities.
    expect(print(1)).not.toBe(print(2));
  });

  it('refuses what makes no sense', () => {
    expect(() => kernel({ frames: 0 })).toThrow('frames: 0 is not a whole number above 0');
    expect(() => kernel({ slice: 0 })).toThrow('slice: 0 is not a time above 0');
  });
});
