import type { Cpu } from '@rpal/hw-x86';
import { SchedPolicy, Simulation, WaitQueue } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { instructions, instructionsSince } from './instructions.js';

/**
 * Instructions that a real kernel executes on these paths: Linux 6.12.95 (Debian 12 backports, cloud flavour, voluntary
 * preemption, HZ=250, pressure-stall accounting on), `mitigations=off`, one CPU, counted one by one under emulation: median
 * of 200 round trips, every instruction attributed to one step.
 */
const COUNTED = {
  /** Two sleeps, two wake-ups and two switches: both sides SCHED_BATCH, which do not preempt on wake-up. */
  eventfdBatch: {
    body: 930,
    dequeue: 1064,
    pick: 1686,
    pressure: 1198,
    wakeBody: 500,
    wakeEnqueue: 796,
    preemptCheck: 168,
    switchTo: 278,
    finish: 112,
  },
  /** The same between two processes that wait in epoll. */
  unixStreamBatch: {
    body: 1002,
    dequeue: 1064,
    pick: 1686,
    pressure: 1198,
    wakeBody: 500,
    wakeEnqueue: 796,
    preemptCheck: 168,
    switchTo: 374,
    finish: 112,
  },
  /** Default policy: the woken side preempts the waker, which then has its answer without sleeping. One sleep, one wake-up. */
  eventfd: {
    body: 808,
    dequeue: 532,
    pick: 1798,
    pressure: 777,
    wakeBody: 250,
    wakeEnqueue: 398,
    preemptCheck: 251,
    switchTo: 278,
    finish: 112,
  },
  /** sched_yield to the other thread and back: two switches, nobody sleeps. */
  yield: { yield: 824, body: 678, pick: 1886, pressure: 356, switchTo: 278, finish: 112 },
} as const;

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Instructions per round of `rounds` rounds, once both tasks are warm. */
function perRound(sim: Simulation, counter: { rounds: number }): Map<string, number> {
  const cpu = sim.platform.cpus[0] as Cpu;
  sim.run(2e6);
  const [rounds, before] = [counter.rounds, instructions(cpu)];
  sim.run(3e6);
  const done = counter.rounds - rounds;
  expect(done).toBeGreaterThan(100);
  return new Map([...instructionsSince(cpu, before)].map(([name, count]) => [name, count / done]));
}

/** What belongs to ticks, and to waiting as such, is not part of the comparison. */
const OUTSIDE = /^(tick|interrupt|timer|wait|idle|simulatedWork)/;

function schedulerPart(steps: Map<string, number>): number {
  return sum([...steps].filter(([name]) => !OUTSIDE.test(name)).map(([, count]) => count));
}

/** Two tasks that wait for each other in turn. */
function pingPong(policy: number): Map<string, number> {
  const sim = new Simulation();
  const queues = [new WaitQueue('side 0'), new WaitQueue('side 1')] as const;
  const counter = { rounds: 0 };
  const turn = { of: 0 };
  for (const side of [0, 1] as const) {
    sim.spawn(
      `side ${side}`,
      function* (task) {
        for (;;) {
          while (turn.of !== side) yield task.wait(queues[side]);
          yield task.work(100);
          if (side === 0) counter.rounds++;
          yield task.inKernel((cpu) => {
            turn.of = 1 - side;
            queues[1 - side]?.wakeOne(cpu);
          });
        }
      },
      { policy },
    );
  }
  return perRound(sim, counter);
}

describe('the modelled path executes what the real kernel was counted to execute', () => {
  it('when both sides sleep and are woken: within 2 % of the epoll round trip, 4 % of eventfd', () => {
    const modelled = schedulerPart(pingPong(SchedPolicy.BATCH));
    const epoll = sum(Object.values(COUNTED.unixStreamBatch));
    const eventfd = sum(Object.values(COUNTED.eventfdBatch));
    expect(Math.abs(modelled / epoll - 1)).toBeLessThan(0.02);
    expect(Math.abs(modelled / eventfd - 1)).toBeLessThan(0.04);
  });

  it('step by step', () => {
    const modelled = pingPong(SchedPolicy.BATCH);
    const counted = COUNTED.eventfdBatch;
    const at = (...names: string[]): number => sum(names.map((name) => modelled.get(name) ?? 0));
    expect(at('dequeue')).toBeCloseTo(counted.dequeue, -1);
    expect(at('pickNext')).toBeCloseTo(counted.pick, -1);
    expect(at('wakePressure', 'switchPressure')).toBeCloseTo(counted.pressure, -1);
    expect(at('wakeBody')).toBeCloseTo(counted.wakeBody, -1);
    expect(at('wakeEnqueue')).toBeCloseTo(counted.wakeEnqueue, -1);
    expect(at('wakePreemptCheck')).toBeCloseTo(counted.preemptCheck, -1);
    expect(at('switchTo')).toBeCloseTo(counted.switchTo, -1);
    expect(at('finishSwitch')).toBeCloseTo(counted.finish, -1);
    expect(Math.abs(at('scheduleBody') / counted.body - 1)).toBeLessThan(0.08);
  });

  it('when the woken side preempts the waker', () => {
    const modelled = schedulerPart(pingPong(SchedPolicy.NORMAL));
    expect(Math.abs(modelled / sum(Object.values(COUNTED.eventfd)) - 1)).toBeLessThan(0.04);
  });

  it('when two tasks yield to each other', () => {
    const sim = new Simulation();
    const counter = { rounds: 0 };
    for (const side of [0, 1]) {
      sim.spawn(`side ${side}`, function* (task) {
        for (;;) {
          if (side === 0) counter.rounds++;
          yield task.yield();
        }
      });
    }
    const modelled = schedulerPart(perRound(sim, counter));
    expect(Math.abs(modelled / sum(Object.values(COUNTED.yield)) - 1)).toBeLessThan(0.04);
  });
});
