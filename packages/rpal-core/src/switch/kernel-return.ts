import type { Cpu } from '@rpal/hw-x86';
import { recalculatePending } from '@rpal/kernel';
import { type KernelPath, PathResult, SleepTimer, type Task, TaskState } from '@rpal/sched';
import { ReceiverState, RpalFlag, SenderState } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import { keysOf } from '../memory/pkey.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import { type RpalTask, rpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { putEpollFile } from '../threads/epoll-wait-state.js';
import { exchange, setReceiver } from '../threads/states.js';
import { unlockCpu } from './cpu-lock.js';
import { epollOf, leaveEpollWait, sendReadyEvents } from './epoll.js';

/** How long an affinity change that needs the stopper may sleep, ns. */
const STOPPER_NS = 1000;

/**
 * What a task that lost its user context in a lazy switch finds on its kernel stack (patch 20: `rpal_ret_from_lazy_switch`): it goes back
 * to user mode with the context saved beforehand.
 */
export class KernelReturnPath implements KernelPath {
  readonly #rpal: Rpal;

  constructor(rpal: Rpal) {
    this.#rpal = rpal;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const rpal = this.#rpal;
    const thread = rpalTask(task);
    const late = thread.rpal.role.unlockLate;
    if (late !== null) {
      thread.rpal.role.unlockLate = null;
      unlockCpu(rpal, cpu, late);
      return this.#toUser(cpu, thread, 0);
    }
    cpu.charge(RpalStep.kernelReturn);
    rpal.instruments.kernelReturn(cpu, thread);
    recalculatePending(thread);
    const receiver = (thread.rpal.flags & RpalFlag.RECEIVER) !== 0;
    const result = receiver ? returnReceiver(rpal, cpu, thread) : returnSender(rpal, cpu, thread);
    if (thread.rpal.role.unlockLate !== null) {
      // The full affinity change of the sender sleeps until the stopper has done its work.
      const { scheduler } = rpal.kernel;
      const stopper = new SleepTimer(scheduler, (on) => scheduler.wakeUp(on, thread));
      thread.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, stopper);
      stopper.start(cpu, STOPPER_NS);
      return PathResult.SCHEDULE;
    }
    return this.#toUser(cpu, thread, result);
  }

  #toUser(cpu: Cpu, thread: RpalTask, result: number): PathResult {
    thread.frame.iret = false;
    this.#rpal.kernel.entry.returnToUser(cpu, thread, result, null);
    return PathResult.CONTINUE;
  }
}

/** The receiver's abandoned epoll_wait ends: with what is ready now. */
function returnReceiver(rpal: Rpal, cpu: Cpu, thread: RpalTask): number {
  const receiver = thread.rpal.role;
  rpal.loadRights(cpu, keysOf(thread.rpal.service, null));
  leaveEpollWait(rpal, cpu, thread);
  const count = epollOf(rpal, thread) === null ? 0 : sendReadyEvents(rpal, cpu, thread);
  if (!receiver.fileHeld && receiver.fileCounted && receiver.file !== null && rpal.quirk('epoll-file-put-twice')) {
    rpal.warn(cpu, `receiver ${thread.pid} drops a file that it does not hold`);
    receiver.file.put(cpu);
  }
  putEpollFile(cpu, receiver);
  setReceiver(rpal, cpu, receiver.rcc, 14, ReceiverState.KERNEL_RET);
  const { fastError } = receiver;
  receiver.fastError = 0;
  return fastError < 0 && !rpal.quirk('fast-epoll-error-lost') ? fastError : count;
}

/** As written the sender has only a plain pointer to the receiver of its last switch, and does not check whether that still exists. */
function requireReceiver(sender: RpalTask, { pid, rpal: { service, flags } }: RpalTask): void {
  const text = `sender ${sender.pid} returns by the kernel after receiver ${pid}`;
  if (service === null) throw new RpalBug('oops', 26, `${text} has ended: the step that sets PKRU reads the key of no service`);
  if ((flags & RpalFlag.RECEIVER) === 0) throw new RpalBug('use after free', 20, `${text} has unregistered: its record is written to`);
}

/** The sender goes on as if its call had returned; the receiver stays an independent task that finishes its work. */
function returnSender(rpal: Rpal, cpu: Cpu, thread: RpalTask): number {
  const receiver = thread.rpal.role.partner;
  const { service } = thread.rpal;
  if (receiver !== null && rpal.quirk('receiver-ends-before-return')) requireReceiver(thread, receiver);
  // A receiver that has ended belongs to no service any more; its process may go on, and its memory with it.
  const peer = receiver === null ? null : (service?.map[receiver.rpal.role.serviceId]?.service ?? null);
  rpal.loadRights(cpu, keysOf(service, peer));
  // A receiver that has ended meanwhile has taken its records with it.
  const alive = receiver !== null && (receiver.rpal.flags & RpalFlag.RECEIVER) !== 0;
  if (alive) {
    receiver.rpal.flags &= ~RpalFlag.LAZY_SWITCHED;
    const { rcc } = receiver.rpal.role;
    const old = exchange(cpu, rcc + Rcc.senderState, SenderState.KERNEL_RET);
    rpal.instruments.senderState(cpu, rcc, 3, old, SenderState.KERNEL_RET);
    if (old !== SenderState.CALL) rpal.warn(cpu, `sender ${thread.pid} returns by the kernel in state ${old}`);
    rpal.between(cpu, 'rpal_kernel_ret: KERNEL_RET');
    receiver.rpal.role.partner = null;
  }
  // The receiver first: a new sender's lock on it must not be undone.
  if (alive && rpal.fixes(20)) unlockCpu(rpal, cpu, receiver);
  unlockCpu(rpal, cpu, thread);
  if (alive && !rpal.fixes(20)) thread.rpal.role.unlockLate = receiver;
  return 0;
}
