import type { Cpu, CpuProfile } from '@rpal/hw-x86';
import type { RpalService } from './service.js';

/**
 * How services that share an address space are kept out of each other's memory outside calls (slot `rpalIsolation`).
 * What a thread may reach is its rights: a word in the format of PKRU, two bits per key, that the CPU keeps in
 * `cpu.mmu.pkru` and the scheduler saves and restores with the thread, whether or not the hardware looks at it.
 */
export interface Isolation {
  /** What it is, in a few words. */
  readonly name: string;
  /** Why it cannot work on a machine with these CPUs, in words that end a sentence; null if it can. */
  refusal(profile: CpuProfile): string | null;
  /** User mode takes these rights, on the CPU it runs on. Charges what that costs; nothing in it can fault. */
  userLoad(cpu: Cpu, rights: number): void;
  /** The kernel gives the thread that `cpu` runs these rights. */
  kernelLoad(cpu: Cpu, rights: number): void;
  /** True if the present rights forbid the access and the page tables do not say so: the fault is not to be resolved. */
  denies(cpu: Cpu, owner: RpalService, write: boolean): boolean;
  /** Top-level entries of `service` have changed. A flush follows where one is needed. */
  relinked(cpu: Cpu, service: RpalService): void;
}
