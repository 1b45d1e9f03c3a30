import type { Cpu } from './cpu.js';

/**
 * Something that a core can execute: a user program, a kernel path, the idle loop, a bare-metal routine.
 * Nothing above this layer may assume what kind of engine stands behind it.
 */
export interface ExecutionContext {
  /**
   * Executes at least one step, and goes on until the core's turn is over (`cpu.hasTime`), the core halts, or
   * `cpu.context` is another one. Must not be called re-entrantly.
   */
  resume(cpu: Cpu): void;
}

/** What becomes of a context that has trapped. */
export const TrapOutcome = {
  /** The trap is handled, and the core is back in the context: it goes on at once. */
  DONE: 0,
  /** The core does something else. The context goes on when it is resumed; the trap is then handled. */
  PENDING: 1,
  /** The trap was not taken, because an interrupt or another core comes first. The context traps again when it is resumed. */
  RETRY: 2,
} as const;

export type TrapOutcome = (typeof TrapOutcome)[keyof typeof TrapOutcome];

/**
 * Where a core goes when it leaves its context: the kernel, or a bare-metal program, installs one. This is the only way from a
 * context to the kernel. The context that traps, or is interrupted, is `cpu.context`; it has brought its registers up to date.
 */
export interface TrapHandler {
  /** SYSCALL: the context's registers hold the number and the arguments. */
  syscall(cpu: Cpu): TrapOutcome;
  /**
   * An exception: the instruction has changed nothing and is executed again when the context goes on, unless the handler has
   * sent it elsewhere.
   * @param vector one of `Exception`
   * @param code the error code; `FaultCode` bits of a page fault, whose address (CR2) is in `cpu.mmu.faultAddress`
   */
  exception(cpu: Cpu, vector: number, code: number): TrapOutcome;
  /** An interrupt was accepted: interrupts are enabled, and `vector` was the highest pending one. */
  interrupt(cpu: Cpu, vector: number): void;
  /** A non-maskable interrupt was accepted. */
  nmi(cpu: Cpu): void;
}
