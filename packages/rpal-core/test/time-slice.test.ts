import { definePlugin } from '@rpal/bus';
import { TaskState } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { Rcc, RpalIoctl, rpalThread, Scc } from '../src/index.js';
import { rpalTask } from '../src/services/thread.js';
import { collectClaim } from '../src/switch/time-slice.js';
import { Control, pairOfServices, run, until, world } from './world.js';

/** A claim of a millisecond, in TSC cycles. */
const CLAIM = 2_400_000;

/**
 * All is done by system calls but for the interrupt: the machine takes interrupts between its steps, and the window is within one, so the wake-up
 * that its handler makes is made by a tap at that point.
 *
 * A receiver on CPU 0 claims a millisecond and goes to sleep. An interrupt comes when it has entered the scheduler and before that has
 * brought its run queue up to date: it wakes a task on CPU 1. @returns ms by which the task clocks of both run fast
 */
function fastClocks(repair: readonly 'time-slice-misplaced'[]): number[] {
  let claims = false;
  let interrupts = (): void => {};
  const interrupt = definePlugin({
    name: 'interrupt',
    version: '1.0.0',
    setup: ({ plugin, hooks }) => {
      hooks.schedEnter.tap(plugin, (_cpu, prev) => {
        if (!claims || (prev.rpal?.stealTime ?? 0) === 0) return;
        claims = false;
        interrupts();
      });
    },
  });
  const setting = world({ repair }, { plugins: [interrupt()] });
  const { scheduler } = setting.machine.kernel;
  const ahead = (): number[] => scheduler.runQueues.slice(0, 2).map(({ taskClock, clock }) => taskClock - clock);
  let over = false;
  let before: number[] = [];
  run(
    setting,
    function* (p) {
      const c = yield* Control.open(p);
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
      yield* p.sleep(2e6);
      yield* p.store64(page + Rcc.totalTime, CLAIM);
      before = ahead();
      claims = true;
      yield* p.sleep(2e6);
      expect(rpalThread(p.context.thread).stealTime).toBe(0);
      over = true;
    },
    function* (p) {
      yield* p.setAffinity([1]);
      const { thread, cpu } = p.context;
      interrupts = () => {
        expect(thread.state).toBe(TaskState.INTERRUPTIBLE);
        scheduler.wakeUp(setting.machine.platform.cpus[0] as typeof cpu, thread);
      };
      while (!over) yield* p.sleep(100e6);
    },
    // CPU 1 is busy: of an idle CPU only a list would be told, and not its run queue.
    function* (p) {
      yield* p.setAffinity([1]);
      while (!over) yield* p.compute(1000);
    },
  );
  return ahead().map((ns, i) => Math.round((ns - (before[i] as number)) / 1e6));
}

describe('a correction of run time whose CPU brings another run queue up to date first', () => {
  it('as written goes to that queue', () => expect(fastClocks([])).toEqual([0, 1]));

  it('repaired waits for the queue of its task', () => expect(fastClocks(['time-slice-misplaced'])).toEqual([1, 0]));
});

describe('run time that is claimed, with claims checked', () => {
  it('moves from the receiver to the sender once, also where the receiver has been charged first', () => {
    const setting = world({ repair: ['total-time-unchecked'] });
    const TIME = 100_000;
    let receiver = 0;
    const stolen: number[] = [];
    pairOfServices(
      setting,
      function* (p, c) {
        const page = yield* c.share();
        yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
        yield* p.compute(2 * TIME);
        yield* p.store64(page + Rcc.totalTime, TIME);
        const { thread, cpu } = p.context;
        collectClaim(setting.rpal, cpu, rpalTask(thread));
        stolen.push(rpalThread(thread).stealTime);
        receiver = thread.pid;
        yield* p.sleep(3e6);
      },
      function* (p, c) {
        const page = yield* c.share();
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
        yield* until(p, () => receiver !== 0);
        const { thread, cpu } = p.context;
        for (let claim = 0; claim < 2; claim++) {
          yield* p.compute(2 * TIME);
          yield* p.store64(page + Scc.totalTime, TIME);
          rpalThread(thread).stealTime = 0;
          collectClaim(setting.rpal, cpu, rpalTask(thread));
          stolen.push(rpalThread(thread).stealTime);
          rpalThread(thread).stealTime = 0;
        }
      },
    );
    const ns = Math.round(TIME / setting.machine.platform.costs.tscPerNs);
    expect(stolen).toEqual([ns, -ns, 0]);
  });
});

describe('run time that a thread of both roles claims', () => {
  // The later registration has overwritten the record of the first (one-pointer-two-roles), and both claims are looked for in it.
  it.each([
    ['as a sender, as long as it claims some', CLAIM, -1],
    ['as a receiver, once it claims none', 0, 1],
  ])('is taken %s', (_what, asSender, sign) => {
    const setting = world();
    let stolen = 0;
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page + 256);
      yield* p.store64(page + 256 + Rcc.totalTime, CLAIM);
      yield* p.store64(page + 256 + Scc.totalTime, asSender);
      const { thread, cpu } = p.context;
      rpalThread(thread).stealTime = 0;
      collectClaim(setting.rpal, cpu, rpalTask(thread));
      stolen = rpalThread(thread).stealTime;
      rpalThread(thread).stealTime = 0;
      yield* p.store64(page + 256 + Rcc.totalTime, 0);
    });
    expect(Math.sign(stolen)).toBe(sign);
  });
});
