import { type Caller, type EventPoll, type Operation, Step } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { SleepTimer, TaskState, WaitEntry } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_KERNEL_PENDING, RPAL_USER_PENDING, RpalFlag } from './constants.js';
import { Rcc } from './layouts.js';
import type { Rpal } from './rpal.js';
import type { ReceiverData } from './service.js';
import { clearIn, compareExchange, exchange, load, orInto } from './states.js';
import { RpalStep } from './steps.js';

/** Does this epoll_wait want RPAL's handling (patch 27)? A registered receiver says so in its record. */
export function takesEpollWait(cpu: Cpu, thread: Thread): boolean {
  if ((thread.rpal.flags & RpalFlag.RECEIVER) === 0) return false;
  return load(cpu, thread.rpal.receiver.rcc + Rcc.epPollMagic) === RPAL_EP_POLL_MAGIC;
}

/** The wait entry of a receiver: a refused wake-up leaves a note for user mode, and is taken off the queue all the same. */
export function receiverWaitEntry(rpal: Rpal, thread: Thread): WaitEntry {
  const entry = new WaitEntry((cpu, self, _key, sync) => {
    const woken = rpal.kernel.scheduler.wakeUp(cpu, thread, undefined, sync);
    self.queue?.unlink(self);
    if (!woken) orInto(cpu, thread.rpal.receiver.rcc + Rcc.epPending, RPAL_KERNEL_PENDING);
    return 1;
  }, thread);
  entry.exclusive = true;
  return entry;
}

/** Ends the wait that the receiver is, or was, in: its timer and its place in the queue (`rpal_resume_ep`). */
export function leaveEpollWait(rpal: Rpal, cpu: Cpu, data: ReceiverData): void {
  cpu.charge(RpalStep.resumeEpoll);
  if (cpu.memory.read32(data.rcc + Rcc.timeout) > 0) {
    if (data.timer === null) rpal.warn(cpu, 'the sleep timer of a receiver is cancelled, but was never initialised');
    else data.timer.stop();
  }
  if (data.wait.queue !== null) {
    data.epoll?.lock.pass(cpu);
    data.wait.queue.unlink(data.wait);
  }
}

/** Drops the reference that an RPAL wait holds on its epoll file. */
export function putEpollFile(cpu: Cpu, data: ReceiverData): void {
  const { file } = data;
  data.file = null;
  file?.put(cpu);
}

/** The timer that ends a receiver's sleep. */
export function sleepTimer(rpal: Rpal, thread: Thread): SleepTimer {
  return new SleepTimer(rpal.kernel.scheduler, (cpu) => rpal.kernel.scheduler.wakeUp(cpu, thread));
}

/**
 * Delivers events to the buffer in the receiver's record (patch 27: `rpal_try_send_events`). When none is left the
 * KERNEL_PENDING bit goes, unless one arrived meanwhile.
 */
export function sendReadyEvents(cpu: Cpu, thread: Thread, data: ReceiverData): number {
  const epoll = data.epoll as EventPoll;
  const events = cpu.memory.read64(data.rcc + Rcc.events);
  const maximum = cpu.memory.read32(data.rcc + Rcc.maxevents);
  const count = epoll.readyListEmpty ? 0 : epoll.sendEvents(cpu, thread, events, maximum);
  if (epoll.readyListEmpty) {
    const pending = data.rcc + Rcc.epPending;
    if ((load(cpu, pending) & RPAL_KERNEL_PENDING) !== 0) clearIn(cpu, pending, RPAL_KERNEL_PENDING);
    if (epoll.eventsAvailable) orInto(cpu, pending, RPAL_KERNEL_PENDING);
  }
  return count;
}

/** `rpal_ep_poll` (patch 27), as atomic steps. */
export class RpalEpollWait implements Operation {
  readonly #rpal: Rpal;
  readonly #thread: Thread;
  #epoll!: EventPoll;
  #timeout = 0;
  #timedOut = false;
  #available = false;
  #state = 0;

  constructor(rpal: Rpal, thread: Thread) {
    this.#rpal = rpal;
    this.#thread = thread;
  }

  start(cpu: Cpu, caller: Caller, epoll: EventPoll, timeout: number): this {
    const data = this.#thread.rpal.receiver;
    if (data.file !== null) putEpollFile(cpu, data);
    data.epoll = epoll;
    data.file = epoll.get();
    this.#epoll = epoll;
    this.#timeout = timeout;
    this.#timedOut = timeout === 0;
    this.#state = 0;
    caller.operation = this;
    return this;
  }

  step(cpu: Cpu): number {
    const { receiver } = this.#thread.rpal;
    switch (this.#state) {
      case 0:
        cpu.charge(RpalStep.epollBody);
        this.#available = this.#epoll.eventsAvailable;
        this.#state = 1;
        return Step.AGAIN;
      case 1: {
        if (this.#available) {
          const count = sendReadyEvents(cpu, this.#thread, receiver);
          if (count !== 0) return this.#done(cpu, count);
        }
        if (this.#timedOut) return this.#done(cpu, 0);
        if (this.#thread.signalPending) return this.#done(cpu, -Errno.EINTR);
        this.#state = 2;
        return Step.AGAIN;
      }
      case 2:
        return this.#prepare(cpu);
      default:
        return this.#afterSleep(cpu);
    }
  }

  /** Under the epoll lock: callable from now on as far as the state goes, then a last look, then the queue. */
  #prepare(cpu: Cpu): number {
    const { receiver } = this.#thread.rpal;
    const epoll = this.#epoll;
    cpu.charge(RpalStep.epollBlock);
    epoll.lock.acquire(cpu);
    exchange(cpu, receiver.rcc + Rcc.receiverState, ReceiverState.READY);
    this.#thread.state = TaskState.INTERRUPTIBLE;
    this.#available = epoll.eventsAvailable;
    if (!this.#available) epoll.wait.add(cpu, receiver.wait);
    epoll.lock.release(cpu);
    this.#state = 3;
    if (this.#available) return Step.AGAIN;
    if ((load(cpu, receiver.rcc + Rcc.epPending) & RPAL_USER_PENDING) !== 0) {
      // User-mode events are there to be collected: as good as a timeout.
      this.#timedOut = true;
      return Step.AGAIN;
    }
    if (this.#timeout > 0) {
      receiver.timer ??= new SleepTimer(this.#rpal.kernel.scheduler, (on) => {
        this.#timedOut = true;
        this.#rpal.kernel.scheduler.wakeUp(on, this.#thread);
      });
      if (!receiver.timer.armed) receiver.timer.start(cpu, this.#timeout * 1e6);
    }
    return Step.SLEEP;
  }

  #afterSleep(cpu: Cpu): number {
    const { receiver } = this.#thread.rpal;
    this.#thread.state = TaskState.RUNNING;
    compareExchange(cpu, receiver.rcc + Rcc.receiverState, ReceiverState.READY, ReceiverState.RUNNING);
    this.#available = true;
    if (receiver.wait.queue !== null) {
      if (this.#timedOut) this.#available = this.#epoll.eventsAvailable;
      this.#epoll.wait.remove(cpu, receiver.wait);
    }
    this.#state = 1;
    return Step.AGAIN;
  }

  #done(cpu: Cpu, result: number): number {
    const { receiver } = this.#thread.rpal;
    receiver.timer?.stop();
    exchange(cpu, receiver.rcc + Rcc.receiverState, ReceiverState.RUNNING);
    putEpollFile(cpu, receiver);
    return result;
  }
}
