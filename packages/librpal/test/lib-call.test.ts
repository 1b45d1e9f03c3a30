import type { Cpu } from '@rpal/hw-x86';
import { createMachine, executable, type Program, SyscallNumber } from '@rpal/kernel';
import { expect, test } from 'vitest';
import { LibCall, type StepEnd } from '../src/routine/lib-call.js';

/** A routine that is nothing but a system call. */
class Ask extends LibCall {
  protected override steps(): StepEnd {
    return this.state === 0 ? this.syscall(SyscallNumber.getpid, 1) : this.finish(this.context.rax);
  }
}

test('a system call of a routine begins even while another core has exactly the same clock', () => {
  const machine = createMachine();
  const [here, there] = machine.platform.cpus as readonly [Cpu, Cpu];
  let result = 0;
  function* first(p: Program): Generator<void, void> {
    yield* p.setAffinity([0]);
    const ask = new Ask(p.context);
    while (there.clock <= here.clock) yield* p.compute(1000);
    yield* p.compute(there.clock - here.clock);
    expect(there.clock).toBe(here.clock);
    expect(there.halted).toBe(false);
    result = yield* ask;
  }
  function* second(p: Program): Generator<void, void> {
    yield* p.setAffinity([1]);
    yield* p.compute(10_000_000);
  }
  machine.spawn(executable('first', first), 0);
  machine.spawn(executable('second', second), 1);
  for (let turns = 0; result === 0 && turns < 1000; turns++) machine.run(machine.platform.now + 100_000);
  expect(result).toBeGreaterThan(0);
});
