import { CACHE_LINE } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { MultikernelError } from '../src/errors.js';
import { Lab } from '../src/experiments/lab.js';
import { urpcBetween } from '../src/experiments/urpc.js';
import { machines, opteron2220 } from '../src/machines/index.js';
import { channelBytes, UrpcReceiver, UrpcSender } from '../src/urpc/channel.js';
import { wordsOf } from '../src/urpc/words.js';

const OPTIONS = { costs: 'central', seed: 1 } as const;

/** A channel between cores 0 and 2, which run the two programs. @returns the lab afterwards */
function channel(
  slots: number,
  sender: (out: UrpcSender) => Generator<void, void>,
  receiver: (into: UrpcReceiver) => Generator<void, void>,
): Lab {
  const lab = new Lab(opteron2220, OPTIONS);
  const base = lab.memory(channelBytes(slots));
  lab.start(0, (core) => sender(new UrpcSender(wordsOf(core), base, slots)));
  lab.start(2, (core) => receiver(new UrpcReceiver(wordsOf(core), base, slots)));
  lab.run();
  return lab;
}

describe('a URPC channel', () => {
  it.each([2, 3, 16])('brings every message once, whole and in order, with %i slots', (slots) => {
    const got: (readonly number[])[] = [];
    const message = (i: number) => [i, 2 ** 53 - 1 - i, 3, 4, 5, 6, 7 * i];
    channel(
      slots,
      function* (out) {
        for (let i = 0; i < 100; i++) yield* out.send(...message(i));
      },
      function* (into) {
        for (let i = 0; i < 100; i++) got.push(yield* into.receive());
      },
    );
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => message(i)));
  });

  it('holds a sender back that is ahead by all slots, until the receiver has taken half of them', () => {
    const room: boolean[] = [];
    let taken = 0;
    channel(
      4,
      function* (out) {
        for (let i = 0; i < 4; i++) yield* out.send(i);
        room.push(yield* out.hasRoom());
        while (!(yield* out.hasRoom())) yield;
        room.push(taken >= 2);
      },
      function* (into) {
        for (let i = 0; i < 100_000; i++) yield;
        for (; taken < 4; taken++) yield* into.receive();
      },
    );
    expect(room).toEqual([false, true]);
  });

  it('moves two lines a message and no more: one to the sender, who writes it, and one to the receiver', () => {
    const slots = 16;
    const moved = (messages: number): number => {
      const { machine } = channel(
        slots,
        function* (out) {
          for (let i = 0; i < messages; i++) yield* out.send(i);
        },
        function* (into) {
          for (let i = 0; i < messages; i++) yield* into.receive();
        },
      );
      return machine.platform.cpus.reduce((sum, { linesMoved }) => sum + linesMoved, 0);
    };
    // The receiver says twice in sixteen messages how far it is, which moves that line to and fro, and it may look too early.
    const each = (moved(10 * slots) - moved(5 * slots)) / (5 * slots);
    expect(each).toBeGreaterThanOrEqual(2);
    expect(each).toBeLessThanOrEqual(2.5);
  });

  it('refuses what makes no sense', () => {
    const words = wordsOf(new Lab(opteron2220, OPTIONS).machine.core(0));
    const wrong = (text: string) =>
      expect.objectContaining({ name: 'MultikernelError', code: 'USAGE', message: expect.stringContaining(text) });
    expect(() => channelBytes(1)).toThrow(wrong('slots: 1 is not a whole number from 2 on'));
    expect(() => new UrpcSender(words, 8, 4)).toThrow(wrong('base: 8 is not at the border'));
    expect(() => new UrpcSender(words, CACHE_LINE, 4).send(1, 2, 3, 4, 5, 6, 7, 8).next()).toThrow(MultikernelError);
  });
});

describe('what a message takes', () => {
  it('is two transfers of a line, and the look of the receiver', () => {
    for (const profile of machines) {
      const { line, clock, topology } = profile;
      const away = topology.coresPerSocket;
      const { latency } = urpcBetween(profile, 0, away, OPTIONS);
      const transfers = 2 * line.crossSocket.central * clock.tscGHz;
      expect(latency / transfers).toBeGreaterThan(0.95);
      expect(latency / transfers).toBeLessThan(1.1);
    }
  });

  it('is the same in every run', () => {
    expect(urpcBetween(opteron2220, 0, 2, OPTIONS)).toEqual(urpcBetween(opteron2220, 0, 2, OPTIONS));
  });
});
