import { executable, type Main } from '@rpal/kernel';
import { Madvise } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { pairOfServices, rpalImage, until, type World, world } from './world.js';

const SECOND = 1e9;

/** Bits of the CPUs in the mask of a program that has run on CPUs 0 and 1 and unmaps a page on CPU 0, more than a second later. */
function maskAfterFlush({ machine }: World, image: typeof executable): number {
  let mask = -1;
  const main: Main = function* (p) {
    yield* p.setAffinity([1]);
    yield* p.setAffinity([0]);
    yield* p.sleep(1.5 * SECOND);
    const page = yield* p.allocate(4096);
    yield* p.store64(page, 1);
    yield* p.munmap(page, 4096);
    mask = p.context.thread.memory.cpuMask[0] as number;
  };
  machine.spawn(image('program', main), 0);
  machine.spawn(
    executable('other', function* (p) {
      yield* p.setAffinity([1]);
      yield* p.compute(5 * SECOND);
    }),
    1,
  );
  machine.run();
  return mask;
}

describe('the flushes of a service (patch 13)', () => {
  it('leave CPUs that have gone on to other memory in the mask, which Linux takes out', () => {
    expect(maskAfterFlush(world(), executable)).toBe(0b01);
    expect(maskAfterFlush(world(), rpalImage)).toBe(0b11);
  });

  it('pass over the CPU of a peer, also when a second has gone by since the last', () => {
    const setting = world();
    let target = 0;
    let filled = false;
    let unmapped = false;
    let seen = 0;
    pairOfServices(
      { ...setting, within: 3 * SECOND },
      function* (p, _c, peer) {
        yield* p.sleep(1.5 * SECOND);
        const page = yield* p.allocate(8192);
        yield* p.store64(page, 42);
        target = page;
        yield* until(p, () => filled);
        // Only one of two pages, so that no table goes with them.
        yield* p.madvise(page, 4096, Madvise.DONTNEED);
        unmapped = true;
        yield* until(p, () => peer.exit !== null);
      },
      function* (p) {
        while (target === 0) yield* p.sleep(1e6);
        p.wrpkru(0);
        yield* p.load64(target);
        filled = true;
        // In user mode throughout: a switch of address spaces would flush.
        while (!unmapped) yield* p.compute(500);
        seen = yield* p.load64(target);
      },
    );
    expect(seen).toBe(42);
  });
});
