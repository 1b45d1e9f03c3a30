import type { Cpu } from '@rpal/hw-x86';
import { WaitQueue } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { begin, type Caller, OperationKind, Pending, RetryOperation } from '../src/index.js';
import { type Actor, Lab } from './lab.js';

/** Something that can be taken, one at a time, by whoever waits for it. */
class Shelf {
  readonly queue: WaitQueue = new WaitQueue('shelf');
  goods = 0;

  put(cpu: Cpu, key = 0): void {
    this.goods++;
    this.queue.wakeOne(cpu, key);
  }
}

/** Takes one, as a read does. */
class Take extends RetryOperation {
  readonly #shelf: Shelf;
  readonly attempts: number[] = [];

  constructor(lab: Lab, caller: Caller, shelf: Shelf, exclusive: boolean, events = 0) {
    super(caller, lab.scheduler, exclusive, events);
    this.#shelf = shelf;
  }

  protected override get queue(): WaitQueue {
    return this.#shelf.queue;
  }

  protected override attempt(cpu: Cpu): number {
    this.attempts.push(cpu.clock);
    return this.#shelf.goods > 0 ? this.#shelf.goods-- : Pending.NOTHING_YET;
  }
}

describe('an operation that is attempted again', () => {
  it('ends at once if there is something', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    shelf.goods = 3;
    expect(lab.call((cpu, caller) => begin(cpu, caller, new Take(lab, caller, shelf, true)))).toBe(3);
    expect(shelf.queue.active).toBe(false);
  });

  it('sleeps until it is woken, and then takes what there is', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    let got = 0;
    lab.actor(function* ({ caller }) {
      got = yield (cpu) => begin(cpu, caller, new Take(lab, caller, shelf, true));
    });
    lab.run();
    expect([got, shelf.queue.active]).toEqual([0, true]);
    lab.actor(function* () {
      yield (cpu) => {
        shelf.put(cpu);
        return 0;
      };
    }, 1);
    lab.finish();
    expect([got, shelf.goods, shelf.queue.active]).toEqual([1, 0, false]);
  });

  it('goes back to sleep if somebody else was quicker', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    let take: Take | null = null;
    const sleeper = lab.actor(function* ({ caller }) {
      take = new Take(lab, caller, shelf, true);
      const operation = take;
      yield (cpu) => begin(cpu, caller, operation);
    });
    lab.run();
    lab.actor(function* ({ caller }) {
      yield (cpu) => {
        shelf.put(cpu);
        return begin(cpu, caller, new Take(lab, caller, shelf, true));
      };
    }, 1);
    lab.run();
    expect([sleeper.ended, (take as Take | null)?.attempts.length]).toEqual([false, 2]);
  });

  it.each([
    ['one of those that wait exclusively', true, 1],
    ['all of those that do not', false, 3],
  ])('is woken as %s', (_who, exclusive, woken) => {
    const lab = new Lab();
    const shelf = new Shelf();
    const takes: Take[] = [];
    for (let i = 0; i < 3; i++) {
      lab.actor(function* ({ caller }) {
        const take = new Take(lab, caller, shelf, exclusive);
        takes.push(take);
        yield (cpu) => begin(cpu, caller, take);
      });
    }
    lab.run();
    wake(lab, shelf, 0);
    expect(takes.filter(({ attempts }) => attempts.length === 2)).toHaveLength(woken);
  });

  it('serves first who came first', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    const order: number[] = [];
    for (let i = 0; i < 3; i++) {
      lab.actor(function* ({ caller }) {
        yield (cpu) => begin(cpu, caller, new Take(lab, caller, shelf, true));
        order.push(i);
      });
    }
    lab.run();
    for (let i = 0; i < 3; i++) wake(lab, shelf, 0);
    lab.finish();
    expect(order).toEqual([0, 1, 2]);
  });

  it('does not notice wake-ups that are for others', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    const mine = lab.actor(waiting(lab, shelf, 4));
    lab.run();
    wake(lab, shelf, 2);
    expect(mine.ended).toBe(false);
    wake(lab, shelf, 6);
    expect(mine.ended).toBe(true);
  });

  it('ends with ERESTARTSYS when a signal comes, unless there is something to take', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    const results: number[] = [];
    const sleeper = lab.actor(function* ({ caller }) {
      results.push(yield (cpu) => begin(cpu, caller, new Take(lab, caller, shelf, true)));
      results.push(yield (cpu) => begin(cpu, caller, new Take(lab, caller, shelf, true)));
    });
    lab.run();
    lab.actor(function* () {
      yield (cpu) => {
        sleeper.interrupt(cpu);
        return 0;
      };
    }, 1);
    lab.run();
    expect(results, 'the signal is still pending, so the second ends at once').toEqual([-Errno.ERESTARTSYS, -Errno.ERESTARTSYS]);
    expect(shelf.queue.active).toBe(false);
  });
});

describe('the operations of a task', () => {
  it('are kept by kind, one of each', () => {
    const lab = new Lab();
    const shelf = new Shelf();
    const first: OperationKind<Take> = new OperationKind('first');
    const second: OperationKind<Take> = new OperationKind('second');
    const { operations } = lab.caller;
    expect(operations.get(second)).toBeUndefined();
    const take = new Take(lab, lab.caller, shelf, true);
    expect(operations.keep(second, take)).toBe(take);
    expect([operations.get(first), operations.get(second)]).toEqual([undefined, take]);
  });
});

function waiting(lab: Lab, shelf: Shelf, events: number) {
  return function* ({ caller }: Actor) {
    yield (cpu: Cpu) => begin(cpu, caller, new Take(lab, caller, shelf, true, events));
  };
}

function wake(lab: Lab, shelf: Shelf, key: number): void {
  lab.actor(function* () {
    yield (cpu) => {
      shelf.put(cpu, key);
      return 0;
    };
  }, 1);
  lab.run();
}
