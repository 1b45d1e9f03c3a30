import { MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { finish, mustEnd, run, smallMachine } from '../../../scripts/testing/run.ts';
import { executable, type Main, Time } from '../src/index.js';

/** TSC cycles of a process that waits for the other's word by looking at it, and does nothing else. */
function wait(working: number, cpus: number): number {
  let waited = 0;
  run({ cpus }, function* (p) {
    const word = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
    yield* p.store32(word, 0);
    yield* p.fork(function* (child) {
      yield* child.compute(working);
      yield* child.store32(word, 1);
    });
    const begun = p.rdtsc();
    while ((yield* p.load32(word)) === 0);
    waited = p.rdtsc() - begun;
    yield* p.wait();
  });
  return waited;
}

describe('a program that spins on a word', () => {
  it('takes time, and sees soon what another CPU stores', () => {
    const [short, long] = [wait(1_000_000, 2), wait(3_000_000, 2)];
    expect(Math.abs(long - short - 2_000_000)).toBeLessThan(1000);
  });

  it('keeps the only CPU from the one that it waits for until its time slice is over', () => {
    expect(wait(1000, 1)).toBeGreaterThan(2e6);
  });

  it('for ever: the run ends with its time, which the ledger says went into the L1 cache', () => {
    const machine = smallMachine({ cpus: 1 });
    const spinner: Main = function* (p) {
      mustEnd(p, 'running');
      const word = yield* p.allocate(4096);
      while ((yield* p.load64(word)) === 0);
    };
    machine.spawn(executable('spinner', spinner));
    const begun = machine.platform.now;
    finish(machine, Time.ms);
    const [cpu] = machine.platform.cpus;
    const hits = cpu?.ownLedger.entries.find(({ step }) => step.name.endsWith(':cacheL1'));
    expect(machine.platform.now - begun).toBeGreaterThan(2e6);
    expect(hits?.cycles).toBeGreaterThan(0.6 * (machine.platform.now - begun));
  });
});
