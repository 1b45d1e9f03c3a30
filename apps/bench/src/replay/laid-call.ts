import type { Program } from '@rpal/kernel';
import { get, type Scratch } from './guest-memory.js';
import type { TracedCall } from './trace-line.js';
import type { Outcome, TracedTask } from './traced-task.js';

/** Looks at what a call has left in memory. @returns what differs, or null */
type Check = (result: number) => Generator<void, string | null>;

/** A call of the trace on its way into the model: its registers, and what is to be looked at when it is over. */
export class LaidCall {
  readonly p: Program;
  readonly task: TracedTask;
  readonly call: TracedCall;
  /** The model's number of a process of the trace; 0: none. */
  readonly modelPid: (pid: number) => number;
  readonly scratch: Scratch;
  readonly registers: number[] = [];
  /** What of it is not compared, such as times. */
  readonly ignored: Set<string> = new Set();
  readonly #checks: Check[] = [];

  constructor(p: Program, task: TracedTask, call: TracedCall, modelPid: (pid: number) => number) {
    this.p = p;
    this.task = task;
    this.call = call;
    this.modelPid = modelPid;
    this.scratch = task.scratch as Scratch;
    this.scratch.clear();
  }

  /** To be done when the call has succeeded. */
  afterwards(check: Check): void {
    this.#checks.push(check);
  }

  /** Compares memory with what the trace shows. @param what a name of the piece */
  bytesAfterwards(at: number, wanted: Uint8Array, what: string): void {
    const { p } = this;
    this.afterwards(function* () {
      const found = yield* get(p, at, wanted.length);
      const where = found.findIndex((byte, i) => byte !== wanted[i]);
      return where < 0 ? null : `byte ${where} of ${what} is ${found[where]}, in the trace ${wanted[where]}`;
    });
  }

  /** Room of zeroes. @returns where it is */
  *cleared(bytes: number): Generator<void, number> {
    const at = this.scratch.room(bytes);
    yield* this.p.memset(at, 0, bytes);
    return at;
  }

  /** The model's number of a descriptor. */
  descriptor(fd: number): number {
    return this.task.descriptors.get(fd) ?? fd;
  }

  /** Where the call has put descriptors, which may have other numbers than in the trace. */
  descriptorsAfterwards(at: number, fds: readonly number[]): void {
    const { p, task } = this;
    this.afterwards(function* () {
      for (const [i, fd] of fds.entries()) {
        const found = (yield* p.load32(at + 4 * i)) | 0;
        if (found !== fd) task.descriptors.set(fd, found);
      }
      return null;
    });
  }

  /** Makes the call. */
  *made(nr: number): Generator<void, Outcome> {
    const [a0, a1, a2, a3, a4, a5] = this.registers;
    const result = yield* this.p.syscall(nr, a0, a1, a2, a3, a4, a5);
    const differences: string[] = [];
    for (const check of result >= 0 ? this.#checks : []) {
      const difference = yield* check(result);
      if (difference !== null) differences.push(difference);
    }
    return { result, differences, ignored: this.ignored };
  }
}
