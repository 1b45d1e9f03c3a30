import { type Mechanism, mechanisms, pingPong } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import { createMachine, done, exactly, executable, type Program } from '@rpal/kernel';
import type { IdleStateName } from '@rpal/sched';
import { MapFlag, Prot } from '@rpal/uapi';
import { check } from '../outcome.js';
import { cpusFor } from '../rfc-benchmark.js';

/** Behind those that warm up. */
const TIMES = 100;
const WARM_UP = 20;
/** How long a process rests before it is woken, ns: as long as in native/host.c, and until the interrupt of the wake-up before has come. */
const restOn = ({ costs }: CpuProfile): number => 60_000 + 2 * costs.ipiDelivery.high;

/** The single steps of native/host.c that are made of many, on the model: nanoseconds of one. */
export const modelledSteps: {
  nullCall(profile: CpuProfile): number;
  /** One switch, of two processes that give way to each other on one CPU. */
  yield(profile: CpuProfile): number;
  /** From a wake-up on one CPU to the woken process on an idle other one. */
  wakeIdle(profile: CpuProfile, idle: IdleStateName): number;
  /** The FUTEX_WAKE of such a wake-up, for the waker. */
  wakeIdleCall(profile: CpuProfile, idle: IdleStateName): number;
} = {
  nullCall(profile) {
    return timed(profile, [], function* (p) {
      done('getppid', yield* p.getppid());
    });
  },

  yield(profile) {
    const giveWay = function* (p: Program): Generator<void, void> {
      exactly('sched_yield', yield* p.schedYield(), 0);
    };
    return timed(profile, [giveWay], giveWay) / 2;
  },

  wakeIdle(profile, idle) {
    const futex = mechanisms.find(({ name }) => name === 'futex') as Mechanism;
    const { there } = pingPong(futex, {
      machine: { profile, idle },
      size: 4,
      cpus: cpusFor(profile, 'same-socket'),
      waiting: 'sleep',
      messages: TIMES,
      warmUp: WARM_UP,
      *before(p) {
        exactly('nanosleep', yield* p.sleep(restOn(profile)), 0);
      },
    });
    return there.nanoseconds;
  },

  wakeIdleCall(profile, idle) {
    const machine = createMachine({ profile, idle });
    const [waker, woken] = cpusFor(profile, 'same-socket');
    let cycles = 0;
    const waits = function* (p: Program, word: number): Generator<void, void> {
      exactly('sched_setaffinity', yield* p.setAffinity([woken]), 0);
      for (let i = 0; i < WARM_UP + TIMES; i++) yield* p.futexWait(word, i);
    };
    machine.spawn(
      executable('waker', function* (p) {
        exactly('sched_setaffinity', yield* p.setAffinity([waker]), 0);
        const word = done('mmap', yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS, -1));
        yield* p.store32(word, 0);
        done('fork', yield* p.fork((child) => waits(child, word)));
        for (let i = 0; i < WARM_UP + TIMES; i++) {
          exactly('nanosleep', yield* p.sleep(restOn(profile)), 0);
          const began = p.rdtsc();
          yield* p.store32(word, i + 1);
          exactly('futex', yield* p.futexWake(word, 1), 1);
          if (i >= WARM_UP) cycles += p.rdtsc() - began;
        }
      }),
      waker,
    );
    machine.run();
    return cycles / TIMES / profile.clock.tscGHz;
  },
};

type Part = (p: Program) => Generator<void, void>;

/** Time of one turn of a part on CPU 0, on which others do theirs. */
function timed(profile: CpuProfile, others: readonly Part[], part: Part): number {
  const machine = createMachine({ profile });
  let cycles = 0;
  for (const [index, each] of [part, ...others].entries()) {
    machine.spawn(
      executable(`part ${index}`, function* (p) {
        exactly('sched_setaffinity', yield* p.setAffinity([0]), 0);
        for (let i = 0; i < WARM_UP; i++) yield* each(p);
        const began = p.rdtsc();
        for (let i = 0; i < TIMES; i++) yield* each(p);
        if (index === 0) cycles = p.rdtsc() - began;
        // Those that this one gave way to meanwhile go on for as long.
        else for (let i = 0; i < WARM_UP; i++) yield* each(p);
        return 0;
      }),
      0,
    );
  }
  machine.run();
  check(cycles > 0, 'a step took no time on the model');
  return cycles / TIMES / profile.clock.tscGHz;
}
