import { type Scenario, type Stage, searchAll } from '@rpal/explore';
import type { Program } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { channelBytes, UrpcReceiver, UrpcSender } from '../src/urpc/channel.js';
import type { Words } from '../src/urpc/words.js';

const SLOTS = 2;
const PAGE = 4096;

/** Memory of a Linux process, every word of which is a step of its own: whatever another CPU can see in between, it may see. */
function wordByWord(p: Program, order: (words: readonly number[]) => readonly number[]): Words {
  const store = function* (address: number, value: number) {
    yield;
    yield* p.store64(address, value);
  };
  return {
    *load(address) {
      yield;
      return yield* p.load64(address);
    },
    store,
    *storeLine(address, words) {
      // A message here has two words and its header: what lies between is zero and stays so.
      for (const i of order([0, 1, words.length - 1])) yield* store(address + 8 * i, words[i] as number);
    },
    *pause() {
      yield;
    },
  };
}

/**
 * A sender tries to send three messages, and a receiver looks three times, at the same time.
 * @param order in which the words of a line are stored
 * @param runs after which it is enough
 * @returns what either has seen, in all interleavings: what was sent, and what was received
 */
function outcomes(
  order: (words: readonly number[]) => readonly number[],
  runs = 20_000,
): { readonly seen: readonly string[]; readonly covered: number } {
  const seen = new Set<string>();
  let sent: string[] = [];
  let got: string[] = [];
  const scenario: Scenario = {
    name: 'urpc',
    about: 'one sends while another looks',
    cpus: 2,
    setUp(stage: Stage) {
      sent = [];
      got = [];
      stage.expect(2);
      stage.spawn('urpc', 0, function* (p) {
        const base = yield* p.allocate(PAGE);
        yield* p.memset(base, 0, channelBytes(SLOTS));
        let over = false;
        yield* p.clone(function* (q) {
          yield* q.setAffinity([1]);
          yield* q.load8(base);
          yield* stage.meet(q);
          const into = new UrpcReceiver(wordByWord(q, order), base, SLOTS);
          for (let look = 0; look < 3; look++) {
            if (!(yield* into.hasMessage())) continue;
            const [first, second] = yield* into.receive();
            got.push(`${first}${second}`);
          }
          stage.leave(q);
          over = true;
        });
        yield* stage.meet(p);
        const out = new UrpcSender(wordByWord(p, order), base, SLOTS);
        for (let message = 1; message <= 3; message++) {
          if (!(yield* out.hasRoom())) break;
          yield* out.send(message, message);
          sent.push(`${message}${message}`);
        }
        stage.leave(p);
        while (!over) yield* p.sleep(1000);
      });
    },
    verdict() {
      seen.add(`sent ${sent.join(' ')}, got ${got.join(' ') || 'nothing'}`);
      return null;
    },
  };
  const { failure, covered } = searchAll(scenario, {}, { runs });
  expect(failure).toBe(null);
  return { seen: [...seen].sort(), covered };
}

describe('a URPC channel in all interleavings of its words', () => {
  it('brings messages whole and in order, and a sender meets no slot that is in use', { timeout: 120_000 }, () => {
    const { seen, covered } = outcomes((words) => words);
    expect(covered).toBe(Number.POSITIVE_INFINITY);
    expect(seen).toEqual(
      [
        'sent 11 22 33, got 11 22',
        'sent 11 22 33, got 11 22 33',
        'sent 11 22 33, got 11',
        'sent 11 22, got 11',
        'sent 11 22, got 11 22',
        'sent 11 22, got nothing',
      ].sort(),
    );
  });

  it('would bring half a message if the header were stored first', () => {
    const { seen } = outcomes((words) => [...words].reverse(), 200);
    expect(seen.filter((outcome) => outcome.includes('0'))).not.toEqual([]);
  });
});
