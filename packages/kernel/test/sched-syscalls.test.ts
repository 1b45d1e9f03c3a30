import { SchedPolicy } from '@rpal/sched';
import { Errno, LinuxCall, Prio, Rusage } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { SyscallNumber as Nr, type Program, Time } from '../src/index.js';
import { run } from './support.js';

/** Cycles of the modelled CPU in a millisecond. */
const MS = 2.3e6;
const { NORMAL, FIFO, RR, BATCH, IDLE } = SchedPolicy;

describe('scheduling calls', () => {
  it('set and tell the policy, and refuse what Linux refuses', () => {
    const results: number[] = [];
    run(function* (p) {
      results.push(yield* p.syscall(Nr.sched_getscheduler, 0));
      for (const [policy, priority] of [
        [BATCH, 0],
        [IDLE, 0],
        [RR, 1],
        [FIFO, 99],
      ] as const) {
        results.push(yield* p.setScheduler(0, policy, priority), yield* p.syscall(Nr.sched_getscheduler, 0));
      }
      results.push(
        yield* p.setScheduler(0, FIFO, 0),
        yield* p.setScheduler(0, NORMAL, 1),
        yield* p.setScheduler(0, 77),
        yield* p.setScheduler(4711, NORMAL),
        yield* p.setScheduler(-1, NORMAL),
      );
    });
    expect(results.slice(0, 9)).toEqual([NORMAL, 0, BATCH, 0, IDLE, 0, RR, 0, FIFO]);
    expect(results.slice(9)).toEqual([-Errno.EINVAL, -Errno.EINVAL, -Errno.EINVAL, -Errno.ESRCH, -Errno.EINVAL]);
  });

  it('tell priority ranges, slices and the nice value', () => {
    const results: number[] = [];
    run({ plugins: [posix()] }, function* (p) {
      const room = yield* p.allocate(4096);
      results.push(
        yield* p.syscall(LinuxCall.sched_get_priority_max, FIFO),
        yield* p.syscall(LinuxCall.sched_get_priority_min, RR),
        yield* p.syscall(LinuxCall.sched_get_priority_max, BATCH),
        yield* p.syscall(LinuxCall.sched_get_priority_max, 42),
      );
      yield* p.setScheduler(0, RR, 5);
      results.push(yield* p.syscall(LinuxCall.sched_rr_get_interval, 0, room), yield* p.load64(room), yield* p.load64(room + 8));
      yield* p.setNice(0, 7);
      results.push(yield* p.syscall(LinuxCall.getpriority, Prio.PROCESS, 0));
      yield* p.setNice(0, -100);
      results.push(yield* p.syscall(LinuxCall.getpriority, Prio.PROCESS, 0), yield* p.syscall(LinuxCall.getpriority, Prio.USER, 0));
    });
    expect(results).toEqual([99, 1, 0, -Errno.EINVAL, 0, 0, 100_000_000, 13, 40, 40]);
  });

  it('a real-time process runs before the others, a child inherits', () => {
    const order: string[] = [];
    run(function* (p) {
      yield* p.setAffinity([0]);
      const work = (name: string) =>
        function* (child: Program) {
          if (name === 'urgent') yield* child.setScheduler(0, FIFO, 10);
          yield* child.compute(8 * MS);
          order.push(name);
        };
      yield* p.fork(work('first'));
      yield* p.fork(work('second'));
      yield* p.fork(work('urgent'));
      for (let i = 0; i < 3; i++) yield* p.wait();
    });
    expect(order[0]).toBe('urgent');
    const policies: number[] = [];
    run(function* (p) {
      yield* p.setScheduler(0, BATCH);
      yield* p.fork(function* (child) {
        policies.push(yield* child.syscall(Nr.sched_getscheduler, 0));
      });
      yield* p.wait();
    });
    expect(policies).toEqual([BATCH]);
  });

  it('getrusage counts time and switches, of the thread and of the process with threads that have ended', () => {
    const times: Record<string, number> = {};
    run(function* (p) {
      const room = yield* p.allocate(4096);
      yield* p.clone(function* (thread) {
        yield* thread.compute(30 * MS);
      });
      yield* p.compute(10 * MS);
      yield* p.sleep(60 * Time.ms);
      for (const [name, who] of Object.entries(Rusage)) {
        if ((yield* p.getrusage(who, room)) !== 0) continue;
        const at = function* (offset: number) {
          return yield* p.load64(room + offset);
        };
        times[name] = (yield* at(0)) * 1000 + (yield* at(8)) / 1000 + (yield* at(16)) * 1000 + (yield* at(24)) / 1000;
        times[`${name} voluntary`] = yield* at(128);
      }
    });
    expect(times.THREAD).toBeGreaterThan(10);
    expect(times.THREAD).toBeLessThan(11);
    expect(times.SELF).toBeGreaterThan(40);
    expect(times.SELF).toBeLessThan(42);
    expect(times['THREAD voluntary']).toBe(1);
    expect(times.CHILDREN).toBe(0);
  });

  it('sched_getaffinity tells what sched_setaffinity has set', () => {
    const seen: (number | readonly number[])[] = [];
    run(function* (p) {
      yield* p.setAffinity([1, 3]);
      seen.push(yield* p.syscall(Nr.sched_getaffinity, 0));
      const { cpus: affinity } = p.context.args;
      seen.push([0, 1, 2, 3].filter((cpu) => 'has' in affinity && affinity.has(cpu)));
    });
    expect(seen).toEqual([8, [1, 3]]);
  });
});
