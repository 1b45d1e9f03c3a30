import { type Cpu, Touch } from '@rpal/hw-x86';
import { TaskState, WakeAnswer } from '@rpal/sched';
import { callState, ReceiverState, RPAL_RECEIVER_STATE_MASK, RpalFlag } from '../abi/constants.js';
import { Rcc, Scc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RoleData } from '../services/role.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';

/** The kernel's operations on the words it shares with user mode. All are single atomic steps. */

/** Compare-exchange of a 32-bit word. @returns the value found: the exchange took place if it equals `expected` */
export function compareExchange(cpu: Cpu, address: number, expected: number, value: number): number {
  cpu.charge(RpalStep.stateChange);
  cpu.coherence.touch(cpu, address, Touch.STORE);
  const found = cpu.memory.read32(address);
  if (found === expected) cpu.memory.write32(address, value);
  return found;
}

/** Exchange. @returns the value before */
export function exchange(cpu: Cpu, address: number, value: number): number {
  cpu.charge(RpalStep.stateChange);
  cpu.coherence.touch(cpu, address, Touch.STORE);
  const found = cpu.memory.read32(address);
  cpu.memory.write32(address, value);
  return found;
}

/** Store without a locked operation. */
export function store(cpu: Cpu, address: number, value: number): void {
  cpu.coherence.touch(cpu, address, Touch.STORE);
  cpu.memory.write32(address, value);
}

export function load(cpu: Cpu, address: number): number {
  cpu.coherence.touch(cpu, address, Touch.LOAD);
  return cpu.memory.read32(address);
}

export function orInto(cpu: Cpu, address: number, bits: number): void {
  exchange(cpu, address, load(cpu, address) | bits);
}

export function clearIn(cpu: Cpu, address: number, bits: number): void {
  exchange(cpu, address, load(cpu, address) & ~bits);
}

/** Row `row` of the receiver's state table, as a compare-exchange. @returns true if it took place */
export function moveReceiver(rpal: Rpal, cpu: Cpu, rcc: number, row: number, from: number, to: number): boolean {
  if (compareExchange(cpu, rcc + Rcc.receiverState, from, to) !== from) return false;
  rpal.instruments.receiverState(cpu, rcc, row, from, to);
  return true;
}

/** Row `row` of the receiver's state table, as an exchange. @returns the state before */
export function setReceiver(rpal: Rpal, cpu: Cpu, rcc: number, row: number, to: number): number {
  const from = exchange(cpu, rcc + Rcc.receiverState, to);
  rpal.instruments.receiverState(cpu, rcc, row, from, to);
  return from;
}

/** The state word of a receiver while this sender calls it. As written the id is what the sender's memory says at this moment. */
export function callWord(rpal: Rpal, cpu: Cpu, { serviceId, senderId, scc }: RoleData): number {
  return callState(serviceId, rpal.readsSenderId ? cpu.memory.read32(scc + Scc.senderId) : senderId);
}

/** The receiver's state word, as it stands. */
export function receiverState(cpu: Cpu, data: RoleData): number {
  return load(cpu, data.rcc + Rcc.receiverState);
}

/**
 * A receiver is being killed, and that a sender executes its code does not keep it from ending: it only goes on to its own end, and leaves
 * the word to the sender. One that is being switched to will see its signals by itself.
 */
export function isDying(rpal: Rpal, receiver: RpalTask): boolean {
  return receiver.killPending && (receiver.rpal.flags & RpalFlag.LAZY_SWITCHED) === 0 && !rpal.quirk('kill-refused');
}

/**
 * May this receiver be woken (patch 15: `rpal_check_state`)? READY and WAIT become RUNNING; while it is being called, or parked by a lazy
 * switch, it may not be woken, and the waker has to try again.
 */
export function mayWake(rpal: Rpal, cpu: Cpu, thread: RpalTask): WakeAnswer {
  if (!rpal.fixes(15)) return WakeAnswer.ALLOW;
  const { rcc } = thread.rpal.role;
  thread.rpal.flags &= ~RpalFlag.WAKE;
  for (;;) {
    const word = load(cpu, rcc + Rcc.receiverState);
    rpal.between(cpu, 'rpal_check_state: state read');
    switch (word & RPAL_RECEIVER_STATE_MASK) {
      case ReceiverState.READY:
      case ReceiverState.WAIT: {
        // As written the word is expected to have no bits beyond the state. It is in memory that user mode writes.
        const expected = rpal.quirk('foreign-bits-hang') ? word & RPAL_RECEIVER_STATE_MASK : word;
        if (!moveReceiver(rpal, cpu, rcc, 7, expected, ReceiverState.RUNNING)) {
          if (cpu.memory.read32(rcc + Rcc.receiverState) !== word) break;
          const text = `rpal_check_state of receiver ${thread.pid} expects ${expected}, finds ${word >>> 0}, and tries again for ever`;
          throw new RpalBug('hard lockup', 15, `${text}, with the task's lock held and interrupts off`);
        }
        // A receiver that is not asleep yet may go round its loop meanwhile and be READY again, or WAIT.
        if (rpal.quirk('wake-up-not-rechecked')) rpal.between(cpu, 'rpal_check_state: RUNNING');
        return WakeAnswer.ALLOW;
      }
      case ReceiverState.CALL:
      case ReceiverState.READY_LS:
        if (isDying(rpal, thread)) return WakeAnswer.ALLOW;
        thread.rpal.flags |= RpalFlag.WAKE;
        rpal.instruments.wakeUpRefused(cpu, thread);
        if (thread.state === TaskState.WAKING && !rpal.quirk('refused-task-stays-waking')) thread.state = TaskState.INTERRUPTIBLE;
        // As written the result was set when the task's state matched, before the refusal.
        return rpal.quirk('refused-wake-up-succeeds') ? WakeAnswer.REFUSE_UNNOTICED : WakeAnswer.REFUSE;
      case ReceiverState.RUNNING:
      case ReceiverState.KERNEL_RET:
      case ReceiverState.LAZY_SWITCH:
        // The task's lock is held from the look at its state on, so nobody else can have woken it, and it cannot have gone to
        // sleep again meanwhile.
        if (cpu.memory.read32(rcc + Rcc.receiverState) === word) return WakeAnswer.ALLOW;
        break;
      default:
        rpal.warn(cpu, `receiver ${thread.pid} is woken in unknown state ${word}`);
        return WakeAnswer.ALLOW;
    }
  }
}

/**
 * The CPU has left a receiver's kernel stack (patch 15, in `__switch_to`): from now on it may be called, if it really
 * sleeps. A wake-up that came late leaves it running. The lazy switch has a `__switch_to` of its own, without this.
 */
export function switchedOut(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  if (thread === rpal.leaving) return;
  const { rcc } = thread.rpal.role;
  if ((load(cpu, rcc + Rcc.receiverState) & RPAL_RECEIVER_STATE_MASK) !== ReceiverState.READY) return;
  const sleeps = thread.state === TaskState.INTERRUPTIBLE || !rpal.fixes(15);
  if (sleeps) moveReceiver(rpal, cpu, rcc, 3, ReceiverState.READY, ReceiverState.WAIT);
  else moveReceiver(rpal, cpu, rcc, 4, ReceiverState.READY, ReceiverState.RUNNING);
}

/** A receiver that wanted to sleep goes on running (patches 15 and 34). */
export function blockFailed(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const { rcc } = thread.rpal.role;
  const state = load(cpu, rcc + Rcc.receiverState);
  if (state === ReceiverState.READY) moveReceiver(rpal, cpu, rcc, 5, state, ReceiverState.RUNNING);
  else if (state === ReceiverState.READY_LS) moveReceiver(rpal, cpu, rcc, 18, state, ReceiverState.RUNNING);
}
