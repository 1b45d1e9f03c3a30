import type { Cpu } from '@rpal/hw-x86';
import type { RpalService } from './service.js';

/** How two services that have requested each other get each other's memory (slot `rpalSharing`). */
export interface Sharing {
  /** What it is, in a few words. */
  readonly name: string;
  /** From here on each can use the other's addresses. @returns 0 or -EINVAL */
  link(cpu: Cpu, a: RpalService, b: RpalService): number;
  /** Takes that back, whether or not they were linked. Both are flushed afterwards. */
  unlink(cpu: Cpu, a: RpalService, b: RpalService): void;
  /** `user` faulted on `address` in the slice of `owner`, where the page is present by now: `user` must come to see it. */
  resolved(cpu: Cpu, user: RpalService, owner: RpalService, address: number): void;
}
