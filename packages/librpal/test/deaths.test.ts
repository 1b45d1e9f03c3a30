import { executable, type Program } from '@rpal/kernel';
import type { QuirkName } from '@rpal/rpal-core';
import { Epoll, Poll, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EPOLLRPALIN, findReceiver, introduce, type LibRpal, librpal, RpalError, rpalExecutable, welcome } from '../src/index.js';
import { call, finish, mustEnd, pair, serve, type World, world } from './pair.js';

const INTEREST = EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET;
const PATH = '/tmp/deaths';

/** Cycles after a call has begun, through all of its steps and the callee's work. */
const MOMENTS: readonly number[] = Array.from({ length: 12 }, (_, i) => 250 * i);

/** Kills a process `moment` cycles after a call has begun. */
class Killer {
  victim = 0;
  #ready = false;
  #armed = false;
  #calling = false;

  constructor({ machine }: World, moment: number) {
    const main = this.#main.bind(this);
    machine.spawn(
      executable('killer', (p) => main(p, moment)),
      2,
    );
  }

  *#main(p: Program, moment: number): Generator<void, void> {
    yield* p.setAffinity([2]);
    while (!this.#ready) yield* p.sleep(1e5);
    this.#armed = true;
    while (!this.#calling) yield* p.compute(20);
    yield* p.compute(1 + moment);
    yield* p.kill(this.victim, Signal.KILL);
  }

  /** The caller is about to call; the moment is counted from the return on. */
  *aim(p: Program): Generator<void, void> {
    this.#ready = true;
    while (!this.#armed) yield* p.compute(100);
    this.#calling = true;
  }
}

interface Outcome {
  /** Services that the server learnt to be dead. */
  readonly dead: number;
  /** The second client's descriptor is the first one's. */
  readonly sameFd: boolean;
  /** What adding it gave, and the second client's call. */
  readonly added: number;
  readonly result: number;
}

/**
 * A server, and a client that is killed some time after its call has begun. The server buries it as the library wants it, and another
 * client connects. @param maps the server maps each connection, so that the record of its descriptor has a key
 */
function reconnect(moment: number, maps: boolean, repair: readonly QuirkName[] = []): Outcome {
  const setting = world({ repair });
  const { machine } = setting;
  const outcome = { dead: 0, sameFd: false, added: -1, result: 0 };
  const killer = new Killer(setting, moment);
  let buried = false;

  function* answer(p: Program, lib: LibRpal, epfd: number, fd: number, memory: number): Generator<void, void> {
    for (;;) {
      const count = yield* lib.epollWait(epfd, memory, 8, -1);
      for (let i = 0; i < count; i++) {
        const bits = yield* p.load32(memory + 12 * i);
        if ((bits & EPOLLRPALIN) !== 0 && (yield* lib.readPtrs(fd, memory + 4096, 32)) > 0) yield* p.compute(500);
        if ((bits & Poll.RDHUP) !== 0) return;
      }
    }
  }

  machine.spawn(
    rpalExecutable('server', function* (p) {
      yield* p.setAffinity([0]);
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, PATH);
      yield* p.listen(listener, 2);
      const lib = librpal(p);
      yield* lib.init(1);
      const epfd = yield* p.epollCreate();
      const memory = yield* p.allocate(8192);
      let first = -1;
      for (let client = 0; client < 2; client++) {
        const fd = yield* p.accept(listener);
        const added = yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, INTEREST);
        if (client === 0) first = fd;
        else Object.assign(outcome, { added, sameFd: fd === first });
        if (added < 0) return;
        const id = yield* welcome(p, lib, fd);
        // Mapping makes a thread a sender, so this one, which is a receiver, leaves it to another.
        if (maps) {
          let mapped = false;
          yield* p.clone(function* (q) {
            yield* librpal(q).udsFdmap(id, fd);
            mapped = true;
          });
          while (!mapped) yield* p.sleep(1e5);
        }
        yield* answer(p, lib, epfd, fd, memory);
        let dead = yield* lib.cleanServiceStart();
        for (let i = 0; client === 0 && dead === null && i < 100; i++) {
          yield* p.sleep(1e5);
          dead = yield* lib.cleanServiceStart();
        }
        yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
        yield* p.close(fd);
        yield* lib.cleanServiceEnd(dead ?? []);
        if (client === 0) outcome.dead = dead?.length ?? 0;
        buried = true;
      }
    }),
    0,
  );
  const client = (name: 'first' | 'second') =>
    rpalExecutable(name, function* (p) {
      mustEnd(p, name === 'first' ? { signal: Signal.KILL } : 'anyhow');
      yield* p.setAffinity([1]);
      yield* p.sleep(1e6);
      while (name === 'second' && !buried) yield* p.sleep(1e5);
      const fd = yield* p.socket(SocketType.STREAM);
      yield* p.connect(fd, PATH);
      const lib = librpal(p);
      yield* lib.init(1);
      const server = yield* introduce(p, lib, fd);
      const words = yield* p.allocate(4096);
      const far = yield* findReceiver(p, lib, server, fd);
      if (far === null) return;
      if (name === 'first') {
        killer.victim = yield* p.getpid();
        yield* killer.aim(p);
      }
      outcome.result = yield* lib.writePtrs(server, far, words, 1);
      if (name === 'first') yield* p.pause();
      yield* p.close(fd);
    });
  machine.spawn(client('first'), 1);
  machine.spawn(client('second'), 1);
  finish(machine);
  return outcome;
}

describe('a client that is killed some time after its call has begun', () => {
  const well: Outcome = { dead: 1, sameFd: true, added: 0, result: 1 };

  it.each(MOMENTS)('%i cycles: a server that has mapped the connection buries it, and the next client calls', (moment) => {
    expect(reconnect(moment, true)).toEqual(well);
  });

  it.each(MOMENTS)('%i cycles: so does one that has not, once records carry the keys of callers', (moment) => {
    expect(reconnect(moment, false, ['dead-callers-record-kept'])).toEqual(well);
  });

  it('as the series has it, one that has not can lose the descriptor for good', () => {
    const outcomes = MOMENTS.map((moment) => reconnect(moment, false));
    expect(new Set(outcomes.map(({ added }) => added))).toEqual(new Set([0, -1]));
    for (const { dead, sameFd } of outcomes) expect({ dead, sameFd }).toEqual({ dead: 1, sameFd: true });
  });
});

describe('a server that is killed some time after a call has begun', () => {
  it.each(MOMENTS)('%i cycles: the call comes back, with its word or with ERR_PEER_MEM, and the next one with ERR_PEER_MEM', (moment) => {
    const seen: number[] = [];
    const setting = world();
    const killer = new Killer(setting, moment);
    const [, caller] = pair(
      setting,
      function* (end) {
        mustEnd(end.p, { signal: Signal.KILL });
        killer.victim = yield* end.p.getpid();
        yield* serve(end, function* () {
          yield* end.p.compute(500);
        });
      },
      function* (end) {
        yield* killer.aim(end.p);
        seen.push(yield* call(end, 1));
        // A receiver that is being called is not woken, not even to be killed: it dies at the next tick.
        yield* end.p.sleep(10e6);
        seen.push(yield* call(end, 2));
        const key = end.lib.process.peers[end.server]?.key as number;
        seen.push((yield* end.lib.cleanServiceStart())?.length ?? 0, yield* end.lib.releaseService(key), yield* call(end, 3));
      },
    );
    expect([1, -RpalError.ERR_PEER_MEM]).toContain(seen[0]);
    expect(seen.slice(1)).toEqual([-RpalError.ERR_PEER_MEM, 1, 0, -RpalError.INVAL_SERVICE]);
    expect(caller.exit?.signal).toBe(0);
  });
});
