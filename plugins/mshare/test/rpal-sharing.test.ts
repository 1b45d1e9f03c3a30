import { HUGE_PAGE_SIZE } from '@rpal/hw-x86';
import { createMachine, type Machine } from '@rpal/kernel';
import { rpal, rpalOf, rpalThread } from '@rpal/rpal-core';
import { MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Body, pairOfServices } from '../../../packages/rpal-core/test/world.ts';
import { mshare, mshareOf } from '../src/index.js';
import { smallMachine, until } from './support.js';

function rpalMachine(): Machine {
  return smallMachine({ plugins: [rpal(), mshare({ rpalSharing: true })] });
}

/** Two services that have requested each other. */
function pair(machine: Machine, ...bodies: readonly [Body, Body]) {
  return pairOfServices({ machine, rpal: rpalOf(machine) }, ...bodies);
}

describe("as the provider of RPAL's sharing slot", () => {
  it('is there instead of copied entries', () => {
    expect(
      rpalMachine()
        .describe()
        .find(({ name }) => name === 'rpalSharing')?.plugins,
    ).toEqual(['@rpal/mshare']);
    expect(() => createMachine({ plugins: [mshare({ rpalSharing: true })] })).toThrow(/requires "@rpal\/rpal-core"/);
  });

  it('shares a GiB of the peer with the first access to it, and what the owner maps there later without another', () => {
    const machine = rpalMachine();
    let page = 0;
    let later = 0;
    let seen: number[] = [];
    let shared: number[] = [];
    const state = mshareOf(machine);
    const [owner, user] = pair(
      machine,
      function* (p) {
        const first = yield* p.allocate(4096);
        yield* p.store64(first, 41);
        page = first;
        yield* until(p, () => seen.length === 1);
        // Another page of the same GiB.
        const second = (yield* p.allocate(4096)) as number;
        yield* p.store64(second, 42);
        expect(Math.floor(second / HUGE_PAGE_SIZE)).toBe(Math.floor(first / HUGE_PAGE_SIZE));
        later = second;
        yield* until(p, () => seen.length === 2);
      },
      function* (p) {
        yield* until(p, () => page !== 0);
        p.wrpkru(0);
        shared = [state.tables?.sharedTables ?? -1];
        seen = [yield* p.load64(page)];
        shared.push(state.tables?.sharedTables ?? -1);
        yield* until(p, () => later !== 0);
        seen.push(yield* p.load64(later));
        shared.push(state.tables?.sharedTables ?? -1);
      },
    );
    expect([owner?.exit, user?.exit]).toMatchObject([{ signal: 0 }, { signal: 0 }]);
    expect(seen).toEqual([41, 42]);
    expect(shared).toEqual([0, 1, 1]);
  });

  it('follows when the owner takes a GiB away and maps it anew', () => {
    const machine = rpalMachine();
    let stage = 0;
    let at = 0;
    const seen: number[] = [];
    const [, user] = pair(
      machine,
      function* (p) {
        const service = rpalThread(p.context.thread).service;
        const free = (service?.base ?? 0) + 100 * HUGE_PAGE_SIZE;
        for (const value of [1, 2]) {
          at = yield* p.mmap(free, 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
          yield* p.store64(at, value);
          stage = value;
          yield* until(p, () => seen.length === value);
          yield* p.munmap(at, 4096);
        }
      },
      function* (p) {
        p.wrpkru(0);
        for (const value of [1, 2]) {
          yield* until(p, () => stage === value);
          p.wrpkru(0);
          seen.push(yield* p.load64(at));
        }
      },
    );
    expect(user?.exit).toMatchObject({ signal: 0 });
    expect(seen).toEqual([1, 2]);
  });
});
