import type { Cpu } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { RpalIoctl } from '../src/index.js';
import { Control, run, world } from './world.js';

/** How often a CPU has booked a step of the kernel half. */
function count({ ownLedger }: Cpu, name: string): number {
  return ownLedger.entries.find(({ step }) => step.name === `@rpal/rpal-core:${name}`)?.count ?? 0;
}

describe('an entry into the kernel', () => {
  it('costs a registered thread a look at its FS base, and looking for the thread whose it is only if it is not its own', () => {
    const seen: [entryCheck: number, identify: number][] = [];
    run(world(), function* (p) {
      const control = yield* Control.open(p);
      yield* control.ioctl(RpalIoctl.REGISTER_SENDER, yield* control.share());
      const { cpu } = p.context;
      const own = p.rdfsbase();
      for (const base of [own, own + 3 * 2 ** 39]) {
        const before = [count(cpu, 'entryCheck'), count(cpu, 'identify')] as const;
        p.wrfsbase(base);
        yield* p.getpid();
        seen.push([count(cpu, 'entryCheck') - before[0], count(cpu, 'identify') - before[1]]);
        p.wrfsbase(own);
      }
    });
    expect(seen).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });
});
