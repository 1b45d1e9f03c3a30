import { type ExperimentOptions, type Mechanism, mechanisms, pingPong } from '@rpal/compare';
import { type CpuProfile, PAGE_SIZE } from '@rpal/hw-x86';
import { type Call, createMachine, done, executable, type Program } from '@rpal/kernel';
import { Prot, Signal } from '@rpal/uapi';
import { ExokernelError } from '../errors.js';

const WARM_UP = 8;

/** What a program does to trap. */
type Trapping = (p: Program, page: number) => Call<unknown>;

/** An address that is none: #GP, which carries no address, as an overflow does. */
export const NOT_CANONICAL = 2 ** 50;

/** TSC cycles from an instruction that traps to the first one of a handler of SIGSEGV in a process of Linux. */
function dispatch(profile: CpuProfile, { costs, seed }: ExperimentOptions, trapping: Trapping): number {
  const machine = createMachine({ profile, costs, seed });
  let [began, cycles] = [0, Number.NaN];
  machine.spawn(
    executable('program', function* (p) {
      const page = done('mmap', yield* p.allocate(PAGE_SIZE));
      yield* p.store64(page, 1);
      let traps = 0;
      const handler = function* (q: Program) {
        cycles = q.context.cpu.clock - began;
        // The first ones warm up: they are repaired, and come again.
        if (++traps === WARM_UP) yield* q.exit(0);
        done('mprotect', yield* q.mprotect(page, PAGE_SIZE, Prot.READ | Prot.WRITE));
      };
      done('sigaction', yield* p.sigaction(Signal.SEGV, handler));
      for (;;) {
        done('mprotect', yield* p.mprotect(page, PAGE_SIZE, Prot.READ));
        if (traps === WARM_UP - 1) {
          began = p.context.cpu.clock;
          yield* trapping(p, page);
        }
        began = p.context.cpu.clock;
        yield* p.store64(page, 2);
      }
    }),
  );
  machine.run();
  if (!(cycles > 0)) throw new ExokernelError('RUN_FAILED', 'the handler of SIGSEGV has not run');
  return cycles;
}

/** The same for both exceptions of the paper. */
export function linuxDispatch(profile: CpuProfile, options: ExperimentOptions): { readonly overflow: number; readonly protection: number } {
  return {
    overflow: dispatch(profile, options, (p) => p.load64(NOT_CANONICAL)),
    protection: dispatch(profile, options, (p, page) => p.store64(page, 3)),
  };
}

/** TSC cycles of a word, one way, between two processes of Linux on one CPU: half of a round trip. */
export function linuxOneWay(name: 'pipe' | 'futex', profile: CpuProfile, { costs, seed }: ExperimentOptions): number {
  const mechanism = mechanisms.find((candidate) => candidate.name === name) as Mechanism;
  const [waiting = 'sleep'] = mechanism.waits;
  const { roundTrip } = pingPong(mechanism, {
    machine: { profile, costs, seed },
    size: 4,
    cpus: [0, 0],
    waiting,
    messages: 20,
    warmUp: 10,
  });
  return roundTrip.cycles / 2;
}
