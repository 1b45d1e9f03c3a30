import { Errno, MapFlag, Prot, SignalMask } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { createMachine, done, exactly, executable, type Program } from '../src/index.js';
import { KernelStep } from '../src/steps.js';

const SIGNAL = 34;
const BIT = 1 << (SIGNAL - 33);
const TIMES = 60;

/** Cycles from before a sigqueue on CPU 0 until a process that polls on CPU 1 has the signal, for each of some distances in phase. */
function transits(): { readonly cycles: readonly number[]; readonly least: number } {
  const machine = createMachine();
  const { step } = machine.platform.costs;
  const sent: number[] = [];
  const got: number[] = [];
  machine.spawn(
    executable('sender', function* (p) {
      exactly('sched_setaffinity', yield* p.setAffinity([0]), 0);
      done('rt_sigprocmask', yield* p.sigprocmask(SignalMask.BLOCK, 0, BIT));
      const seen = done('mmap', yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS, -1));
      const receiver = done('fork', yield* p.fork((child) => receives(child, seen, got)));
      for (let i = 0; i < TIMES; i++) {
        exactly('nanosleep', yield* p.sleep(100_000), 0);
        // Another distance to what the receiver is doing just then.
        yield* p.compute(41 * i);
        sent.push(p.rdtsc());
        exactly('rt_sigqueueinfo', yield* p.sigqueue(receiver, SIGNAL, i), 0);
        while ((yield* p.load32(seen)) !== i + 1) yield* p.compute(100);
      }
      exactly('wait4', yield* p.wait(receiver), receiver);
    }),
    0,
  );
  machine.run();
  return {
    cycles: got.map((at, i) => at - (sent[i] as number)),
    least: (step[KernelStep.syscallEntry] as number) + (step[KernelStep.signalSend] as number),
  };
}

function* receives(p: Program, seen: number, got: number[]): Generator<void, void> {
  exactly('sched_setaffinity', yield* p.setAffinity([1]), 0);
  for (let i = 0; i < TIMES; ) {
    const signal = yield* p.sigwait(0, BIT, 0);
    if (signal === -Errno.EAGAIN) continue;
    exactly('rt_sigtimedwait', signal, SIGNAL);
    got.push(p.rdtsc());
    yield* p.store32(seen, ++i);
  }
}

describe('a signal between two CPUs', () => {
  it('is taken when it has been sent, and not while the sender is still about it', () => {
    const { cycles, least } = transits();
    expect(cycles).toHaveLength(TIMES);
    expect(Math.min(...cycles)).toBeGreaterThan(least);
  });
});
