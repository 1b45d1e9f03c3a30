import type { Cpu } from '@rpal/hw-x86';

/** An idle state as the idle loop uses it; times in TSC cycles. */
export interface IdleState {
  readonly name: string;
  /** The core waits by polling or MWAIT, so a store to its need-resched word wakes it without an interrupt. */
  readonly monitored: boolean;
  /** From the waking event to the first instruction. */
  readonly wake: number;
  /** What an interrupt to a CPU in this state takes longer for its sender; nothing by default. */
  readonly kick?: number;
}

/** Chooses the state a CPU goes idle in. */
export interface IdlePolicy {
  choose(cpu: Cpu): IdleState;
}
