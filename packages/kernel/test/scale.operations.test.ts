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

/** What each of many CPUs does so often. */
const ROUNDS = 20;

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

  /** Operations of each round of `body`, on CPUs that begin together, each with a task of its own. */
  function rounds(sizes: readonly number[], body: (p: Program, input: number, output: number, memory: number) => Generator<void, void>) {
    return countOperations(async (counter) => {
      const { smallMachine } = await import('../../../scripts/testing/run.ts');
      const { executable } = await import('../src/index.js');
      return sizes.map((cpus) => {
        const machine = smallMachine({ cpus });
        let begun = 0;
        for (let cpu = 0; cpu < cpus; cpu++) {
          const main = function* (p: Program): Generator<void, void> {
            yield* p.setAffinity([cpu]);
            const input = yield* p.pipe();
            const output = p.second;
            const memory = yield* p.allocate(4096);
            yield* p.store64(memory, 1);
            begun++;
            // They begin together, and end together.
            while (begun < cpus) yield* p.getpid();
            if (cpu === 0) counter.start();
            for (let round = 0; round < ROUNDS; round++) yield* body(p, input, output, memory);
          };
          machine.spawn(executable('worker', main), cpu);
        }
        machine.run();
        return counter.stop() / (cpus * ROUNDS);
      });
    });
  }

  it('a turn of 256 busy CPUs takes hardly more work than one of two: the height of a heap', async () => {
    const [few, many] = await rounds([2, 256], function* (p, input, output, memory) {
      yield* p.write(output, memory, 8);
      yield* p.read(input, memory, 8);
    });
    expect((many as number) / (few as number)).toBeLessThan(1.2);
  });

  it('256 CPUs that sleep and wake take more turns each than two, which seldom end one for the other', async () => {
    const [few, many] = await rounds([2, 256], function* (p) {
      yield* p.compute(2000 + 7 * p.context.cpu.id);
      yield* p.sleep(1000);
    });
    expect((many as number) / (few as number)).toBeLessThan(1.5);
  });

  it('a sleep takes the same work with 2,000 tasks asleep as with 50, but for the height of trees', async () => {
    const [few, many] = await operations([50, 2000], function* (p, counter, count) {
      for (let i = 0; i < count; i++) {
        yield* p.clone(function* (q) {
          yield* q.sleep(20e9 + i * 1000);
        });
      }
      yield* p.sleep(1e9);
      counter.start();
      for (let i = 0; i < 200; i++) yield* p.sleep(1000);
      counter.stop();
    });
    expect(many / few).toBeLessThan(1.2);
  });

  it('a fork, an end and a wait take the same work with 1,000 processes as with 20', async () => {
    const [few, many] = await operations([20, 1000], function* (p, counter, count) {
      const children: number[] = [];
      for (let i = 0; i < count; i++) {
        const child = yield* p.fork(function* (q) {
          yield* q.sleep(10e9);
        });
        children.push(child);
      }
      yield* p.sleep(1e9);
      counter.start();
      for (let i = 0; i < 20; i++) yield* p.wait(yield* p.fork(function* () {}));
      counter.stop();
      for (const child of children) yield* p.wait(child);
    });
    expect(many / few).toBeLessThan(1.2);
  });

  it('a machine of 128 CPUs is built in some twenty thousand operations, and takes little memory: tables are made when they are used', async () => {
    const { built, bytes } = await countOperations(async (counter) => {
      const { createMachine } = await import('../src/index.js');
      createMachine();
      const before = process.memoryUsage().arrayBuffers;
      counter.start();
      const machine = createMachine();
      const built = counter.stop();
      expect(machine.platform.cpus.length).toBe(128);
      return { built, bytes: process.memoryUsage().arrayBuffers - before };
    });
    expect(built).toBeLessThan(25_000);
    expect(bytes).toBeLessThan(8 * 0x10_0000);
  });
});
