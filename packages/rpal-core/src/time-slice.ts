import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { RpalFlag } from './constants.js';
import { Rcc, Scc } from './layouts.js';
import type { Rpal } from './rpal.js';
import type { RoleData } from './service.js';

/** Credits both sides with the time since the call began, or since the last switch back (patch 33, in the lazy switch). */
export function creditSlice(cpu: Cpu, sender: RoleData, receiver: RoleData): void {
  const { memory } = cpu;
  const slice = cpu.clock - memory.read64(sender.scc + Scc.startTime);
  memory.write64(receiver.rcc + Rcc.totalTime, memory.read64(receiver.rcc + Rcc.totalTime) + slice);
  memory.write64(sender.scc + Scc.totalTime, memory.read64(sender.scc + Scc.totalTime) + slice);
}

/**
 * A registered thread enters the scheduler (patch 33): what its record claims moves between its run time and its peer's.
 * Nobody validates the claim, which is in user-writable memory; repaired, it cannot exceed the time since the last one.
 */
export function collectClaim(rpal: Rpal, cpu: Cpu, thread: Thread): void {
  const { flags, data } = thread.rpal;
  if (data === null) return;
  const sender = (flags & RpalFlag.SENDER) !== 0;
  const address = data.context + (sender ? Scc.totalTime : Rcc.totalTime);
  const claimed = cpu.memory.read64(address);
  const most = cpu.clock - thread.rpal.claimedAt;
  thread.rpal.claimedAt = cpu.clock;
  if (claimed === 0) return;
  const total = rpal.quirk('total-time-unchecked') ? claimed : Math.min(Math.max(0, claimed), most);
  const ns = Math.round(total / cpu.costs.tscPerNs);
  thread.rpal.stealTime += sender ? -ns : ns;
  cpu.memory.write64(address, 0);
}

/** The task clock of the CPU that `thread` runs on advances: its correction takes part, once. */
export function correctDelta(delta: number, thread: Thread): number {
  const corrected = Math.max(0, delta + thread.rpal.stealTime);
  thread.rpal.stealTime = 0;
  return corrected;
}
