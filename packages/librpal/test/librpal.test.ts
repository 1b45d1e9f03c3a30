import { executable, type Program } from '@rpal/kernel';
import { Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { librpal, QUEUE_WORDS, RpalError } from '../src/index.js';
import { alone, call, finish, mustEnd, pair, serve, world } from './pair.js';

describe('rpal_write_ptrs', () => {
  /** What the caller's calls return; the callee serves. */
  const results = (body: (end: Parameters<Parameters<typeof pair>[2]>[0], note: (n: number) => void) => Generator<void, unknown>) => {
    const seen: number[] = [];
    const words: number[] = [];
    pair(
      world(),
      (end) =>
        serve(end, function* (word) {
          words.push(word);
          yield* end.p.compute(10);
        }),
      (end) => body(end, (n) => seen.push(n)),
    );
    return { seen, words };
  };

  it('passes 1 to 32 words and returns how many', () => {
    const { seen, words } = results(function* ({ p, lib, server, far, words: at }, note) {
      for (let i = 0; i < 32; i++) yield* p.store64(at + 8 * i, i);
      for (const length of [1, 31, 32]) note(yield* lib.writePtrs(server, far, at, length));
    });
    expect(seen).toEqual([1, 31, 32]);
    expect(words).toHaveLength(64);
  });

  it.each([
    ['no pointer', RpalError.INVALID_ARG, (at: number) => [0, 1, at] as const],
    ['no words', RpalError.INVALID_ARG, (at: number) => [at, 0, at] as const],
    ['33 words', RpalError.INVALID_ARG, (at: number) => [at, 33, at] as const],
  ])('%s: refused', (_what, error, args) => {
    const { seen } = results(function* ({ lib, server, far, words: at }, note) {
      const [pointers, length] = args(at);
      note(yield* lib.writePtrs(server, far, pointers, length));
    });
    expect(seen).toEqual([-error]);
  });

  it('a service that was not requested, an fd that is not there, one that was installed anew: each its own error', () => {
    const { seen } = results(function* ({ lib, server, far, words: at }, note) {
      note(yield* lib.writePtrs(200, far, at, 1));
      note(yield* lib.writePtrs(server, { ...far, fd: 77 }, at, 1));
      note(yield* lib.writePtrs(server, { ...far, fd: 40_000 }, at, 1));
      note(yield* lib.writePtrs(server, { ...far, timestamp: far.timestamp + 1 }, at, 1));
      note(yield* lib.writePtrs(server, far, at, 1));
    });
    expect(seen).toEqual([-RpalError.INVAL_SERVICE, -RpalError.INVALID_ARG, -RpalError.INVALID_ARG, -RpalError.FDE_OUTDATED, 1]);
  });

  it('registers a thread as sender that is none', () => {
    const { seen, words } = results(function* (end, note) {
      yield* end.lib.senderExit();
      note(yield* call(end, 5));
    });
    expect([seen, words]).toEqual([[1], [5]]);
  });

  it('leaves PKRU as it was', () => {
    const seen: number[] = [];
    results(function* (end) {
      seen.push(end.p.rdpkru());
      yield* call(end, 5);
      seen.push(end.p.rdpkru());
    });
    expect(seen[1]).toBe(seen[0]);
  });

  it('fails when the queue is full; the reader that makes room then calls back, with EPOLLRPALOUT', () => {
    const seen: number[] = [];
    let over = false;
    pair(
      world(),
      function* ({ p, lib, fd, epfd, memory }) {
        // Called, but it leaves its words where they are, and waits again: for a byte on the socket.
        yield* lib.epollWait(epfd, memory, 8, -1);
        yield* lib.epollWait(epfd, memory, 8, -1);
        seen.push(yield* lib.readPtrsTriggerOut(fd, memory + 4096, 32, 0, { receiver: 0, fd: 0, timestamp: 0 }));
        over = true;
        yield* p.sleep(1e6);
      },
      function* ({ p, lib, fd, server, far, words }) {
        seen.push(yield* lib.writePtrs(server, far, words, QUEUE_WORDS));
        seen.push(yield* lib.writePtrs(server, far, words, 1));
        yield* p.write(fd, words, 1);
        for (let i = 0; !over && i < 100; i++) yield* p.sleep(1e6);
        seen.push(yield* lib.writePtrs(server, far, words, 1));
      },
    );
    expect(seen).toEqual([QUEUE_WORDS, -RpalError.QUEUE_PUT_FAILED, QUEUE_WORDS, 1]);
  });

  it('comes back with ERR_PEER_MEM when the callee is gone', () => {
    let pid = 0;
    const seen: number[] = [];
    pair(
      world(),
      function* (end) {
        mustEnd(end.p, { signal: Signal.KILL });
        pid = end.p.context.thread.process.pid;
        yield* serve(end, function* () {});
      },
      function* (end) {
        seen.push(yield* call(end, 1));
        yield* end.p.kill(pid, Signal.KILL);
        yield* end.p.sleep(2e6);
        seen.push(yield* call(end, 2), end.p.rdpkru() | 0);
      },
    );
    expect(seen[1]).toBe(-RpalError.ERR_PEER_MEM);
  });
});

describe('rpal_read_access_safety', () => {
  it('ends with -1 when the peer is gone, and with 0 when it is there', () => {
    const seen: number[] = [];
    let pid = 0;
    let target = 0;
    const [, caller] = pair(
      world(),
      function* (end) {
        mustEnd(end.p, { signal: Signal.KILL });
        pid = end.p.context.thread.process.pid;
        target = end.memory;
        yield* serve(end, function* () {});
      },
      function* ({ p, lib }) {
        const look = function* () {
          p.wrpkru(0);
          yield* p.load64(target);
        };
        seen.push(yield* lib.readAccessSafety(look));
        yield* p.kill(pid, Signal.KILL);
        yield* p.sleep(2e6);
        seen.push(yield* lib.readAccessSafety(look));
      },
    );
    expect(seen).toEqual([0, -1]);
    expect(caller.exit?.signal).toBe(0);
  });
});

describe('the library on its own', () => {
  it.each([
    ['no receivers', false, 0],
    ['as many as it takes', true, 3],
  ])('rpal_init with %s', (_what, succeeds, receivers) => {
    const seen = alone(world(), function* (_p, lib) {
      return (yield* lib.init(receivers)) >= 0;
    });
    expect(seen).toBe(succeeds);
  });

  it('a process that is no RPAL binary gets as far as the version', () => {
    const { machine } = world();
    let seen = 0;
    const main = function* (p: Program) {
      const lib = librpal(p);
      yield* lib.init(1);
      seen = lib.error;
    };
    machine.spawn(executable('plain', main, { ident: new Uint8Array(16), segments: [{ address: 0, bytes: 0x1_0000, prot: 3 }] }));
    finish(machine);
    expect(seen).toBe(RpalError.GET_CAP_VERSION);
  });

  it('senders: not before init, not twice, and as often as one likes in turn', () => {
    const seen = alone(world(), function* (_p, lib) {
      const errors: number[] = [];
      errors.push(yield* lib.senderInit(), lib.error);
      yield* lib.init(1);
      errors.push(yield* lib.senderInit(), yield* lib.senderInit());
      errors.push(yield* lib.senderExit(), yield* lib.senderExit(), yield* lib.senderInit());
      return errors;
    });
    expect(seen).toEqual([-1, RpalError.DONT_INITED, 0, -1, 0, 0, 0]);
  });

  it('receivers: numbers are not used again', () => {
    const seen = alone(world(), function* (_p, lib) {
      yield* lib.init(2);
      const first = yield* lib.receiverInit();
      yield* lib.receiverExit();
      const second = yield* lib.receiverInit();
      yield* lib.receiverExit();
      return [first >= 0, second >= 0, yield* lib.receiverInit()];
    });
    expect(seen).toEqual([true, true, -1]);
  });

  it('identity is -1 before init', () => {
    const seen = alone(world(), function* (_p, lib) {
      const before = [lib.serviceId, lib.serviceKey];
      yield* lib.init(1);
      return [...before, lib.serviceId, lib.serviceKey];
    });
    expect(seen).toEqual([-1, -1, 0, 1]);
  });

  it('rpal_exit disables the service, and does not forget that it was initialised', () => {
    const setting = world();
    const seen = alone(setting, function* (_p, lib) {
      yield* lib.init(1);
      yield* lib.exit();
      return [lib.serviceId, [...setting.rpal.byKey.values()][0]?.enabled];
    });
    expect(seen).toEqual([0, false]);
  });

  it('waits as the plain call does in a thread that is not a receiver', () => {
    const seen = alone(world(), function* (p, lib) {
      yield* lib.init(1);
      const epfd = yield* p.epollCreate();
      const memory = yield* p.allocate(4096);
      const event = yield* p.eventfd(1);
      yield* lib.epollCtl(epfd, 1, event, Poll.IN);
      return [yield* lib.epollWait(epfd, memory, 4, 0), yield* lib.epollWaitUser(memory, 4)];
    });
    expect(seen).toEqual([1, 0]);
  });
});
