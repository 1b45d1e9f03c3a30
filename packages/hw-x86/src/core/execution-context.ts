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

/** What a core does on events that interrupt its context. The kernel, or a bare-metal program, installs one. */
export interface TrapHandler {
  /** An interrupt was accepted: interrupts are enabled, and `vector` was the highest pending one. */
  interrupt(cpu: Cpu, vector: number): void;
  /** A non-maskable interrupt was accepted. */
  nmi(cpu: Cpu): void;
}
