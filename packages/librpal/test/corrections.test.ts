import { Rcc, ReceiverState } from '@rpal/rpal-core';
import { Epoll, Poll, Rlimit, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type LibRpal, librpal, type RpalFd } from '../src/index.js';
import { FDS_PER_NODE, FdRecord, FdSlot, Pool, QUEUE_WORDS, ReadyQueue, ReceiverRecord, SenderRecord } from '../src/layouts.js';
import { alone, call, enterInCall, pair, world } from './pair.js';

// What the posted library does that an earlier reading of it had otherwise, and that no other test shows.

describe('rpal_init and rpal_receiver_init', () => {
  it('make the pool, its records, stacks and queues at once; a queue is filled when its receiver registers', () => {
    const pages = alone(world(), function* (p, lib) {
      const resident = (): number => p.context.thread.memory.residentPages;
      yield* lib.init(2);
      const made = [yield* p.load64(lib.process.pool + Pool.receivers), lib.process.receiverContexts].every((at) => at > 0);
      const before = resident();
      yield* lib.receiverInit();
      const filled = resident() - before;
      const queue = yield* p.load64(lib.process.receivers + ReceiverRecord.readyQueue);
      return { made, isFilled: filled >= (4 * ReadyQueue.capacity) / 4096, first: (yield* p.load32(queue + ReadyQueue.fds)) | 0 };
    });
    expect(pages).toEqual({ made: true, isFilled: true, first: -1 });
  });
});

describe('rpal_exit', () => {
  it.each<[string, (lib: LibRpal) => number]>([
    ["the page of the receivers' contexts", (lib) => lib.process.receiverContexts],
    ['their stacks', (lib) => 8192 + (lib.process.receiverParts[0]?.stacks ?? 0)],
    ['their queues', (lib) => lib.process.receiverParts[0]?.readyQueue ?? 0],
    ['the pool', (lib) => lib.process.pool],
  ])('unmaps %s', (_what, addressOf) => {
    const touches = (exits: boolean): unknown =>
      alone(world(), function* (p, lib) {
        yield* lib.init(1);
        const address = addressOf(lib);
        if (exits) yield* lib.exit();
        yield* p.load32(address);
        return 'mapped';
      });
    expect([touches(false), touches(true)]).toEqual(['mapped', `killed by ${Signal.SEGV}`]);
  });
});

describe('rpal_sender_exit', () => {
  it('clears the record of the sender, but for "in use"', () => {
    const seen = alone(world(), function* (p, lib) {
      yield* lib.init(1);
      // The first slot is another thread's, so that this one's number is not 0 anyway.
      let over = false;
      yield* p.clone(function* (q) {
        yield* librpal(q).senderInit();
        while (!over) yield* q.sleep(1e6);
      });
      yield* p.sleep(1e6);
      yield* lib.senderInit();
      const record = lib.process.senders + SenderRecord.size;
      const fields = [SenderRecord.index, SenderRecord.tid, SenderRecord.inited];
      const [before, after]: [number[], number[]] = [[], []];
      for (const field of fields) before.push(yield* p.load32(record + field));
      yield* lib.senderExit();
      for (const field of fields) after.push(yield* p.load32(record + field));
      over = true;
      return [before.map((value) => value !== 0), after];
    });
    expect(seen).toEqual([
      [true, true, true],
      [0, 0, 1],
    ]);
  });
});

describe('rpal_uds_fdmap', () => {
  it('makes its thread a sender, as it runs under a recovery point', () => {
    const senders: boolean[] = [];
    pair(
      world(),
      function* ({ lib, epfd, memory }) {
        yield* lib.epollWait(epfd, memory, 8, -1);
      },
      function* ({ lib, fd, server }) {
        yield* lib.senderExit();
        senders.push(lib.isSender);
        yield* lib.udsFdmap(server, fd);
        senders.push(lib.isSender);
      },
    );
    expect(senders).toEqual([false, true]);
  });

  it('gives 0 as the stamp of a descriptor that lies beyond the table of the peer', () => {
    let near: RpalFd | null = null;
    let beyond: RpalFd | null = null;
    pair(
      world(),
      function* ({ p, lib, fd, epfd, memory }) {
        const far = FDS_PER_NODE + 5;
        yield* p.prlimit(Rlimit.NOFILE, far + 1, 0, far + 1);
        expect(yield* p.dup2(fd, far)).toBe(far);
        expect(yield* lib.epollWait(epfd, memory, 8, 3)).toBe(0);
        // From here on the kernel knows the connection by its other number, which the library has never seen.
        expect(yield* p.epollCtl(epfd, Epoll.CTL_DEL, fd, 0)).toBe(0);
        expect(yield* p.epollCtl(epfd, Epoll.CTL_ADD, far, Poll.RDHUP)).toBe(0);
        yield* lib.epollWait(epfd, memory, 8, -1);
      },
      function* ({ p, lib, fd, server, far }) {
        near = far;
        yield* p.sleep(5e6);
        beyond = yield* lib.udsFdmap(server, fd);
      },
    );
    expect([near, beyond]).toMatchObject([{ timestamp: 1 }, { fd: FDS_PER_NODE + 5, timestamp: 0 }]);
  });
});

describe('a caller that is back', () => {
  it.each([
    ['LAZY_SWITCH', ReceiverState.LAZY_SWITCH, 'caller'],
    ['LAZY_SWITCH with another bit above it', ReceiverState.LAZY_SWITCH | 0x100, 'callee'],
  ] as const)('compares the whole word: with %s the kernel is on the side of the %s', (_what, word, expected) => {
    const setting = world();
    let kernelIs = '';
    pair(
      setting,
      function* (end) {
        const { p, lib, epfd, memory } = end;
        yield* enterInCall(end);
        // The word is its own.
        yield* p.store32(lib.process.receiverContexts + Rcc.receiverState, word);
        yield* lib.epollWait(epfd, memory, 8, -1);
      },
      function* (end) {
        yield* call(end, 1);
        kernelIs = setting.machine.kernel.scheduler.current(end.p.context.cpu).name;
      },
    );
    expect(kernelIs).toBe(expected);
  });
});

describe('a reader that makes room in a queue that a writer has found full', () => {
  it('and cannot tell the writer, will be asked to tell the next time that it makes some', () => {
    const asked: number[] = [];
    let full = false;
    pair(
      world(),
      function* ({ p, lib, fd, epfd, memory }) {
        yield* lib.epollWait(epfd, memory, 8, -1);
        yield* lib.epollWait(epfd, memory, 8, -1);
        const record = yield* p.load64(lib.process.fdTable + fd * FdSlot.size + FdSlot.record);
        asked.push(yield* p.load32(record + FdRecord.trigger));
        // Service 200 is nobody's.
        expect(yield* lib.readPtrsTriggerOut(fd, memory + 4096, 16, 200, { receiver: 0, fd: 0, timestamp: 0 })).toBe(16);
        asked.push(yield* p.load32(record + FdRecord.trigger));
        yield* p.exit(0);
      },
      function* ({ p, lib, fd, server, far, words }) {
        yield* lib.writePtrs(server, far, words, QUEUE_WORDS);
        full = (yield* lib.writePtrs(server, far, words, 1)) < 0;
        yield* p.write(fd, words, 1);
        yield* p.sleep(5e6);
      },
    );
    expect([full, ...asked]).toEqual([true, 1, 1]);
  });
});
