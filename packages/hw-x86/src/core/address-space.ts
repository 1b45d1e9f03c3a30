import type { Cpu } from './cpu.js';

/**
 * What a context switch needs to know of an address space. The scheduler holds these; memory management makes them.
 */
export interface AddressSpace {
  /** Makes this the address space that `cpu` translates with (Linux: `switch_mm_irqs_off`). Interrupts are off. */
  activate(cpu: Cpu): void;
  /** `cpu` goes on to a task without an address space and keeps this one loaded meanwhile (Linux: `enter_lazy_tlb`). */
  enterLazy(cpu: Cpu): void;
}
