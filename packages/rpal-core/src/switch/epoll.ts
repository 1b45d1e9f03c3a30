import type { EventPoll } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { type Operation, OperationKind, Pending } from '@rpal/vfs';
import { ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_KERNEL_PENDING, RPAL_USER_PENDING, RpalFlag } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import type { RoleData } from '../services/role.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { putEpollFile, sleepTimer, takeEpollFile } from '../threads/epoll-wait-state.js';
import { clearIn, isDying, load, moveReceiver, orInto, setReceiver } from '../threads/states.js';

/** Does this epoll_wait want RPAL's handling (patch 27)? A registered receiver says so in its record. */
export function takesEpollWait(cpu: Cpu, thread: RpalTask): boolean {
  if ((thread.rpal.flags & RpalFlag.RECEIVER) === 0) return false;
  return load(cpu, thread.rpal.role.rcc + Rcc.epPollMagic) === RPAL_EP_POLL_MAGIC;
}

/** Ends the wait that the receiver is, or was, in: its timer and its place in the queue (`rpal_resume_ep`). */
export function leaveEpollWait(rpal: Rpal, cpu: Cpu, data: RoleData): void {
  cpu.charge(RpalStep.resumeEpoll);
  if (cpu.memory.read32(data.rcc + Rcc.timeout) > 0) {
    if (data.timer !== null) data.timer.stop();
    else if (rpal.quirk('fast-epoll-timer-uninitialised')) rpal.warn(cpu, 'a sleep timer is cancelled that was never initialised');
  }
  if (data.wait.queue !== null) {
    data.epoll?.lock.pass(cpu);
    data.wait.queue.unlink(data.wait);
  }
}

/**
 * Delivers events to the buffer in the receiver's record (patch 27: `rpal_try_send_events`). When none is left the
 * KERNEL_PENDING bit goes, unless one arrived meanwhile.
 */
export function sendReadyEvents(rpal: Rpal, cpu: Cpu, thread: RpalTask, data: RoleData): number {
  const epoll = data.epoll as EventPoll;
  const events = cpu.memory.read64(data.rcc + Rcc.events);
  const maximum = cpu.memory.read32(data.rcc + Rcc.maxevents);
  const count = epoll.readyListEmpty ? 0 : epoll.sendEvents(cpu, thread, events, maximum);
  if (epoll.readyListEmpty) {
    const pending = data.rcc + Rcc.epPending;
    if ((load(cpu, pending) & RPAL_KERNEL_PENDING) !== 0) clearIn(cpu, pending, RPAL_KERNEL_PENDING);
    rpal.between(cpu, 'KERNEL_PENDING cleared');
    if (epoll.eventsAvailable) orInto(cpu, pending, RPAL_KERNEL_PENDING);
  }
  return count;
}

/** A receiver enters RPAL's epoll_wait: the operation is begun. */
export function startEpollWait(rpal: Rpal, cpu: Cpu, thread: RpalTask, epoll: EventPoll, timeout: number): Operation {
  const { operations } = thread;
  const wait = operations.get(EPOLL_WAIT) ?? operations.keep(EPOLL_WAIT, new RpalEpollWait(rpal, thread));
  return wait.start(cpu, epoll, timeout);
}

/** `rpal_ep_poll` (patch 27), as atomic steps. */
class RpalEpollWait implements Operation {
  readonly #rpal: Rpal;
  readonly #thread: RpalTask;
  #epoll!: EventPoll;
  /** When to give up, TSC cycles; Infinity: never. */
  #deadline = 0;
  #available = false;
  #state = 0;

  constructor(rpal: Rpal, thread: RpalTask) {
    this.#rpal = rpal;
    this.#thread = thread;
  }

  start(cpu: Cpu, epoll: EventPoll, timeout: number): this {
    const data = this.#thread.rpal.role;
    putEpollFile(cpu, data);
    takeEpollFile(data, epoll);
    this.#epoll = epoll;
    this.#deadline = timeout > 0 ? cpu.clock + Math.round(timeout * 1e6 * cpu.costs.tscPerNs) : Number.POSITIVE_INFINITY;
    data.timedOut = timeout === 0;
    this.#state = 0;
    this.#thread.operation = this;
    return this;
  }

  step(cpu: Cpu): number {
    const receiver = this.#thread.rpal.role;
    switch (this.#state) {
      case 0:
        cpu.charge(RpalStep.epollBody);
        this.#available = this.#epoll.eventsAvailable;
        this.#state = 1;
        return Pending.AGAIN;
      case 1: {
        if (this.#available) {
          const count = sendReadyEvents(this.#rpal, cpu, this.#thread, receiver);
          if (count !== 0) return this.#done(cpu, count);
        }
        if (receiver.timedOut) return this.#done(cpu, 0);
        if (this.#thread.signalPending) return this.#done(cpu, -Errno.EINTR);
        this.#state = 2;
        return Pending.AGAIN;
      }
      case 2:
        return this.#prepare(cpu);
      default:
        return this.#afterSleep(cpu);
    }
  }

  /** Under the epoll lock: callable from now on as far as the state goes, then a last look, then the queue. */
  #prepare(cpu: Cpu): number {
    const receiver = this.#thread.rpal.role;
    const epoll = this.#epoll;
    cpu.charge(RpalStep.epollBlock);
    epoll.lock.acquire(cpu);
    setReceiver(this.#rpal, cpu, receiver.rcc, 2, ReceiverState.READY);
    this.#thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, epoll.wait);
    this.#available = epoll.eventsAvailable;
    if (!this.#available) epoll.wait.addFirst(cpu, receiver.wait);
    epoll.lock.release(cpu);
    this.#state = 3;
    if (this.#available) return Pending.AGAIN;
    const left = this.#deadline - cpu.clock;
    if (left <= 0) {
      // As written nothing ends the wait: it goes round, READY and RUNNING by turns, without a look at user-mode events.
      receiver.timedOut = !this.#rpal.quirk('passed-deadline-spins');
      return Pending.AGAIN;
    }
    if ((load(cpu, receiver.rcc + Rcc.epPending) & RPAL_USER_PENDING) !== 0) {
      // User-mode events are there to be collected: as good as a timeout.
      receiver.timedOut = true;
      return Pending.AGAIN;
    }
    if (left !== Number.POSITIVE_INFINITY) sleepTimer(this.#rpal, this.#thread).start(cpu, left / cpu.costs.tscPerNs);
    return Pending.SLEEP;
  }

  #afterSleep(cpu: Cpu): number {
    const receiver = this.#thread.rpal.role;
    this.#thread.state = TaskState.RUNNING;
    moveReceiver(this.#rpal, cpu, receiver.rcc, 6, ReceiverState.READY, ReceiverState.RUNNING);
    this.#available = true;
    if (receiver.wait.queue !== null) {
      if (receiver.timedOut) this.#available = this.#epoll.eventsAvailable;
      this.#epoll.wait.remove(cpu, receiver.wait);
    }
    this.#state = 1;
    return Pending.AGAIN;
  }

  /**
   * RUNNING, also if the wait was made within a call: the caller, which looks for LAZY_SWITCH when it is back, then does not
   * know that the kernel is still on the receiver's side.
   */
  #stateAfter(): number {
    const { flags, role } = this.#thread.rpal;
    const called = (flags & RpalFlag.LAZY_SWITCHED) !== 0 && role.partner !== null;
    return called && !this.#rpal.quirk('wait-in-call-hides-switch') ? ReceiverState.LAZY_SWITCH : ReceiverState.RUNNING;
  }

  #done(cpu: Cpu, result: number): number {
    const receiver = this.#thread.rpal.role;
    receiver.timer?.stop();
    if (!isDying(this.#rpal, this.#thread)) setReceiver(this.#rpal, cpu, receiver.rcc, 9, this.#stateAfter());
    putEpollFile(cpu, receiver);
    return result;
  }
}

const EPOLL_WAIT = new OperationKind<RpalEpollWait>('epoll_wait of a receiver');
