import { Epoll, OpenFlag, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { countOperations, type OperationCounter } from '../../../scripts/testing/operations.ts';
import type { Program } from '../src/index.js';

/** A program that does something, and tells the counter where that begins; what it takes is what has been counted where it says `stop`. */
type Work = (p: Program, counter: OperationCounter, size: number) => Generator<void, void>;

/** Operations of the work, for a small and a large size. */
async function operations(sizes: readonly [small: number, large: number], work: Work): Promise<readonly [small: number, large: number]> {
  return await countOperations(async (counter) => {
    const { run } = await import('../../../scripts/testing/run.ts');
    const of = (size: number): number => {
      let sum = 0;
      const adding = { start: () => counter.start(), stop: () => (sum += counter.stop()) };
      run({ within: 60e9 }, (p) => work(p, adding, size));
      return sum;
    };
    return [of(sizes[0]), of(sizes[1])];
  });
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
  it('one epoll instance watches 30,000 eventfds: those that are idle cost nothing', async () => {
    const active = 30;
    const [few, many] = await operations([1000, 30_000], function* (p, counter, count) {
      const { epfd, first } = yield* watchEventfds(p, count);
      const buffer = yield* p.allocate(0x1_0000);
      yield* p.store64(buffer, 1);
      counter.start();
      for (let i = 0; i < active; i++) yield* p.write(first + Math.floor((i * count) / active), buffer, 8);
      let got = 0;
      while (got < active) got += yield* p.epollWait(epfd, buffer + 4096, 1024, -1);
      counter.stop();
    });
    expect(many / few).toBeLessThan(1.1);
  });

  it('epoll_ctl takes the same work however many files are watched', async () => {
    const more = 100;
    const [few, many] = await operations([1000, 20_000], function* (p, counter, count) {
      const { epfd } = yield* watchEventfds(p, count);
      p.context.thread.process.files.limit += more;
      counter.start();
      for (let i = 0; i < more; i++) yield* p.epollCtl(epfd, Epoll.CTL_ADD, yield* p.eventfd(), Poll.IN, i);
      counter.stop();
    });
    expect(many / few).toBeLessThan(1.1);
  });

  it('a tree of 600 processes forks and ends, with as much work for each as in one of 100', async () => {
    const [small, large] = await operations([100, 600], function* (p, counter, count) {
      let made = 1;
      const grow = function* (q: Program): Generator<void, void> {
        let children = 0;
        while (children < 4 && made < count) {
          made++;
          children++;
          yield* q.fork(grow);
        }
        while (children-- > 0) yield* q.wait();
      };
      counter.start();
      yield* grow(p);
      counter.stop();
      expect(made).toBe(count);
    });
    // They share four CPUs: the more there are, the more often one is preempted.
    expect(large / 600 / (small / 100)).toBeLessThan(1.3);
  });
});
