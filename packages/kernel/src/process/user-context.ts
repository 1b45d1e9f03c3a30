import { type Cpu, Exception, type ExecutionContext, TrapOutcome, taggedNumber } from '@rpal/hw-x86';
import type { CallArguments } from './call-arguments.js';
import type { ContextTable } from './context-table.js';
import { EntryKind } from './entry-kind.js';
import type { Thread } from './thread.js';
import type { ThreadContext } from './thread-context.js';

/** The registers of a system call, and the host string that stands for a string argument. */
export interface CallRegisters {
  readonly nr: number;
  readonly a0: number;
  readonly a1: number;
  readonly a2: number;
  readonly a3: number;
  readonly a4: number;
  readonly a5: number;
  readonly text: string;
}

/** The `nr` of a context that has made no system call. */
export const NO_CALL = -1;

const NO_REGISTERS: CallRegisters = { nr: NO_CALL, a0: 0, a1: 0, a2: 0, a3: 0, a4: 0, a5: 0, text: '' };

/**
 * A flow of user-mode code: a program, or a fiber of a library. It is what the user's registers describe; while it does
 * not run, saved registers in memory may refer to it by its resume address, as a real saved instruction pointer would.
 */
export abstract class UserContext implements ExecutionContext {
  /** What the arguments of its system calls stand for that are more than numbers. */
  abstract readonly args: CallArguments;
  readonly contexts: ContextTable;
  /**
   * The value of a saved instruction pointer that leads back here, until the thread that it belongs to ends. The fifteen addresses after
   * it lead here, too: `landing` says to which one a context has been sent. 0: nothing leads here.
   */
  readonly resumeAddress: number;
  /** Instruction pointer, where somebody may ask for it: sections of library code have addresses. */
  rip: number = taggedNumber();
  rsp = 0;
  /** Result registers: set by whoever resumes the context. */
  rax = 0;
  rdx = 0;
  /** The kernel has diverted the context to this address, one of its own; 0 if it goes on where it was. */
  landing = 0;
  /** System-call number (`NO_CALL` before the first) and arguments. `text` stands for string arguments. */
  nr: number = NO_CALL;
  a0: number = taggedNumber();
  a1: number = taggedNumber();
  a2: number = taggedNumber();
  a3: number = taggedNumber();
  a4: number = taggedNumber();
  a5: number = taggedNumber();
  /** Second descriptor of the last call that made two. */
  second = 0;
  text = '';
  /** How system calls enter the kernel: `EntryKind.SYSCALL`, `COMPAT` or `INT80`. */
  entry: number = EntryKind.SYSCALL;
  /** The core that executes it, or did last. */
  cpu: Cpu;
  /** A system call is pending: when the context is resumed, it is complete. */
  calling = false;
  /** No step has been executed since `resume`: the next one is owed whatever the clock says. */
  fresh = false;

  /** @param thread the thread whose end is the end of this flow; null: one that no saved instruction pointer leads to */
  constructor(contexts: ContextTable, cpu: Cpu, thread: Thread | null) {
    this.contexts = contexts;
    this.cpu = cpu;
    this.restoreRegisters(NO_REGISTERS);
    this.resumeAddress = thread === null ? 0 : contexts.add(this, thread);
    this.rip = this.resumeAddress;
  }

  saveRegisters(): CallRegisters {
    const { nr, a0, a1, a2, a3, a4, a5, text } = this;
    return { nr, a0, a1, a2, a3, a4, a5, text };
  }

  restoreRegisters({ nr, a0, a1, a2, a3, a4, a5, text }: CallRegisters): void {
    this.nr = nr;
    this.a0 = a0;
    this.a1 = a1;
    this.a2 = a2;
    this.a3 = a3;
    this.a4 = a4;
    this.a5 = a5;
    this.text = text;
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
   * SYSCALL, with what is in the registers.
   * @returns true once the call is complete, with its result in `rax`; else the context gives way, and calls this again when resumed
   */
  systemCall(): boolean {
    if (!this.calling) {
      const { cpu } = this;
      const outcome = cpu.trap.syscall(cpu);
      if (outcome !== TrapOutcome.DONE) {
        this.calling = outcome === TrapOutcome.PENDING;
        return false;
      }
    }
    this.calling = false;
    return true;
  }

  /**
   * #PF, as the MMU has just reported it.
   * @returns true if the access may be repeated at once; else the context gives way, or has been sent elsewhere (`landing`)
   */
  pageFault(): boolean {
    const { cpu } = this;
    return cpu.trap.exception(cpu, Exception.pageFault, cpu.mmu.faultCode) === TrapOutcome.DONE && this.landing === 0;
  }

  /**
   * Physical address behind `address`, as an instruction of this context reaches it: faults are taken until it does.
   * @param access `Access` bits @returns -1 if a fault ended as `pageFault` says
   */
  reach(address: number, access: number): number {
    const physical = this.cpu.data(address, access);
    return physical >= 0 ? physical : this.#reachAfterFault(access);
  }

  /** Asks the MMU for the address: V8 would box one that is passed on before each access, also of those without a fault. */
  #reachAfterFault(access: number): number {
    const address = this.cpu.mmu.faultAddress;
    for (;;) {
      if (!this.pageFault()) return -1;
      const physical = this.cpu.data(address, access);
      if (physical >= 0) return physical;
    }
  }

  /** The address that the kernel has sent this context to, one of its own; what it was in the middle of is given up. 0: none. */
  takeLanding(): number {
    const { landing } = this;
    if (landing !== 0) {
      this.landing = 0;
      this.calling = false;
    }
    return landing;
  }

  /**
   * The flow of the thread on whose behalf this one executes: it runs the signal handlers that interrupt this one. Null if there is none,
   * and signals with handlers wait.
   */
  get program(): ThreadContext | null {
    return null;
  }

  abstract resume(cpu: Cpu): void;
}
