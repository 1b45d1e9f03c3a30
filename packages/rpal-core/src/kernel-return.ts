import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { type KernelPath, PathResult, type Task } from '@rpal/sched';
import { ReceiverState, RpalFlag, SenderState } from './constants.js';
import { unlockCpu } from './cpu-lock.js';
import { leaveEpollWait, putEpollFile, sendReadyEvents } from './epoll.js';
import { Rcc } from './layouts.js';
import { defaultPkruOf, keysOf } from './pkey.js';
import type { Rpal } from './rpal.js';
import { exchange } from './states.js';
import { RpalStep } from './steps.js';

/**
 * What a task finds on its kernel stack that lost its user context in a lazy switch (patch 20:
 * `rpal_ret_from_lazy_switch`): it goes back to user mode with the context saved beforehand.
 */
export class KernelReturnPath implements KernelPath {
  readonly #rpal: Rpal;

  constructor(rpal: Rpal) {
    this.#rpal = rpal;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const rpal = this.#rpal;
    const thread = task as Thread;
    rpal.kernelReturns++;
    cpu.charge(RpalStep.kernelReturn);
    thread.signalPending = thread.pendingSignals !== 0;
    const receiver = (thread.rpal.flags & RpalFlag.RECEIVER) !== 0;
    const result = receiver ? returnReceiver(rpal, cpu, thread) : returnSender(rpal, cpu, thread);
    thread.frame.iret = false;
    rpal.kernel.returnToUser(cpu, thread, result, null);
    return PathResult.CONTINUE;
  }
}

/** The receiver's abandoned epoll_wait ends: with what is ready now. */
function returnReceiver(rpal: Rpal, cpu: Cpu, thread: Thread): number {
  const { receiver } = thread.rpal;
  cpu.mmu.pkru = defaultPkruOf(thread.rpal.service, cpu.mmu.pkru);
  leaveEpollWait(rpal, cpu, receiver);
  const count = receiver.epoll === null ? 0 : sendReadyEvents(cpu, thread, receiver);
  putEpollFile(cpu, receiver);
  exchange(cpu, receiver.rcc + Rcc.receiverState, ReceiverState.KERNEL_RET);
  return count;
}

/** The sender goes on as if its call had returned; the receiver stays an independent task that finishes its work. */
function returnSender(rpal: Rpal, cpu: Cpu, thread: Thread): number {
  const { sender } = thread.rpal;
  const { receiver } = sender;
  cpu.mmu.pkru = keysOf(thread.rpal.service, receiver?.rpal.service ?? null);
  if (receiver !== null && receiver.rpal.data !== null) {
    receiver.rpal.flags &= ~RpalFlag.LAZY_SWITCHED;
    const old = exchange(cpu, receiver.rpal.receiver.rcc + Rcc.senderState, SenderState.KERNEL_RET);
    if (old !== SenderState.CALL) rpal.warn(cpu, `sender ${thread.pid} returns by the kernel in state ${old}`);
    receiver.rpal.receiver.sender = null;
    // The receiver first: a new sender's lock on it must not be undone.
    unlockCpu(rpal, cpu, receiver);
  }
  unlockCpu(rpal, cpu, thread);
  return 0;
}
