import { EventPoll } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { ReceiverState } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import type { RoleData } from '../services/role.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { sleepTimer, takeEpollFile } from '../threads/epoll-wait-state.js';
import { load, setReceiver, store } from '../threads/states.js';
import { noTimer, waitArguments } from './epoll.js';

/**
 * Parks a receiver that has just returned to its sender as if it were in epoll_wait (patch 34), so that it can be called
 * again at once. If it has a reason to run, it is left runnable and will come back by kernel return.
 */
export function fastEpollWait(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const receiver = thread.rpal.role;
  cpu.charge(RpalStep.fastEpoll);
  const failed = takeEpoll(cpu, thread, receiver);
  receiver.fastError = failed;
  receiver.timedOut = false;
  if (failed < 0) thread.frame.rax = failed;
  const { epoll } = receiver;
  const timeout = cpu.memory.read32(receiver.rcc + Rcc.timeout);
  const pending = load(cpu, receiver.rcc + Rcc.epPending);
  if (failed < 0 || epoll === null || thread.signalPending || epoll.eventsAvailable || pending !== 0 || timeout === 0) return;

  const parked = parkedState(rpal);
  const before = setReceiver(rpal, cpu, receiver.rcc, 15, parked);
  if (before !== ReceiverState.LAZY_SWITCH) rpal.warn(cpu, `receiver ${thread.pid} is parked in state ${before}`);
  rpal.between(cpu, 'rpal_fast_ep_poll: READY_LS');
  epoll.lock.acquire(cpu);
  thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, epoll.wait);
  if (epoll.eventsAvailable) {
    store(cpu, receiver.rcc + Rcc.receiverState, ReceiverState.LAZY_SWITCH);
    rpal.instruments.receiverState(cpu, receiver.rcc, 16, parked, ReceiverState.LAZY_SWITCH);
    thread.state = TaskState.RUNNING;
  } else {
    epoll.wait.addFirst(cpu, receiver.wait);
  }
  epoll.lock.release(cpu);
  if (timeout > 0 && thread.state === TaskState.INTERRUPTIBLE) startTimer(rpal, cpu, thread, timeout);
}

/** The state of a receiver that a lazy switch parks; without patch 34's own state it looks like one in epoll_wait. */
export function parkedState(rpal: Rpal): number {
  return rpal.fixes(34) ? ReceiverState.READY_LS : ReceiverState.READY;
}

/**
 * Checks the arguments in the receiver's record as epoll_wait would and takes the file. Where it fails, what the last look-up found stays
 * behind, and kernel return drops it once more: the epoll of the wait before if the arguments are bad, the file that is not an epoll, and
 * nothing if the descriptor is not open.
 * @returns 0 or a negative errno
 */
function takeEpoll(cpu: Cpu, thread: RpalTask, receiver: RoleData): number {
  const wrong = waitArguments(cpu.memory.read32(receiver.rcc + Rcc.maxevents), cpu.memory.read64(receiver.rcc + Rcc.events));
  if (wrong < 0) return wrong;
  const file = thread.process.files.lookUp(cpu, cpu.memory.read32(receiver.rcc + Rcc.epfd));
  receiver.file = file;
  if (file === null) return -Errno.EBADF;
  if (!(file instanceof EventPoll)) return -Errno.EINVAL;
  takeEpollFile(thread, file);
  return 0;
}

function startTimer(rpal: Rpal, cpu: Cpu, thread: RpalTask, timeout: number): void {
  if (thread.rpal.role.timer === null && rpal.quirk('fast-epoll-timer-uninitialised')) throw noTimer(thread, 'is started');
  sleepTimer(rpal, thread).start(cpu, timeout * 1e6);
}
