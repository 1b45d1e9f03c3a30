import { type Cpu, Touch } from '@rpal/hw-x86';
import { type EntryFrame, releaseFiles } from '@rpal/kernel';
import { activateHere, directedSwitch, TaskState } from '@rpal/sched';
import { ReceiverState, RpalFlag } from '../abi/constants.js';
import { Rcc, Scc, TaskContext } from '../abi/layouts.js';
import { keysOf, pkruWith } from '../memory/pkey.js';
import { recover } from '../recovery/recovery.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import { LazySwitch } from '../seams.js';
import type { RpalService } from '../services/service.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { putEpollFile } from '../threads/epoll-wait-state.js';
import { callWord, isDying, moveReceiver, receiverState } from '../threads/states.js';
import { isFair } from '../threads/threads.js';
import { lockCpu, unlockCpu } from './cpu-lock.js';
import { leaveEpollWait } from './epoll.js';
import { fastEpollWait, parkedState } from './fast-epoll-wait.js';
import { creditSlice } from './time-slice.js';

/**
 * Every entry into the kernel from user mode by a registered thread (patches 17, 19, 21, 24): does the user context belong
 * to another task? Then the kernel context is swapped before anything else happens.
 */
export function onKernelEntry(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const { service, flags } = thread.rpal;
  if (service === null) return;
  cpu.charge(RpalStep.entryCheck);
  const switched = (flags & RpalFlag.LAZY_SWITCHED) !== 0;
  const ip = thread.frame.user?.rip ?? 0;
  if (switched && rpal.criticalSections && service.inRetSection(ip)) {
    // The receiver has decided to return and is about to load the sender's FS base: treat it as done.
    const sender = thread.rpal.role.partner;
    if (sender !== null) cpu.fsBase = sender.fsBase;
    else if (rpal.quirk('ret-section-needs-sender')) {
      throw new RpalBug('oops', 24, `receiver ${thread.pid} enters the kernel in its ret section, and its sender is a null pointer`);
    }
  }
  const { fsBase } = cpu;
  if (service.isCorrect(fsBase)) return;
  if (switched) {
    if ((flags & RpalFlag.RECEIVER) === 0) {
      throw new RpalBug('use after free', 8, `thread ${thread.pid} ends a call as the receiver that it was, and its record has been freed`);
    }
    const receiver = thread.rpal.role;
    const sender = receiver.partner;
    receiver.partner = null;
    if (sender === null) rpal.warn(cpu, `receiver ${thread.pid} is lazily switched, but has no sender`);
    else receiverToSender(rpal, cpu, thread, sender, ip);
    return;
  }
  const receiver = threadByFsBase(cpu, service, fsBase);
  if (receiver === null) {
    rpal.warn(cpu, `thread ${thread.pid}: no receiver has FS base ${fsBase}`);
    return;
  }
  if (rpal.checksCall && !isCalledBy(rpal, cpu, receiver, thread)) {
    rpal.warn(cpu, `thread ${thread.pid} has the FS base of receiver ${receiver.pid}, which it does not call`);
    return;
  }
  if (isDying(rpal, receiver)) {
    // It has begun to end elsewhere, so it cannot be taken up here: for the caller it is gone.
    if (recover(rpal, cpu, thread)) cpu.fsBase = thread.fsBase;
    else rpal.warn(cpu, `thread ${thread.pid} calls receiver ${receiver.pid}, which ends, and has no recovery point`);
    return;
  }
  if ((receiver.rpal.flags & RpalFlag.RECEIVER) === 0) throw notAReceiver(thread, receiver);
  receiver.rpal.flags |= RpalFlag.LAZY_SWITCHED;
  receiver.rpal.role.partner = thread;
  if (rpal.criticalSections && receiver.rpal.service?.inRetSection(ip) === true) returnIsDecided(rpal, cpu, thread, receiver);
  else senderToReceiver(rpal, cpu, thread, receiver);
}

/** An FS base is in the table whose thread has no record as a receiver: it registers at this moment, or is one no longer. */
function notAReceiver(caller: RpalTask, { pid, rpal: { data } }: RpalTask): RpalBug {
  const found = `thread ${caller.pid} has the FS base of thread ${pid}`;
  return data === null
    ? new RpalBug('oops', 17, `${found}, whose record as a receiver is a null pointer still`)
    : new RpalBug('use after free', 17, `${found}, whose record as a receiver has been freed`);
}

/** A check that the series lacks: is `caller` a sender, and does the receiver's state say that this sender calls it? */
function isCalledBy(rpal: Rpal, cpu: Cpu, receiver: RpalTask, caller: RpalTask): boolean {
  if ((caller.rpal.flags & RpalFlag.SENDER) === 0 || (receiver.rpal.flags & RpalFlag.RECEIVER) === 0) return false;
  if ((receiver.rpal.flags & RpalFlag.LAZY_SWITCHED) !== 0) return false;
  return receiverState(cpu, receiver.rpal.role) === callWord(rpal, cpu, caller.rpal.role);
}

/** The receiver whose thread pointer this is (patch 17); the slice tells the service. */
function threadByFsBase(cpu: Cpu, service: RpalService, fsBase: number): RpalTask | null {
  cpu.charge(RpalStep.identify);
  const peer = service.peerAt(fsBase)?.service ?? null;
  if (peer === null) return null;
  for (const entry of peer.fsBases) if (entry.fsBase === fsBase) return entry.thread;
  return null;
}

/** The sender's kernel context gives way to the receiver's, whose code the CPU executes (patch 19). */
function senderToReceiver(rpal: Rpal, cpu: Cpu, sender: RpalTask, receiver: RpalTask): void {
  const { kernel } = rpal;
  const sd = sender.rpal.role;
  const rd = receiver.rpal.role;
  creditSlice(cpu, sd, rd);
  leaveEpollWait(rpal, cpu, receiver);
  sd.partner = receiver;
  lockCpu(rpal, cpu, sender);
  lockCpu(rpal, cpu, receiver);
  rpal.between(cpu, 'S->R: locked');
  requireSleep(rpal, receiver);
  requireFair(rpal, sender, receiver);
  activateHere(kernel.scheduler.queues, cpu, receiver);
  rpal.between(cpu, 'S->R: runnable');
  cpu.charge(RpalStep.frameCopy);
  receiver.frame.copyFrom(sender.frame);
  frameFromContext(rpal, cpu, sender.frame, sd.scc + Scc.rtc);
  pick(rpal, cpu, sender, receiver);
  // The epoll_wait that the receiver was in is given up for good.
  putEpollFile(cpu, rd);
  releaseFiles(cpu, receiver);
  sender.path = rpal.returnPath;
  rpal.between(cpu, 'S->R: switched');
  cpu.charge(RpalStep.switchTail);
  moveReceiver(rpal, cpu, rd.rcc, 13, callWord(rpal, cpu, sd), ReceiverState.LAZY_SWITCH);
  rpal.instruments.lazySwitch(cpu, sender, receiver, LazySwitch.TO_RECEIVER);
}

/** Back to the sender: the receiver has returned in user mode while the kernel runs on its stack (patches 19 and 34). */
function receiverToSender(rpal: Rpal, cpu: Cpu, receiver: RpalTask, sender: RpalTask, ip: number): void {
  const sd = sender.rpal.role;
  const rd = receiver.rpal.role;
  cpu.charge(RpalStep.frameCopy);
  sender.frame.copyFrom(receiver.frame);
  if (rpal.criticalSections && receiver.rpal.service?.isCorrect(ip) === true) {
    // Still in receiver code, behind the ret section: skip the rest, or two senders could be on one receiver's stack.
    cpu.charge(RpalStep.critical);
    frameFromContext(rpal, cpu, sender.frame, sd.scc + Scc.rtc);
    rpal.loadRights(cpu, pkruWith(cpu.mmu.pkru, sender.rpal.service));
  }
  frameFromContext(rpal, cpu, receiver.frame, rd.rcc + Rcc.rtc);
  fastEpollWait(rpal, cpu, receiver);
  rpal.between(cpu, 'R->S: parked');
  requireFair(rpal, receiver, sender);
  rpal.leaving = receiver;
  pick(rpal, cpu, receiver, sender);
  rpal.leaving = null;
  receiver.rpal.flags &= ~RpalFlag.LAZY_SWITCHED;
  rd.partner = null;
  cpu.memory.write64(sd.scc + Scc.startTime, cpu.clock);
  receiver.path = rpal.returnPath;
  cpu.charge(RpalStep.switchTail);
  // Once unlocked the receiver may be woken elsewhere and enter READY the ordinary way: only the old value counts.
  const state = receiverState(cpu, rd);
  const parked = parkedState(rpal);
  rpal.between(cpu, 'R->S: state read');
  unlockCpu(rpal, cpu, receiver);
  rpal.between(cpu, 'R->S: receiver unlocked');
  if (state === parked) moveReceiver(rpal, cpu, rd.rcc, 17, parked, ReceiverState.WAIT);
  unlockCpu(rpal, cpu, sender);
  rpal.instruments.lazySwitch(cpu, receiver, sender, LazySwitch.TO_SENDER);
}

/** `rpal_try_to_wake_up` (patch 15) takes it for granted that the task sleeps. */
function requireSleep(rpal: Rpal, { pid, state }: RpalTask): void {
  if (state === TaskState.RUNNING) {
    throw new RpalBug('BUG', 15, `lazy switch to receiver ${pid}, which is running: BUG_ON in rpal_try_to_wake_up`);
  }
  if ((state & (TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE)) === 0 && rpal.quirk('wake-up-cpu-uninitialised')) {
    const text = `lazy switch to receiver ${pid}, which does not sleep (task state ${state}): it is enqueued on the CPU of a variable`;
    throw new RpalBug('uninitialised', 15, `${text} that rpal_try_to_wake_up has not set`);
  }
}

/** The scheduler's part of the series (patch 18) knows only the fair class. Its pick across the threads of a core does not even check. */
function requireFair(rpal: Rpal, from: RpalTask, to: RpalTask): void {
  if (isFair(from.policy) && isFair(to.policy)) return;
  const text = `lazy switch from ${from.pid} to ${to.pid}: not both are in the fair class`;
  if (rpal.kernel.scheduler.queues.cores !== null && rpal.quirk('core-pick-unchecked')) {
    throw new RpalBug('corruption', 18, `${text}, and the pick for all threads of a core takes a fair entity for queued that is not`);
  }
  throw new RpalBug('BUG', 18, `${text}: BUG_ON in rpal_pick_next_task_fair`);
}

/** The scheduler goes from one to the other (patches 18 and 19). */
function pick({ kernel, rechecksQuota }: Rpal, cpu: Cpu, from: RpalTask, to: RpalTask): void {
  if (to.cpu !== cpu || !to.onRq) {
    const text = `lazy switch from ${from.pid} to ${to.pid} on CPU ${cpu.id}: the latter is on the run queue of CPU ${to.cpu.id}`;
    throw new RpalBug('corruption', 19, `${text}, as its own was taken offline`);
  }
  if (directedSwitch(kernel.scheduler.runQueue(cpu), to, rechecksQuota)) return;
  const text = `lazy switch from ${from.pid} to ${to.pid}, whose group is out of run time and leaves the run queue again`;
  throw new RpalBug('panic', 18, `${text}: no runnable fair task in rpal_pick_next_task_fair`);
}

/**
 * The CPU is in the receiver's ret section and the kernel still believes in the sender (patch 24): no switch is worth
 * while; the sender's context is restored and the entry goes on as the sender.
 */
function returnIsDecided(rpal: Rpal, cpu: Cpu, sender: RpalTask, receiver: RpalTask): void {
  cpu.charge(RpalStep.critical);
  cpu.fsBase = sender.fsBase;
  rpal.loadRights(cpu, keysOf(sender.rpal.service, receiver.rpal.service));
  frameFromContext(rpal, cpu, sender.frame, sender.rpal.role.scc + Scc.rtc);
  receiver.rpal.flags &= ~RpalFlag.LAZY_SWITCHED;
  receiver.rpal.role.partner = null;
}

/** Overwrites a frame with the registers saved at `context` (physical), in user-writable memory: they may be anything. */
export function frameFromContext(rpal: Rpal, cpu: Cpu, frame: EntryFrame, context: number): void {
  cpu.coherence.touch(cpu, context, Touch.LOAD);
  const rip = cpu.memory.read64(context + TaskContext.rip);
  frame.user = rpal.kernel.contexts.at(cpu, rip);
  frame.rip = rip;
  frame.user.rsp = cpu.memory.read64(context + TaskContext.rsp);
}
