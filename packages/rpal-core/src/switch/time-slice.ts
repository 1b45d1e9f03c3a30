import type { Cpu } from '@rpal/hw-x86';
import { RpalFlag } from '../abi/constants.js';
import { Rcc, Scc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import type { RoleData } from '../services/role.js';
import type { RpalService } from '../services/service.js';
import type { RpalTask } from '../services/thread.js';

/** Credits both sides with the time since the call began, or since the last switch back (patch 33, in the lazy switch). */
export function creditSlice(cpu: Cpu, sender: RoleData, receiver: RoleData): void {
  const { memory } = cpu;
  const slice = cpu.clock - memory.read64(sender.scc + Scc.startTime);
  memory.write64(receiver.rcc + Rcc.totalTime, memory.read64(receiver.rcc + Rcc.totalTime) + slice);
  memory.write64(sender.scc + Scc.totalTime, memory.read64(sender.scc + Scc.totalTime) + slice);
}

/**
 * A registered thread enters the scheduler (patch 33): what its record claims moves between its run time and its peer's.
 * The claim, which is in user-writable memory, is not validated. Repaired, it cannot exceed the time since the last one, and
 * a sender is believed only as far as receivers that it may call are charged with the same time: run time may change its
 * owner, but none disappears.
 */
export function collectClaim(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const { flags, data, service } = thread.rpal;
  if (data === null) return;
  // A thread that is both counts as a sender only as long as it claims something as one.
  const both = (flags & RpalFlag.RECEIVER) !== 0 && cpu.memory.read64(data.context + Scc.totalTime) === 0;
  const sender = (flags & RpalFlag.SENDER) !== 0 && !both;
  const address = data.context + (sender ? Scc.totalTime : Rcc.totalTime);
  const claimed = cpu.memory.read64(address);
  const most = cpu.clock - thread.rpal.claimedAt;
  thread.rpal.claimedAt = cpu.clock;
  if (claimed === 0) return;
  cpu.memory.write64(address, 0);
  const trusted = rpal.quirk('total-time-unchecked');
  const total = trusted ? claimed : Math.min(Math.max(0, claimed), most);
  if (!sender) {
    correct(cpu, thread, total);
    if (!trusted) data.charged += total;
  } else {
    correct(cpu, thread, trusted || service === null ? -total : -chargeReceivers(cpu, service, total));
  }
}

function correct(cpu: Cpu, thread: RpalTask, cycles: number): void {
  thread.rpal.stealTime += Math.round(cycles / cpu.costs.tscPerNs);
}

/** Charges receivers that `service` may call with up to `wanted` cycles, as their records say. @returns how many */
function chargeReceivers(cpu: Cpu, service: RpalService, wanted: number): number {
  const { memory } = cpu;
  let left = wanted;
  for (const { receivers } of service.mappedPeers()) {
    for (const receiver of receivers) {
      const { role } = receiver.rpal;
      const before = Math.min(left, role.charged);
      role.charged -= before;
      left -= before;
      const shown = Math.max(0, memory.read64(role.rcc + Rcc.totalTime));
      const now = Math.min(left, shown);
      if (now === 0) continue;
      memory.write64(role.rcc + Rcc.totalTime, shown - now);
      correct(cpu, receiver, now);
      left -= now;
    }
  }
  return wanted - left;
}

/** A task clock advances: the correction that `thread` is due is applied, once. */
export function correctDelta(delta: number, thread: RpalTask): number {
  const corrected = Math.max(0, delta + thread.rpal.stealTime);
  thread.rpal.stealTime = 0;
  return corrected;
}
