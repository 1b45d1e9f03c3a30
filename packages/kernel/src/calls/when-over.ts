import type { Cpu } from '@rpal/hw-x86';
import { type Operation, Pending } from '@rpal/vfs';
import type { Thread } from '../process/thread.js';

/** Decides the final result of a call. */
type Finish = (cpu: Cpu, result: number) => number;

/** An operation with something left to do after it. */
class Finished implements Operation {
  readonly #inner: Operation;
  readonly #finish: Finish;

  constructor(inner: Operation, finish: Finish) {
    this.#inner = inner;
    this.#finish = finish;
  }

  step(cpu: Cpu): number {
    const result = this.#inner.step(cpu);
    return result > Pending.AGAIN ? this.#finish(cpu, result) : result;
  }
}

/** Finishes a call that has come to `result`: now or, if it is pending, after the last step of the thread's operation. */
export function whenOver(cpu: Cpu, thread: Thread, result: number, finish: Finish): number {
  if (result > Pending.AGAIN) return finish(cpu, result);
  thread.operation = new Finished(thread.operation as Operation, finish);
  return result;
}
