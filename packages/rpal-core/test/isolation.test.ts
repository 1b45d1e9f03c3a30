import type { Program } from '@rpal/kernel';
import { MapFlag, Prot, Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { pkruOf, rpalThread } from '../src/index.js';
import { Control, mustEnd, pairOfServices, run, until, world } from './world.js';

const OWNER = 0;
const INTRUDER = 1;

/** The second of two linked services gets an address in the first one's memory. @returns how the second one ended */
function intrude(how: 'read' | 'write' | 'untouched', open: (own: number, peer: number) => number | null) {
  const setting = world();
  let target = 0;
  let over = false;
  let seen = -1;
  let ownerPages = 0;
  const processes = pairOfServices(
    setting,
    function* (p, _control, peer) {
      const page = yield* p.allocate(2 * 4096);
      yield* p.store64(page, 42);
      target = how === 'untouched' ? page + 4096 : page;
      const before = p.context.thread.memory.residentPages;
      yield* until(p, () => over || peer.exit !== null);
      ownerPages = p.context.thread.memory.residentPages - before;
    },
    function* (p) {
      mustEnd(p, 'anyhow');
      yield* until(p, () => target !== 0);
      const pkru = open(rpalThread(p.context.thread).service?.pkey as number, OWNER);
      if (pkru !== null) p.wrpkru(pkru);
      if (how !== 'read') yield* p.store64(target, 7);
      seen = yield* p.load64(target);
      over = true;
    },
  );
  return { exit: processes[INTRUDER]?.exit, owner: processes[OWNER]?.exit, seen: () => seen, target, ownerPages: () => ownerPages };
}

describe('memory of a peer outside a call', () => {
  it('cannot be read: protection-key fault', () => {
    const { exit, owner, target } = intrude('read', () => null);
    expect(exit).toMatchObject({ signal: Signal.SEGV, code: SignalCode.SEGV_PKUERR, address: target });
    expect(owner?.signal).toBe(0);
  });

  it('cannot be written', () => {
    expect(intrude('write', () => null).exit).toMatchObject({ signal: Signal.SEGV, code: SignalCode.SEGV_PKUERR });
  });

  it('is read by whoever executes WRPKRU(0)', () => {
    const { exit, seen } = intrude('read', () => 0);
    expect(exit?.signal).toBe(0);
    expect(seen()).toBe(42);
  });

  it("is written by whoever opens the peer's key", () => {
    const { exit, seen } = intrude('write', (own, peer) => pkruOf(own) & pkruOf(peer));
    expect(exit?.signal).toBe(0);
    expect(seen()).toBe(7);
  });

  it('is populated, and charged to its owner, before the access without the key fails', () => {
    const { exit, ownerPages } = intrude('untouched', () => null);
    expect(exit).toMatchObject({ signal: Signal.SEGV, code: SignalCode.SEGV_PKUERR });
    expect(ownerPages()).toBe(1);
  });
});

describe('memory that a service maps once it has its key', () => {
  it.each([
    ['to be read and written', Prot.READ | Prot.WRITE],
    ['to be executed only, which takes a key of its own elsewhere', Prot.EXEC],
  ])('%s: has the key', (_what, prot) => {
    const keys: (number | undefined)[] = [];
    run(world(), function* (p) {
      const c = yield* Control.open(p);
      yield* c.enable({ pkey: 5 });
      const at = yield* p.mmap(0, 4096, prot, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      keys.push(p.context.thread.memory.areas.containing(at)?.key);
    });
    expect(keys).toEqual([5]);
  });
});

describe('a fault on memory of a peer that the peer has not touched yet', () => {
  /** Who of the second service makes it: itself, or the child of a vfork, which has its memory and belongs to no service. */
  const faults = (who: 'service' | 'child of a vfork'): { read: number; pages: number } => {
    let target = 0;
    let [read, pages] = [-1, 0];
    pairOfServices(
      world({}, { plugins: [posix()] }),
      function* (p, _c, peer) {
        target = yield* p.allocate(4096);
        const before = p.context.thread.memory.residentPages;
        yield* until(p, () => peer.exit !== null);
        pages = p.context.thread.memory.residentPages - before;
      },
      function* (p) {
        yield* until(p, () => target !== 0);
        const look = function* (q: Program): Generator<void, void> {
          mustEnd(q, 'anyhow');
          q.wrpkru(0);
          yield* q.store64(target, 7);
          read = yield* q.load64(target);
        };
        if (who === 'service') yield* look(p);
        else yield* p.vfork(look);
      },
    );
    return { read, pages };
  };

  it('is resolved in the peer for a service, and not for the child of its vfork (patches 4, 14)', () => {
    expect(faults('service')).toEqual({ read: 7, pages: 1 });
    expect(faults('child of a vfork')).toEqual({ read: -1, pages: 0 });
  });
});
