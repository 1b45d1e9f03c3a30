import type { Cpu, ExecutionContext } from '@rpal/hw-x86';
import type { ProgramContext } from '../program/program-context.js';
import { EntryKind } from '../seams.js';
import type { Kernel } from './kernel.js';

/** First of the addresses that stand for continuations; see `UserContext.resumeAddress`. */
const RESUME_TEXT = 0x7fff_0000_0000;
const RESUME_SPACING = 16;

/** What `nr` of a context is that has made no system call. */
export const NO_CALL = -1;

/**
 * A flow of user-mode code: a program, or a fiber of a library. It is what the user's registers describe; while it does
 * not run, saved registers in memory may refer to it by its resume address, as a real saved instruction pointer would.
 */
export abstract class UserContext implements ExecutionContext {
  readonly kernel: Kernel;
  /** The value of a saved instruction pointer that leads back here. Unique in the machine. */
  readonly resumeAddress: number;
  /** Instruction pointer, as far as anybody may ask for it: sections of library code have addresses. */
  rip = 0;
  rsp = 0;
  /** Result registers: set by whoever resumes the context. */
  rax = 0;
  rdx = 0;
  /** The kernel has diverted the context to this address, one of its own; 0 if it goes on where it was. */
  landing = 0;
  /** System-call number (`NO_CALL` before the first) and arguments. `text` stands for string arguments. */
  nr: number = NO_CALL;
  a0 = 0;
  a1 = 0;
  a2 = 0;
  a3 = 0;
  a4 = 0;
  a5 = 0;
  /** Second descriptor of the last call that made two. */
  second = 0;
  text = '';
  /** How system calls enter the kernel: `EntryKind.SYSCALL` or `COMPAT`. */
  entry: number = EntryKind.SYSCALL;
  /** The core that executes it, or did last. */
  cpu: Cpu;
  /** No step has been executed since `resume`: the next one is owed whatever the clock says. */
  fresh = false;

  constructor(kernel: Kernel, cpu: Cpu) {
    this.kernel = kernel;
    this.cpu = cpu;
    this.resumeAddress = RESUME_TEXT + kernel.registerContext(this) * RESUME_SPACING;
    this.rip = this.resumeAddress;
  }

  /**
   * Index of the context that a saved instruction pointer leads to; -1 if it is no resume address. Each context has
   * sixteen addresses, so that code can be told by `landing` which of several places it is sent to.
   */
  static numberOf(address: number): number {
    const number = Math.floor((address - RESUME_TEXT) / RESUME_SPACING);
    return number >= 0 ? number : -1;
  }

  /** An argument register of a system call, 0 .. 5. */
  argument(index: number): number {
    switch (index) {
      case 0:
        return this.a0;
      case 1:
        return this.a1;
      case 2:
        return this.a2;
      case 3:
        return this.a3;
      case 4:
        return this.a4;
      default:
        return this.a5;
    }
  }

  /** True when the context must give way before its next step. */
  mustYield(): boolean {
    if (this.fresh) {
      this.fresh = false;
      return false;
    }
    return !this.cpu.hasTime;
  }

  /**
   * The program on whose behalf the flow executes: it runs the signal handlers that interrupt the flow. Null if there is none, and
   * signals with handlers wait.
   */
  get program(): ProgramContext | null {
    return null;
  }

  abstract resume(cpu: Cpu): void;
}
