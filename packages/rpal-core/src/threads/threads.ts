import type { Cpu } from '@rpal/hw-x86';
import { SchedPolicy } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { RPAL_MAX_ID, RpalFlag } from '../abi/constants.js';
import { Rcc, Scc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RecordKind } from '../services/record-heap.js';
import { RoleData } from '../services/role.js';
import type { FsBaseEntry, RpalService } from '../services/service.js';
import type { SharedMapping } from '../services/shared-mapping.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { putEpollFile, receiverWaitEntry } from './epoll-wait-state.js';

/** The shared mapping of the own service that a whole record at `address` lies in, or null. */
function pagesOf(service: RpalService, address: number, size: number): SharedMapping | null {
  const pages = service.sharedPages.find((shared) => shared.holds(address)) ?? null;
  return pages?.contains(address, size) === true ? pages : null;
}

/** A check that the series lacks: is the thread without a role, and in the fair class? */
function mayRegister(rpal: Rpal, thread: RpalTask): boolean {
  if (!rpal.quirk('one-pointer-two-roles') && (thread.rpal.flags & (RpalFlag.SENDER | RpalFlag.RECEIVER)) !== 0) return false;
  return rpal.quirk('fair-class-unchecked') || isFair(thread.policy);
}

/** REGISTER_SENDER (patch 08). @returns 0 or a negative errno */
export function registerSender(rpal: Rpal, cpu: Cpu, thread: RpalTask, address: number): number {
  const { rpal: state } = thread;
  const service = state.service as RpalService;
  if ((state.flags & RpalFlag.SENDER) !== 0) return -Errno.EINVAL;
  if (!mayRegister(rpal, thread)) return -Errno.EINVAL;
  const pages = pagesOf(service, address, Scc.size);
  if (pages === null) return -Errno.EINVAL;
  if (!rpal.quirk('sender-id-unchecked') && cpu.memory.read32(pages.physical(address) + Scc.senderId) >>> 0 > RPAL_MAX_ID)
    return -Errno.EINVAL;
  cpu.charge(RpalStep.register);
  if (!rpal.heap.allocate(RecordKind.role)) return -Errno.ENOMEM;
  if (!rpal.heap.allocate(RecordKind.affinity)) {
    rpal.heap.free(RecordKind.role);
    return -Errno.ENOMEM;
  }
  const data = new RoleData(thread, service.id, pages, pages.physical(address), null);
  data.senderId = cpu.memory.read32(data.scc + Scc.senderId);
  cpu.memory.write64(data.scc + Scc.startTime, 0);
  cpu.memory.write64(data.scc + Scc.totalTime, 0);
  adopt(thread, service, data, RpalFlag.SENDER);
  return 0;
}

/** UNREGISTER_SENDER. */
export function unregisterSender(rpal: Rpal, cpu: Cpu, thread: RpalTask): number {
  if ((thread.rpal.flags & RpalFlag.SENDER) === 0) return -Errno.EINVAL;
  cpu.charge(RpalStep.register);
  dismiss(rpal, cpu, thread, RpalFlag.SENDER);
  return 0;
}

/** REGISTER_RECEIVER (patches 08 and 17): records the FS base as this thread's. */
export function registerReceiver(rpal: Rpal, cpu: Cpu, thread: RpalTask, address: number): number {
  const { rpal: state } = thread;
  const service = state.service as RpalService;
  if ((state.flags & RpalFlag.RECEIVER) !== 0) return -Errno.EINVAL;
  if (!mayRegister(rpal, thread)) return -Errno.EINVAL;
  const pages = pagesOf(service, address, Rcc.size);
  if (pages === null) return -Errno.EINVAL;
  cpu.charge(RpalStep.register);
  if (!rpal.heap.allocate(RecordKind.role)) return -Errno.ENOMEM;
  const entry = service.fsBases.find(({ fsBase }) => fsBase === 0);
  if (entry === undefined) {
    rpal.heap.free(RecordKind.role);
    return -Errno.EAGAIN;
  }
  const early = rpal.quirk('fs-base-before-record');
  if (early) {
    entry.fsBase = cpu.fsBase;
    entry.thread = thread;
    rpal.between(cpu, 'REGISTER_RECEIVER: FS base known, no record yet');
  }
  if (!rpal.heap.allocate(RecordKind.affinity)) {
    if (early) release(entry);
    rpal.heap.free(RecordKind.role);
    return -Errno.ENOMEM;
  }
  const data = new RoleData(thread, service.id, pages, pages.physical(address), receiverWaitEntry(rpal, thread));
  cpu.memory.write64(data.rcc + Rcc.totalTime, 0);
  adopt(thread, service, data, RpalFlag.RECEIVER);
  service.receivers.push(thread);
  entry.fsBase = cpu.fsBase;
  entry.thread = thread;
  return 0;
}

/** UNREGISTER_RECEIVER. As written even of a receiver that is being called: its caller comes back to a freed record. */
export function unregisterReceiver(rpal: Rpal, cpu: Cpu, thread: RpalTask): number {
  if ((thread.rpal.flags & RpalFlag.RECEIVER) === 0) return -Errno.EINVAL;
  if ((thread.rpal.flags & RpalFlag.LAZY_SWITCHED) !== 0 && !rpal.quirk('unregister-in-call')) return -Errno.EBUSY;
  endReceiver(rpal, cpu, thread);
  return 0;
}

/** A thread stops being a receiver: it has asked for that, or it ends. */
export function endReceiver(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const service = thread.rpal.service as RpalService;
  const receiver = thread.rpal.role;
  cpu.charge(RpalStep.register);
  clearFsBase(rpal, cpu, service, thread);
  const at = service.receivers.indexOf(thread);
  if (at >= 0) service.receivers.splice(at, 1);
  receiver.timer?.stop();
  receiver.waitEntry?.queue?.unlink(receiver.waitEntry);
  putEpollFile(cpu, receiver);
  dismiss(rpal, cpu, thread, RpalFlag.RECEIVER);
}

/**
 * Forgets a receiver's FS base. As written the entry is looked for by the present value of the register: after that has changed, nothing is
 * cleared, or the entry of another receiver is.
 */
function clearFsBase(rpal: Rpal, cpu: Cpu, service: RpalService, thread: RpalTask): void {
  const byRegister = rpal.quirk('fs-base-of-register-cleared');
  const entry = service.fsBases.find((candidate) => (byRegister ? candidate.fsBase === cpu.fsBase : candidate.thread === thread));
  if (entry !== undefined) release(entry);
}

/** The task is cleared before the FS base, so that there is never a base without a task. */
function release(entry: FsBaseEntry): void {
  entry.thread = null;
  entry.fsBase = 0;
}

/** Is this a policy of the fair scheduling class? The scheduler's part of the series knows no others. */
export function isFair(policy: number): boolean {
  return policy === SchedPolicy.NORMAL || policy === SchedPolicy.BATCH || policy === SchedPolicy.IDLE;
}

function adopt(thread: RpalTask, service: RpalService, data: RoleData, flag: number): void {
  data.page.references++;
  thread.rpal.data = data;
  thread.rpal.claimedAt = data.thread.cpu.clock;
  thread.rpal.flags |= flag;
  thread.entryWatched = true;
  service.threadCount++;
}

/** The record goes; the pointer to it stays, and with it the check at every kernel entry. */
function dismiss(rpal: Rpal, cpu: Cpu, thread: RpalTask, flag: number): void {
  const { data, service } = thread.rpal;
  thread.rpal.flags &= ~flag;
  if (service !== null) service.threadCount--;
  if (data === null) return;
  data.page.unregister();
  if (data.freed) {
    // Two roles, one pointer: the record of the first is lost, that of the second is freed twice.
    rpal.warn(cpu, `the record of thread ${thread.pid} is freed a second time`);
    return;
  }
  data.freed = true;
  rpal.heap.free(RecordKind.affinity);
  rpal.heap.free(RecordKind.role);
}
