import { EntryKind } from '../process/entry-kind.js';
import { KernelStep } from '../steps.js';
import { type Call, SyscallCall } from './call.js';
import { refuseRegisters } from './checks.js';
import { forgotten, Made } from './forgotten-call.js';
import type { ProgramContext } from './program-context.js';

/** What every family of a program's calls is made from: system calls by number. */
export class ProgramBase {
  readonly context: ProgramContext;
  readonly #syscall: SyscallCall;

  constructor(context: ProgramContext) {
    this.context = context;
    this.#syscall = new SyscallCall(context);
  }

  /**
   * Goes on with `routine` until it ends, as `yield* routine` does; but what waits in it is resumed directly, and not through
   * all that called it. For long routines that wait often.
   */
  *call(routine: Generator<void, void>): Generator<void, void> {
    this.context.call(routine);
    yield;
  }

  /** Any system call by number. @throws MachineError NOT_AWAITED if the call before it has not been awaited with `yield*` */
  syscall(nr: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): Call {
    const { context } = this;
    if (context.made !== Made.NONE) throw forgotten(context, `the system call ${nr}`);
    const areNumbers =
      typeof a0 === 'number' &&
      typeof a1 === 'number' &&
      typeof a2 === 'number' &&
      typeof a3 === 'number' &&
      typeof a4 === 'number' &&
      typeof a5 === 'number';
    // One of them is NaN if their sum is.
    if (!areNumbers || typeof nr !== 'number' || Number.isNaN(nr + a0 + a1 + a2 + a3 + a4 + a5)) {
      refuseRegisters(context, nr, [a0, a1, a2, a3, a4, a5]);
    }
    context.made = Made.SYSCALL;
    context.nr = nr;
    context.a0 = a0;
    context.a1 = a1;
    context.a2 = a2;
    context.a3 = a3;
    context.a4 = a4;
    context.a5 = a5;
    context.cpu.charge(KernelStep.libcStub);
    return this.#syscall;
  }

  /** A system call by its 64-bit number through the entry of 32-bit programs (SYSENTER, or SYSCALL after a jump to 32-bit code). */
  *compatSyscall(nr: number, a0 = 0, a1 = 0, a2 = 0): Generator<void, number> {
    return yield* this.#by(EntryKind.COMPAT, this.syscall(nr, a0, a1, a2));
  }

  /** A system call by its 64-bit number through INT 0x80, which 64-bit code may use, too. */
  *int80(nr: number, a0 = 0, a1 = 0, a2 = 0): Generator<void, number> {
    this.context.cpu.charge(KernelStep.int80);
    return yield* this.#by(EntryKind.INT80, this.syscall(nr, a0, a1, a2));
  }

  *#by(entry: number, call: Call): Generator<void, number> {
    this.context.entry = entry;
    const result = yield* call;
    this.context.entry = EntryKind.SYSCALL;
    return result;
  }

  /** The second descriptor of the last `pipe` or `socketpair`. */
  get second(): number {
    return this.context.second;
  }
}
