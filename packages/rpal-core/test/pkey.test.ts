import type { Program } from '@rpal/kernel';
import { Errno, MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { PkuOn, pkruOf, type RpalService } from '../src/index.js';
import { chooseKey, defaultPkruOf, keysOf } from '../src/memory/pkey.js';
import { Control, run, type World, world } from './world.js';

const LINUX = 0x5555_5554;

/** Runs one service. */
function inService(body: (p: Program, c: Control) => Generator<void, void>): World {
  const setting = world({}, { plugins: [posix()] });
  run(setting, function* (p) {
    yield* body(p, yield* Control.open(p));
  });
  return setting;
}

const service = (parts: Partial<RpalService>): RpalService => parts as RpalService;

describe('what a signal handler begins with (patch 29)', () => {
  it("is Linux's default without a service, and in one without keys", () => {
    expect(defaultPkruOf(null, LINUX)).toBe(LINUX);
    expect(defaultPkruOf(service({ pkuOn: PkuOn.FALSE, pkey: 5 }), LINUX)).toBe(LINUX);
  });

  it('is everything while keys are being installed: some pages have the new key by then, and others do not', () => {
    expect(defaultPkruOf(service({ pkuOn: PkuOn.INIT, pkey: 5 }), LINUX)).toBe(0);
  });

  it('is the own key while keys are being installed, without patch 29', () => {
    expect(defaultPkruOf(service({ pkuOn: PkuOn.INIT, pkey: 5 }), LINUX, false)).toBe(pkruOf(5));
  });

  it('is the own key from then on', () => {
    expect(defaultPkruOf(service({ pkuOn: PkuOn.FINISH, pkey: 5 }), LINUX)).toBe(pkruOf(5));
  });
});

describe('what kernel return, the fix-ups and recovery set (patch 26)', () => {
  it.each([PkuOn.FALSE, PkuOn.INIT, PkuOn.FINISH])('is the keys themselves, in force or not: state %i of the installation', (pkuOn) => {
    const own = service({ pkuOn, pkey: 5 });
    expect(keysOf(own, null)).toBe(pkruOf(5));
    expect(keysOf(own, service({ pkuOn: PkuOn.FINISH, pkey: 3 }))).toBe(pkruOf(5) & pkruOf(3));
  });

  it('is everything for a service without a key', () => expect(keysOf(service({ pkey: -1 }), null)).toBe(0));
});

describe('the key of a service', () => {
  it.each([0, 1, 15])('is the one that it asks for: %i', (wanted) => {
    expect(chooseKey(service({ id: 18 }), wanted)).toBe(wanted);
  });

  it.each([-1, 16])('is its id modulo 16 if it asks for %i', (wanted) => {
    expect(chooseKey(service({ id: 18 }), wanted)).toBe(2);
  });

  // The child has the memory of a service and belongs to none (patches 04, 26).
  it('is not that of what the child of a vfork maps in its memory', () => {
    const keys: (number | undefined)[] = [];
    run(world({}, { plugins: [posix()] }), function* (p) {
      const c = yield* Control.open(p);
      expect(yield* c.enable({ pkey: 5 })).toBe(0);
      let theirs = 0;
      yield* p.vfork(function* (q) {
        theirs = yield* q.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS, -1);
      });
      const own = yield* p.allocate(4096);
      for (const address of [theirs, own]) keys.push(p.context.thread.memory.areas.containing(address)?.key);
    });
    expect(keys).toEqual([0, 5]);
  });
});

describe('a change of keys that a program asks for (patches 25, 26, 29)', () => {
  const asks = function* (p: Program): Generator<void, number[]> {
    const page = yield* p.allocate(4096);
    return [
      yield* p.pkeyMprotect(page, 4096, Prot.READ, 3),
      // Linux looks at nothing of a key where there is nothing to protect, and finds first that the range wraps.
      yield* p.pkeyMprotect(page, 0, Prot.READ, 3),
      yield* p.pkeyMprotect(page, -4096, Prot.READ, 3),
      yield* p.pkeyFree(3),
    ];
  };

  it('is refused before anything else of it is looked at, once keys are in force', () => {
    const seen: number[][] = [];
    const { rpal } = inService(function* (p, c) {
      seen.push(yield* asks(p));
      expect(yield* c.enable({ pkey: 5 })).toBe(0);
      seen.push(yield* asks(p));
    });
    const { EINVAL, ENOMEM } = Errno;
    expect(seen).toEqual([
      [0, 0, -ENOMEM, -EINVAL],
      [-EINVAL, -EINVAL, -EINVAL, -EINVAL],
    ]);
    expect(rpal.instruments.log.filter((line) => /may not put pages under key 3/.test(line))).toHaveLength(3);
  });

  it('is not refused to a task that has the memory of a service and belongs to none: the child of a vfork', () => {
    let seen: number[] = [];
    inService(function* (p, c) {
      expect(yield* c.enable({ pkey: 5 })).toBe(0);
      yield* p.vfork(function* (q) {
        q.wrpkru(0);
        seen = yield* asks(q);
      });
    });
    expect(seen).toEqual([0, 0, -Errno.ENOMEM, 0]);
  });
});
