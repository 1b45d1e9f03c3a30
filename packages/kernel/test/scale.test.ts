import { Epoll, OpenFlag, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { executable, type Program } from '../src/index.js';
import { finish, smallMachine } from './support.js';

/** Host microseconds per unit of work, for growing sizes: the cost of one must not grow with their number. */
function growth(what: string, sizes: readonly number[], run: (size: number) => number): void {
  run(sizes[0] as number);
  const costs = sizes.map((size) => run(size));
  console.log(`${what}: ${sizes.map((size, i) => `${size}: ${(costs[i] as number).toFixed(2)} us`).join(', ')}`);
  // Generous, because the computer has other things to do; a quadratic cost would be a hundredfold.
  expect(costs[costs.length - 1] as number).toBeLessThan(12 * (costs[0] as number) + 5);
}

function hostTime(main: (p: Program, start: () => void, stop: () => void) => Generator<void, void>): number {
  const machine = smallMachine();
  let elapsed = 0;
  let from = 0;
  machine.spawn(
    executable('scale', (p) =>
      main(
        p,
        () => {
          from = performance.now();
        },
        () => {
          elapsed += performance.now() - from;
        },
      ),
    ),
  );
  finish(machine);
  return elapsed * 1000;
}

/** Makes `count` eventfds, watched edge-triggered by one epoll. */
function* watchEventfds(p: Program, count: number): Generator<void, { epfd: number; first: number }> {
  p.context.thread.process.files.limit = count + 10;
  const epfd = yield* p.epollCreate();
  const first = epfd + 1;
  for (let i = 0; i < count; i++) {
    const fd = yield* p.eventfd(0, OpenFlag.NONBLOCK);
    yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Epoll.ET, i);
  }
  return { epfd, first };
}

describe('scale', () => {
  it('one epoll instance watches 100,000 eventfds: what is idle costs nothing', { timeout: 120_000 }, () => {
    const rounds = 3;
    growth('epoll event, 1 % of the eventfds active', [1000, 10_000, 100_000], (count) => {
      const active = count / 100;
      const us = hostTime(function* (p, start, stop) {
        const { epfd, first } = yield* watchEventfds(p, count);
        const buffer = yield* p.allocate(0x1_0000);
        yield* p.store64(buffer, 1);
        for (let round = 0; round < rounds; round++) {
          start();
          for (let i = 0; i < active; i++) yield* p.write(first + i * 100 + round, buffer, 8);
          let got = 0;
          while (got < active) got += yield* p.epollWait(epfd, buffer + 4096, 1024, -1);
          stop();
          expect(got).toBe(active);
        }
      });
      return us / (rounds * active);
    });
  });

  it('epoll_ctl costs the same however many files are watched', { timeout: 120_000 }, () => {
    growth('eventfd + epoll_ctl ADD', [1000, 30_000], (count) => {
      const us = hostTime(function* (p, start, stop) {
        start();
        yield* watchEventfds(p, count);
        stop();
      });
      return us / count;
    });
  });

  it('a tree of 1000 processes forks and ends', { timeout: 120_000 }, () => {
    growth('fork, exit and wait, in a tree of fours', [100, 1000], (count) => {
      let made = 1;
      const us = hostTime(function* (p, start, stop) {
        const grow = function* (q: Program): Generator<void, void> {
          let children = 0;
          while (children < 4 && made < count) {
            made++;
            children++;
            yield* q.fork(grow);
          }
          while (children-- > 0) yield* q.wait();
        };
        start();
        yield* grow(p);
        stop();
      });
      expect(made).toBe(count);
      return us / count;
    });
  });
});
