import { CoreScheduling, type SimulatedTask, Simulation, SwitchPhase } from '@rpal/sched';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MS } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

/** Cookies that work at the same moment on the threads of one core, checked at every switch. */
function watch(sim: Simulation, cores: number): () => number {
  let violations = 0;
  const running = (): void => {
    const { runQueues } = sim.scheduler;
    for (let core = 0; core < cores; core++) {
      const cookies = runQueues
        .filter(({ cpu }) => cpu.core === core)
        // A CPU that has decided to leave its task runs no user code of it any more.
        .map(({ current, next, phase }) => (phase === SwitchPhase.SWITCH ? next : current))
        .filter((task) => task.pid !== 0 && !task.name.startsWith('migration'))
        .map(({ coreCookie }) => coreCookie);
      if (new Set(cookies).size > 1) violations++;
    }
  };
  sim.scheduler.events.contextSwitch.on('test', running);
  return () => violations;
}

describe('core scheduling', () => {
  it('lets tasks of one cookie share a core', () => {
    const sim = new Simulation({ cores: 1, threadsPerCore: 2 });
    const cookie = CoreScheduling.of(sim.scheduler).createCookie();
    for (const cpu of [0, 1])
      CoreScheduling.of(sim.scheduler).setCookie(sim.scheduler.cpuOf(0), sim.spawn(`t${cpu}`, hog, { cpu }), cookie);
    sim.run(1000 * MS);
    for (const { entity } of sim.tasks) expect(entity.sumExec / (1000 * MS)).toBeGreaterThan(0.99);
  });

  it('keeps tasks of different cookies apart: they take turns, and the other thread idles', () => {
    const sim = new Simulation({ cores: 1, threadsPerCore: 2, hz: 1000 });
    const violations = watch(sim, 1);
    for (const cpu of [0, 1]) {
      CoreScheduling.of(sim.scheduler).setCookie(
        sim.scheduler.cpuOf(0),
        sim.spawn(`t${cpu}`, hog, { cpu, affinity: [cpu] }),
        CoreScheduling.of(sim.scheduler).createCookie(),
      );
    }
    sim.run(2000 * MS);
    expect(violations()).toBe(0);
    const [a, b] = sim.tasks.map(({ entity }) => entity.sumExec / (2000 * MS)) as [number, number];
    expect(a + b).toBeGreaterThan(0.95);
    expect(a + b).toBeLessThan(1.001);
    expect(a / b).toBeGreaterThan(0.8);
    expect(a / b).toBeLessThan(1.25);
  });

  it('costs nothing while nobody has a cookie', () => {
    const sim = new Simulation({ cores: 1, threadsPerCore: 2 });
    for (const cpu of [0, 1]) sim.spawn(`t${cpu}`, hog, { cpu });
    sim.run(100 * MS);
    expect(sim.scheduler.queues.cores).toBeNull();
  });

  it('holds under random load, and nobody starves', () => {
    const member = fc.record({ cookie: fc.nat(2), work: fc.integer({ min: 1, max: 15 }), sleep: fc.nat(20), pinned: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(member, { minLength: 2, maxLength: 12 }), (cores, members) => {
        const sim = new Simulation({ cores, threadsPerCore: 2 });
        const violations = watch(sim, cores);
        const cookies = [0, CoreScheduling.of(sim.scheduler).createCookie(), CoreScheduling.of(sim.scheduler).createCookie()];
        members.forEach(({ cookie, work, sleep, pinned }, i) => {
          const cpu = i % (2 * cores);
          const task = sim.spawn(
            `t${i}`,
            function* (self) {
              for (;;) {
                yield self.work(work * MS);
                if (sleep > 0) yield self.sleep(sleep * MS);
              }
            },
            pinned ? { cpu, affinity: [cpu] } : { cpu },
          );
          CoreScheduling.of(sim.scheduler).setCookie(sim.scheduler.cpuOf(0), task, cookies[cookie] as number);
        });
        sim.run(3000 * MS);
        expect(violations()).toBe(0);
        for (const task of sim.tasks) expect(task.entity.sumExec, task.name).toBeGreaterThan(10 * MS);
      }),
      { numRuns: 8, seed: 615, endOnFailure: true },
    );
  });
});
