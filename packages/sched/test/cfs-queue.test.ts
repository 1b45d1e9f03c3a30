import { CfsQueue, Dequeue, Enqueue, NICE_0_LOAD, niceWeight, type SchedEntity } from '@rpal/sched';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MS, someTask } from './tasks.js';

const SLICE = 3 * MS;
const TICK = 4 * MS;

function queueOf(...nices: number[]): { queue: CfsQueue; entities: SchedEntity[] } {
  const queue = new CfsQueue(SLICE, TICK);
  const entities = nices.map((nice) => someTask(nice).entity);
  for (const entity of entities) queue.enqueue(entity, Enqueue.WAKE_UP);
  return { queue, entities };
}

/** Runs `entity` from `clock` on for `ns`; puts it back. @returns the clock afterwards */
function runFor(queue: CfsQueue, entity: SchedEntity, clock: number, ns: number): number {
  queue.setNext(entity, clock);
  queue.update(clock + ns);
  queue.putPrevious(entity);
  return clock + ns;
}

describe('nice values', () => {
  it('weigh as the kernel table says: about 1.25 per level, 1024 for nice 0', () => {
    expect([-20, -1, 0, 1, 19].map(niceWeight)).toEqual([88761, 1277, NICE_0_LOAD, 820, 15]);
  });

  it('slow virtual time down: at nice -5 it passes a third as fast', () => {
    const { queue, entities } = queueOf(-5, 0);
    const [heavy] = entities as [SchedEntity];
    const before = heavy.vruntime;
    runFor(queue, heavy, 0, 3121_000);
    expect(heavy.vruntime - before).toBe(1024_000);
    expect(heavy.sumExec).toBe(3121_000);
  });
});

describe('picking', () => {
  it('takes the earliest virtual deadline among the eligible', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ nice: fc.integer({ min: -20, max: 19 }), run: fc.integer({ min: 1, max: 5_000_000 }) }), {
          minLength: 2,
          maxLength: 20,
        }),
        fc.nat(19),
        (members, running) => {
          const { queue, entities } = queueOf(...members.map(({ nice }) => nice));
          let clock = 0;
          entities.forEach((entity, i) => {
            clock = runFor(queue, entity, clock, members[i]?.run ?? 1);
          });
          const current = entities[running % entities.length] as SchedEntity;
          queue.setNext(current, clock);
          queue.cancelParity();
          const eligible = entities.filter((entity) => queue.eligible(entity));
          const earliest = Math.min(...eligible.map(({ deadline }) => deadline));
          expect(eligible).not.toEqual([]);
          expect(queue.pick()?.deadline).toBe(earliest);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('keeps the running entity until its slice is used up (RUN_TO_PARITY)', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    queue.setNext(a, 0);
    expect(queue.update(SLICE - 1)).toBe(false);
    // It has run, so the other one is ahead of it in line, but not yet.
    expect(queue.eligible(a)).toBe(false);
    queue.putPrevious(a);
    expect(queue.pick()).toBe(b);
    const fresh = queueOf(0, 0);
    const [c] = fresh.entities as [SchedEntity];
    fresh.queue.setNext(c, 0);
    c.vruntime -= 1;
    expect(fresh.queue.pick()).toBe(c);
  });

  it('has nobody in an empty queue, and the only one in a queue of one', () => {
    const queue = new CfsQueue(SLICE, TICK);
    expect(queue.pick()).toBeNull();
    const { entity } = someTask();
    queue.enqueue(entity, Enqueue.WAKE_UP);
    expect(queue.pick()).toBe(entity);
    queue.setNext(entity, 0);
    expect(queue.pick()).toBe(entity);
  });
});

describe('the deadline', () => {
  it('lies one weighted slice behind the vruntime, half of one for a new task', () => {
    const queue = new CfsQueue(SLICE, TICK);
    const [old, fresh, heavy] = [someTask(), someTask(), someTask(-5)];
    queue.enqueue(old.entity, Enqueue.WAKE_UP);
    queue.enqueue(fresh.entity, Enqueue.NEW);
    queue.enqueue(heavy.entity, Enqueue.WAKE_UP);
    expect(old.entity.deadline - old.entity.vruntime).toBe(SLICE);
    expect(fresh.entity.deadline - fresh.entity.vruntime).toBe(SLICE / 2);
    expect(heavy.entity.deadline - heavy.entity.vruntime).toBe(Math.floor((SLICE * 1024) / 3121));
  });

  it('is renewed when it is reached, and that ends the slice if somebody waits', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a] = entities as [SchedEntity];
    queue.setNext(a, 0);
    expect(queue.update(SLICE)).toBe(true);
    expect(a.deadline).toBe(a.vruntime + SLICE);
  });

  it('goes one slice further on sched_yield', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a] = entities as [SchedEntity];
    queue.setNext(a, 0);
    const before = a.deadline;
    queue.yieldCurrent(1000);
    expect(a.deadline).toBe(before + SLICE);
  });

  it('is kept, relative, by a task that changes queues while runnable', () => {
    const { queue, entities } = queueOf(0, 0, 0);
    const [a] = entities as [SchedEntity];
    runFor(queue, a, 0, 1 * MS);
    const ahead = a.deadline - a.vruntime;
    queue.dequeue(a, Dequeue.MOVE);
    const other = queueOf(0, 0).queue;
    other.enqueue(a, Enqueue.WAKE_UP);
    expect(a.deadline - a.vruntime).toBe(ahead);
  });
});

describe('lag', () => {
  it('sums to nothing over the queue, weighted', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -10, max: 10 }), { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat(9_000_000)),
        (nices, runs) => {
          const { queue, entities } = queueOf(...nices);
          let clock = 0;
          runs.forEach((ns, i) => {
            clock = runFor(queue, entities[i % entities.length] as SchedEntity, clock, ns);
          });
          const weights = entities.reduce((sum, { weight }) => sum + weight, 0);
          const lags = entities.reduce((sum, { vruntime, weight }) => sum + (queue.average - vruntime) * weight, 0);
          // The average is rounded down to a nanosecond.
          expect(Math.abs(lags)).toBeLessThanOrEqual(weights);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is the same before a task leaves and after it has come back (PLACE_LAG)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 0, max: 3_000_000 }),
        (nices, ran) => {
          const { queue, entities } = queueOf(...nices);
          const [a] = entities as [SchedEntity];
          runFor(queue, a, 0, ran);
          const lag = queue.average - a.vruntime;
          queue.dequeue(a, Dequeue.SLEEP);
          queue.enqueue(a, Enqueue.WAKE_UP);
          expect(Math.abs(queue.average - a.vruntime - lag)).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('that a sleeper takes along is at most two slices, or a tick', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    runFor(queue, a, 0, 100 * MS);
    queue.dequeue(a, Dequeue.SLEEP);
    expect(a.vlag).toBe(-2 * SLICE);
    queue.enqueue(a, Enqueue.WAKE_UP);
    runFor(queue, b, 0, 300 * MS);
    queue.dequeue(a, Dequeue.SLEEP);
    expect(a.vlag).toBe(2 * SLICE);
  });

  it('does not help a task that joins an empty queue', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    runFor(queue, a, 0, 5 * MS);
    queue.dequeue(a, Dequeue.SLEEP);
    queue.dequeue(b, Dequeue.SLEEP);
    queue.enqueue(a, Enqueue.WAKE_UP);
    expect(a.vruntime).toBe(queue.average);
  });
});

describe('delayed dequeue', () => {
  it('keeps a sleeper that owes time on the queue until it is eligible again', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    runFor(queue, a, 0, 2 * MS);
    expect(queue.dequeue(a, Dequeue.SLEEP_DELAYED)).toBe(false);
    expect(a.delayed).toBe(true);
    expect(queue.queued).toBe(2);
    expect(queue.pick()).toBe(b);
    runFor(queue, b, 0, 2 * MS);
    expect(queue.eligible(a)).toBe(true);
    expect(queue.dequeue(a, Dequeue.SLEEP)).toBe(true);
    expect(queue.queued).toBe(1);
  });

  it('lets a sleeper that is owed time go at once, and so for whoever forbids it', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    runFor(queue, a, 0, 2 * MS);
    expect(queue.dequeue(b, Dequeue.SLEEP_DELAYED)).toBe(true);
    const other = queueOf(0, 0);
    runFor(other.queue, other.entities[0] as SchedEntity, 0, 2 * MS);
    expect(other.queue.dequeue(other.entities[0] as SchedEntity, Dequeue.SLEEP)).toBe(true);
  });

  it('forgets lag that was earned asleep (DELAY_ZERO)', () => {
    const { queue, entities } = queueOf(0, 0);
    const [a, b] = entities as [SchedEntity, SchedEntity];
    runFor(queue, a, 0, 2 * MS);
    queue.dequeue(a, Dequeue.SLEEP_DELAYED);
    runFor(queue, b, 0, 5 * MS);
    queue.requeue(a);
    expect(a.delayed).toBe(false);
    expect(Math.abs(queue.average - a.vruntime)).toBeLessThanOrEqual(1);
  });
});

describe('the queue as a whole', () => {
  it('holds exactly who joined and did not leave, whatever happens', () => {
    const step = fc.record({ kind: fc.nat(5), who: fc.nat(11), ns: fc.nat(6_000_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new CfsQueue(SLICE, TICK);
        const entities = Array.from({ length: 12 }, (_, i) => someTask(i - 6).entity);
        const member = new Set<SchedEntity>();
        let clock = 0;
        for (const { kind, who, ns } of steps) {
          const entity = entities[who] as SchedEntity;
          clock += ns;
          queue.update(clock);
          if (!member.has(entity)) {
            queue.enqueue(entity, kind === 0 ? Enqueue.NEW : Enqueue.WAKE_UP);
            member.add(entity);
          } else if (entity.delayed && kind < 3) {
            queue.requeue(entity);
          } else if (kind < 4) {
            const why = kind % 2 !== 0 ? Dequeue.MOVE : entity.delayed ? Dequeue.SLEEP : Dequeue.SLEEP_DELAYED;
            if (queue.dequeue(entity, why)) member.delete(entity);
          }
          const next = queue.pick();
          if (next !== null && next !== queue.current) {
            if (queue.current !== null) queue.putPrevious(queue.current);
            queue.setNext(next, clock);
          }
          const waiting = [...member].filter((one) => one !== queue.current);
          expect(new Set(queue.tree)).toEqual(new Set(waiting));
          expect(queue.queued).toBe(member.size);
          expect(queue.load).toBe([...member].reduce((sum, { weight }) => sum + weight, 0));
        }
      }),
      { numRuns: 150 },
    );
  });
});
