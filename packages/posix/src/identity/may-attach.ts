import { Capability, isWithin, type Process } from '@rpal/kernel';
import type { TraitTable } from './traits.js';

/**
 * May a process attach to another one: read and write its memory, take its files (Linux: `ptrace_may_access` with real ids)? They must be
 * the same user's, and the other one must be dumpable and have no capability that the caller lacks; or the caller has CAP_SYS_PTRACE.
 */
export function mayAttach(caller: Process, target: Process, traits: TraitTable): boolean {
  if (caller === target || caller.capable(Capability.SYS_PTRACE)) return true;
  if (!caller.mayInspect(target, Capability.SYS_PTRACE)) return false;
  return traits.of(target).dumpable !== 0 && isWithin(target.credentials.permitted, caller.credentials.permitted);
}
