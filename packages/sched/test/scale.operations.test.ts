import { expect, it } from 'vitest';
import { countOperations, type OperationCounter } from '../../../scripts/testing/operations.ts';
import { MS } from './tasks.js';

/** Operations per context switch with `tasks` tasks on `cores` cores that work 1 ms and sleep as long as keeps the cores busy. */
async function perSwitch(counter: OperationCounter, tasks: number, cores: number, switches: number): Promise<number> {
  const { Simulation } = await import('../src/index.js');
  const sim = new Simulation({ cores });
  const sleep = Math.max(1, (tasks / cores) * 0.9);
  for (let i = 0; i < tasks; i++) {
    sim.spawn(
      `t${i}`,
      function* (task) {
        for (;;) {
          yield task.work(1 * MS);
          yield task.sleep((sleep + (i % 17) / 10) * MS);
        }
      },
      { cpu: i % cores },
    );
  }
  const switched = (): number => sim.scheduler.runQueues.reduce((sum, rq) => sum + rq.switches, 0);
  sim.run(20 * MS);
  const before = switched();
  counter.start();
  while (switched() - before < switches) sim.run(1 * MS);
  return counter.stop() / (switched() - before);
}

it('a switch among 10,000 tasks on 64 cores takes little more work than among 1,000', async () => {
  const [small, large] = await countOperations(async (counter) => [
    await perSwitch(counter, 1000, 64, 4000),
    await perSwitch(counter, 10_000, 64, 4000),
  ]);
  // Logarithmic growth is a factor of 1.3 at the queues; more of the cores balance their load. Ten times as many would show as 10.
  expect((large as number) / (small as number)).toBeLessThan(2);
});
