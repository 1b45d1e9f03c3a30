import { done, exactly, type Program } from '@rpal/kernel';
import { SchedPolicy } from '@rpal/sched';
import { Errno, Futex, LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import type { Operation } from './operation.js';

const PAGE = 4096;
const VALUE = 7;

/** A round of yields among several threads of one process, on one CPU. */
function yieldAmong(others: number): Operation {
  return {
    name: others === 0 ? 'sched_yield alone' : `sched_yield round of 1 + ${others} threads`,
    *prepare(p) {
      for (let i = 0; i < others; i++) {
        done(
          'clone',
          yield* p.clone(function* (thread) {
            for (;;) yield* thread.schedYield();
          }),
        );
      }
      for (let i = 0; i < 50 * others; i++) yield* p.schedYield();
      return { body: () => p.schedYield() };
    },
  };
}

type Word = (p: Program) => Generator<void, number>;

/** A word with a value, in memory of the process alone. */
function* word(p: Program): Generator<void, number> {
  const address = done('mmap', yield* p.allocate(PAGE));
  yield* p.store32(address, VALUE);
  return address;
}

/** The same in memory that is shared. */
function* sharedWord(p: Program): Generator<void, number> {
  const address = done('mmap', yield* p.mmap(0, PAGE, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS));
  yield* p.store32(address, VALUE);
  return address;
}

/** One futex call that ends early. @param registers behind the address */
function futex(name: string, result: number, make: Word, ...registers: readonly number[]): Operation {
  return {
    name: `futex: ${name}`,
    *prepare(p) {
      const address = yield* make(p);
      const [operation, value, fourth = 0, second = 0, last = 0] = registers as [number, number, ...number[]];
      // The second word is beside the first.
      const other = second === 0 ? 0 : address + second;
      return {
        *body() {
          exactly('futex', yield* p.syscall(LinuxCall.futex, address, operation, value, fourth, other, last), result);
        },
      };
    },
  };
}

const PRIVATE = Futex.PRIVATE_FLAG;
/** FUTEX_OP: set the second word to 0, and wake there if it was 5. */
const SET_AND_WAKE_IF_FIVE = 5;

/** Calls that find nothing to do. */
export const schedOperations: readonly Operation[] = [
  ...[0, 1, 2, 4, 7].map(yieldAmong),
  futex('wait, EAGAIN, private', -Errno.EAGAIN, word, Futex.WAIT | PRIVATE, 1),
  futex('wait, EAGAIN, shared, anonymous memory', -Errno.EAGAIN, word, Futex.WAIT, 1),
  futex('wait, EAGAIN, shared mapping', -Errno.EAGAIN, sharedWord, Futex.WAIT, 1),
  futex('wake of nobody, private', 0, word, Futex.WAKE | PRIVATE, 1),
  futex('wake of nobody, shared, anonymous memory', 0, word, Futex.WAKE, 1),
  futex('wake of nobody, shared mapping', 0, sharedWord, Futex.WAKE, 1),
  futex('wake_op of nobody, private', 0, word, Futex.WAKE_OP | PRIVATE, 1, 1, 4, SET_AND_WAKE_IF_FIVE),
  futex('cmp_requeue of nobody, private', 0, word, Futex.CMP_REQUEUE | PRIVATE, 1, 1, 4, VALUE),
  futex('cmp_requeue, EAGAIN, private', -Errno.EAGAIN, word, Futex.CMP_REQUEUE | PRIVATE, 1, 1, 4, VALUE + 1),
  futex('unknown operation, ENOSYS', -Errno.ENOSYS, word, 99, 1),
  {
    name: 'futex: misaligned, EINVAL',
    *prepare(p) {
      const address = (yield* word(p)) + 1;
      return {
        *body() {
          exactly('futex', yield* p.syscall(LinuxCall.futex, address, Futex.WAKE | PRIVATE, 1), -Errno.EINVAL);
        },
      };
    },
  },
  {
    name: 'futex: wait of nothing mapped, EFAULT',
    prepare(p) {
      return {
        *body() {
          exactly('futex', yield* p.syscall(LinuxCall.futex, PAGE, Futex.WAIT | PRIVATE, 1), -Errno.EFAULT);
        },
      };
    },
  },
  {
    name: 'sched_setscheduler: OTHER to OTHER',
    prepare(p) {
      return { body: () => p.setScheduler(0, SchedPolicy.NORMAL) };
    },
  },
  {
    name: 'sched_setscheduler: OTHER to BATCH',
    prepare(p) {
      return { body: () => p.setScheduler(0, SchedPolicy.BATCH), after: () => p.setScheduler(0, SchedPolicy.NORMAL) };
    },
  },
  {
    name: 'sched_setscheduler: OTHER to FIFO',
    prepare(p) {
      return { body: () => p.setScheduler(0, SchedPolicy.FIFO, 5), after: () => p.setScheduler(0, SchedPolicy.NORMAL) };
    },
  },
  {
    name: 'sched_getscheduler',
    prepare(p) {
      return { body: () => p.syscall(LinuxCall.sched_getscheduler, 0) };
    },
  },
  {
    name: 'sched_setaffinity: same',
    prepare(p) {
      return {
        *body() {
          exactly('sched_setaffinity', yield* p.setAffinity([0]), 0);
        },
      };
    },
  },
  {
    name: 'setpriority: 0 to 5',
    prepare(p) {
      return { body: () => p.setNice(0, 5), after: () => p.setNice(0, 0) };
    },
  },
];
