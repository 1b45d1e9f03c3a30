import type { Call, Program } from '@rpal/kernel';
import { Errno, OpenFlag } from '@rpal/uapi';
import type { Meeting, Routine } from './mechanism.js';

/** TSC cycles between two looks of a side that polls: a PAUSE. */
const PAUSE = 40;

/** The flag that descriptors of this meeting are made with. */
export function nonBlocking({ waiting }: Meeting): number {
  return waiting === 'poll' ? OpenFlag.NONBLOCK : 0;
}

/**
 * Between two looks a side lets others run: on one CPU the other side could do nothing otherwise. The short computation lets other
 * cores have their turn first, so that accesses to shared memory happen in the order of time.
 * @public for mechanisms of your own
 */
export function* lookAgain(p: Program, { cpus: [a, b] }: Meeting): Routine {
  if (a === b) yield* p.schedYield();
  else yield* p.compute(PAUSE);
}

/**
 * Calls until the answer is not "again". A side that sleeps in its calls is never told "again".
 * @param again the error that says so @public for mechanisms of your own
 */
export function* untilThere(p: Program, meeting: Meeting, call: () => Call, again: number = Errno.EAGAIN): Routine<number> {
  for (;;) {
    const result = yield* call();
    if (result !== -again) return result;
    yield* lookAgain(p, meeting);
  }
}
