import { type Cpu, FaultCode } from '@rpal/hw-x86';
import { FAULT_RESOLVED, type FaultResult, faultSignal, type MmStruct, resolveFault } from '@rpal/mm';
import { Signal, SignalCode } from '@rpal/uapi';
import type { Rpal } from '../rpal.js';
import type { RpalService } from '../services/service.js';
import { rpalTask } from '../services/thread.js';
import { recover } from './recovery.js';

/**
 * A fault on an address in the slice of another service (patch 14): it is resolved in the owner's address space, as for the owner, but
 * signals go to the current task. If the owner is gone, a sender is taken back to its recovery point.
 * @returns as Linux's own handling does, or undefined to leave the fault to it
 */
export function redirectFault(rpal: Rpal, cpu: Cpu, mm: MmStruct, address: number, code: number): FaultResult | undefined {
  const thread = rpalTask(rpal.kernel.scheduler.current(cpu));
  const { service } = thread.rpal;
  if (service === null || service.mm !== mm) return undefined;
  const own = service.isCorrect(address);
  const entry = own ? null : service.peerAt(address);
  const owner = own ? service : (entry?.service ?? null);
  if (owner !== null && rpal.isolation.denies(cpu, owner, (code & FaultCode.write) !== 0)) {
    return faultSignal(Signal.SEGV, SignalCode.SEGV_ACCERR);
  }
  if (entry === null || owner === null) return undefined;
  if (entry.mapped && !owner.mm.dead && owner.mm.users > 0) return shareFault(rpal, cpu, service, owner, address, code);
  // The kernel that copies gets EFAULT.
  if ((code & FaultCode.user) === 0) return undefined;
  if (recover(rpal, cpu, thread)) return FAULT_RESOLVED;
  return faultSignal(Signal.SEGV, SignalCode.SEGV_MAPERR);
}

/** The owner's fault handling, then what `user` needs to see the result. */
function shareFault(rpal: Rpal, cpu: Cpu, user: RpalService, owner: RpalService, address: number, code: number): FaultResult {
  const result = resolveFault(cpu, owner.mm, address, code);
  if (result === FAULT_RESOLVED) rpal.sharing.resolved(cpu, user, owner, address);
  return result;
}
