import { Access, type Cpu } from '@rpal/hw-x86';
import { Rcc, RPAL_USER_PENDING, VersionInfo } from '@rpal/rpal-core';
import { Epoll, MessageFlag, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EPOLLRPALIN, FdRecord, FdSlot, librpal, QUEUE_WORDS, ReadyQueue, ReceiverRecord, RpalError, SlotUse } from '../src/index.js';
import { LOCKED } from '../src/layouts.js';
import { alone, type Callee, type Caller, call, pair, serve, world } from './pair.js';

/** What a CPU has booked of each step of the library: how often, and TSC cycles. */
function booked(cpu: Cpu): Map<string, { count: number; cycles: number }> {
  const own = cpu.ownLedger.entries.flatMap(({ step, count, cycles }) => {
    const [owner, name] = step.name.split(':');
    return owner === '@rpal/librpal' ? [[name as string, { count, cycles }] as const] : [];
  });
  return new Map(own);
}

/** What one more call books on the caller's CPU, which executes the callee's code, too. */
function oneCall(length: number): Record<string, { count: number; cycles: number }> {
  const result: Record<string, { count: number; cycles: number }> = {};
  pair(
    world(),
    (end) => serve(end, function* () {}),
    function* ({ p, lib, server, far, words }) {
      for (let i = 0; i < 3; i++) yield* lib.writePtrs(server, far, words, length);
      const before = booked(p.context.cpu);
      expect(yield* lib.writePtrs(server, far, words, length)).toBe(length);
      for (const [name, now] of booked(p.context.cpu)) {
        const then = before.get(name) ?? { count: 0, cycles: 0 };
        if (now.count > then.count) result[name] = { count: now.count - then.count, cycles: now.cycles - then.cycles };
      }
    },
  );
  return result;
}

describe('a call in user space', () => {
  it('books each of its steps, once for a word and once for 32; words are read and put by the byte', () => {
    const [one, many] = [oneCall(1), oneCall(QUEUE_WORDS)];
    const counts = Object.fromEntries(Object.entries(one).map(([name, { count }]) => [name, count]));
    expect(counts).toEqual({
      writeEnter: 1,
      openPeer: 1,
      findReceiver: 1,
      fdGet: 1,
      queueLock: 1,
      dataPut: 1,
      readyAppend: 1,
      queueUnlock: 1,
      callBegin: 1,
      callStamp: 1,
      callJump: 1,
      waitJump: 1,
      returnJump: 1,
      arrive: 1,
      collectBegin: 1,
      collectOne: 1,
      collectEnd: 1,
      // The words, and that there are no more.
      readPtrs: 2,
      waitEnter: 1,
      saveContext: 1,
      returnDecide: 1,
      returnKey: 1,
      returnBase: 1,
      callEnd: 1,
      writeLeave: 1,
    });
    const more = Object.keys(many).filter((name) => many[name]?.cycles !== one[name]?.cycles);
    expect(more.sort()).toEqual(['dataPut', 'readPtrs']);
    expect(many.dataPut?.cycles).toBeGreaterThan(one.dataPut?.cycles as number);
  });
});

describe('a call that cannot be made', () => {
  it('by a thread that is no sender and cannot become one: ERR_PEER_MEM, whether it never was one or has ceased to be while the call waited', () => {
    const far = { receiver: 0, fd: 3, timestamp: 1 };
    const seen = alone(world(), function* (p, lib) {
      const words = yield* p.allocate(4096);
      const early = yield* lib.writePtrs(1, far, words, 1);
      yield* lib.init(1);
      yield* lib.senderInit();
      const waiting = lib.writePtrs(1, far, words, 1);
      yield* lib.senderExit();
      return [early, yield* waiting];
    });
    expect(seen).toEqual([-RpalError.ERR_PEER_MEM, -RpalError.ERR_PEER_MEM]);
  });

  it('to a service that was released: INVAL_SERVICE, though it is still there', () => {
    const seen: number[] = [];
    pair(
      world(),
      (end) => serve(end, function* () {}),
      function* (end) {
        seen.push(yield* call(end, 1));
        const key = end.lib.process.peers[end.server]?.key as number;
        seen.push(yield* end.lib.releaseService(key), yield* call(end, 2));
      },
    );
    expect(seen).toEqual([1, 0, -RpalError.INVAL_SERVICE]);
  });
});

describe('a descriptor whose record is in use by a call when it is removed', () => {
  it('is refused by the look-up (INVALID_ARG); FDE_OUTDATED comes only once it was installed anew', () => {
    let kept = -1;
    let [calls, removed, add, added] = [false, false, false, false];
    const results: number[] = [];
    pair(
      world(),
      function* (end) {
        const { p, lib, fd, epfd } = end;
        yield* p.clone(function* (q) {
          yield* q.setAffinity([2]);
          const mine = librpal(q);
          // The queue is locked, as by another caller, so that the next one waits with its reference.
          const lock = lib.process.receivers + ReceiverRecord.queueLock + 4;
          yield* q.sleep(3e6);
          yield* q.store32(lock, LOCKED);
          calls = true;
          yield* q.sleep(1e5);
          yield* mine.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
          kept = lib.process.lazyFree.length;
          yield* q.store32(lock, 0);
          removed = true;
          while (!add) yield* q.sleep(1e5);
          yield* mine.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
          added = true;
        });
        yield* serve(end, function* () {});
      },
      function* (end) {
        results.push(yield* call(end, 1));
        while (!calls) yield* end.p.sleep(1e4);
        results.push(yield* call(end, 2));
        while (!removed) yield* end.p.sleep(1e5);
        results.push(yield* call(end, 3));
        add = true;
        while (!added) yield* end.p.sleep(1e5);
        results.push(yield* call(end, 4));
      },
    );
    expect(kept).toBe(1);
    expect(results).toEqual([1, 1, -RpalError.INVALID_ARG, -RpalError.FDE_OUTDATED]);
  });
});

/** The callee wakes up by itself: it cannot be called, and what is sent to it is queued. */
function* awake({ lib, p, fd, epfd, memory }: Callee): Generator<void, void> {
  yield* lib.epollWait(epfd, memory, 8, -1);
  yield* p.recv(fd, memory + 4096, 8, MessageFlag.DONTWAIT);
}

function* wakeUp({ p, fd, words }: Caller): Generator<void, void> {
  yield* p.write(fd, words, 1);
  yield* p.sleep(1e6);
}

describe('a queue that is full when a caller looks, and not when it looks again', () => {
  it('takes the words, and the reader is not asked to tell of room any more', () => {
    let result = 0;
    let asked = false;
    let trigger = -1;
    let record = 0;
    let over = false;
    const { machine, ...rest } = world();
    const { memory } = machine.platform;
    pair(
      { machine, ...rest },
      function* (end) {
        const { p, lib, fd } = end;
        yield* awake(end);
        record = p.context.cpu.data(yield* p.load64(lib.process.fdTable + fd * FdSlot.size + FdSlot.record), Access.user);
        while (!over) yield* p.compute(1000);
      },
      function* (end) {
        const { p, lib, server, far, words } = end;
        yield* wakeUp(end);
        expect(yield* lib.writePtrs(server, far, words, QUEUE_WORDS)).toBe(QUEUE_WORDS);
        const stop = memory.observe({
          read() {},
          write(address) {
            if (address !== record + FdRecord.trigger || asked) return;
            // The reader takes all words at the moment at which it is asked to tell of room.
            asked = true;
            memory.write32(record + FdRecord.head, memory.read32(record + FdRecord.tail));
          },
        });
        result = yield* lib.writePtrs(server, far, words, 5);
        stop();
        trigger = memory.read32(record + FdRecord.trigger);
        over = true;
        yield* p.sleep(1e6);
      },
    );
    expect([asked, result, trigger]).toEqual([true, 5, 0]);
  });
});

describe('a receiver that collects', () => {
  it('takes no more descriptors off its queue than it has room for', () => {
    let left = -1;
    let served = false;
    pair(
      world(),
      function* (end) {
        const { p, lib, epfd, memory } = end;
        yield* awake(end);
        yield* p.sleep(3e6);
        expect(yield* lib.epollWait(epfd, memory, 1, -1)).toBe(1);
        const queue = yield* p.load64(lib.process.receivers + ReceiverRecord.readyQueue);
        left = (yield* p.load32(queue + ReadyQueue.end)) - (yield* p.load32(queue + ReadyQueue.begin));
        served = true;
        yield* serve(end, function* () {});
      },
      function* (end) {
        yield* wakeUp(end);
        expect([yield* call(end, 1), yield* call(end, 2)]).toEqual([1, 1]);
        while (!served) yield* end.p.sleep(1e5);
      },
    );
    expect(left).toBe(1);
  });

  it('takes nothing by rpal_epoll_wait_user, whatever is announced, before it has waited once', () => {
    const seen = alone(world(), function* (p, lib) {
      yield* lib.init(1);
      yield* lib.receiverInit();
      const epfd = yield* p.epollCreate();
      const memory = yield* p.allocate(4096);
      const pending = lib.process.receiverContexts + Rcc.epPending;
      const left: number[] = [];
      for (const waits of [false, true]) {
        if (waits) yield* lib.epollWait(epfd, memory, 8, 0);
        yield* p.store32(pending, RPAL_USER_PENDING);
        yield* lib.epollWaitUser(memory, 8);
        left.push(yield* p.load32(pending));
      }
      return left;
    });
    expect(seen).toEqual([RPAL_USER_PENDING, 0]);
  });

  it('passes over a descriptor whose record is being freed', () => {
    const counts: number[] = [];
    let served = false;
    pair(
      world(),
      function* (end) {
        const { p, lib, fd, epfd, memory } = end;
        yield* awake(end);
        yield* p.sleep(2e6);
        const use = lib.process.fdTable + fd * FdSlot.size + FdSlot.use;
        yield* p.store32(use, SlotUse.FREEING);
        counts.push(yield* lib.epollWaitUser(memory, 8));
        yield* p.store32(use, SlotUse.AVAILABLE);
        served = true;
        yield* serve(end, function* () {});
        yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
      },
      function* (end) {
        yield* wakeUp(end);
        expect(yield* call(end, 1)).toBe(1);
        while (!served) yield* end.p.sleep(1e5);
      },
    );
    expect(counts).toEqual([0]);
  });
});

describe('a kernel with another interface', () => {
  it.each([
    ['compatVersion', 1],
    ['apiVersion', -1],
  ] as const)('is not supported: another %s', (field, by) => {
    const { machine, ...rest } = world();
    const { memory } = machine.platform;
    const seen = alone({ machine, ...rest }, function* (p, lib) {
      const { cpu } = p.context;
      let changed = -1;
      const stop = memory.observe({
        write() {},
        read(address) {
          const { scratch } = lib.process;
          if (scratch === 0 || changed === address) return;
          const entry = cpu.mmu.recent(scratch, Access.user);
          if (entry === null || address !== entry.frame * 4096 + VersionInfo[field]) return;
          changed = address;
          memory.write32(address, memory.read32(address) + by);
        },
      });
      const result = yield* lib.init(1);
      stop();
      return [result, lib.error];
    });
    expect(seen).toEqual([-1, RpalError.KERNEL_API_NOTSUPPORT]);
  });
});
