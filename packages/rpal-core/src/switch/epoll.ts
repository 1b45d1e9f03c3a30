import type { EventPoll } from '@rpal/epoll';
import { type Cpu, USER_TOP } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { EPOLL_EVENT_SIZE, Errno } from '@rpal/uapi';
import { type Operation, OperationKind, Pending } from '@rpal/vfs';
import { ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_KERNEL_PENDING, RPAL_USER_PENDING, RpalFlag } from '../abi/constants.js';
import { Rcc } from '../abi/layouts.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { putEpollFile, sleepTimer, takeEpollFile } from '../threads/epoll-wait-state.js';
import { clearIn, isDying, load, moveReceiver, orInto, setReceiver } from '../threads/states.js';

/** Largest count of events (fs/eventpoll.c: EP_MAX_EVENTS). */
const MAX_EVENTS = Math.floor(0x7fff_ffff / EPOLL_EVENT_SIZE);

/** Should RPAL handle this epoll_wait (patch 27)? A registered receiver says so in its record. */
export function takesEpollWait(cpu: Cpu, thread: RpalTask): boolean {
  if ((thread.rpal.flags & RpalFlag.RECEIVER) === 0) return false;
  return load(cpu, thread.rpal.role.rcc + Rcc.epPollMagic) === RPAL_EP_POLL_MAGIC;
}

/**
 * Ends the wait that the receiver is, or was, in: its timer and its place in the queue (`rpal_resume_ep`). As written user memory decides,
 * at this moment, whether there is a timer.
 */
export function leaveEpollWait(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const data = thread.rpal.role;
  cpu.charge(RpalStep.resumeEpoll);
  if (!rpal.rereadsTimeout) data.timer?.stop();
  else if (cpu.memory.read32(data.rcc + Rcc.timeout) > 0) {
    if (data.timer !== null) data.timer.stop();
    else if (rpal.quirk('fast-epoll-timer-uninitialised')) throw noTimer(thread, 'is cancelled');
  }
  if (data.wait.queue !== null) {
    data.epoll?.lock.pass(cpu);
    data.wait.queue.unlink(data.wait);
  }
}

/** The record of a receiver is zeroed when it is made; only a wait that sleeps with a timeout initialises its timer. */
export function noTimer({ pid }: RpalTask, what: string): RpalBug {
  return new RpalBug('oops', 34, `the sleep timer of receiver ${pid} ${what}, which no wait has initialised: its base is a null pointer`);
}

/**
 * The epoll instance of the receiver's last RPAL wait, or null. As written it is used after its file has been dropped; repaired only
 * while the file is held.
 */
export function epollOf(rpal: Rpal, { pid, rpal: { role } }: RpalTask): EventPoll | null {
  const { epoll } = role;
  if (!rpal.quirk('epoll-without-reference')) return role.fileHeld ? epoll : null;
  if (epoll !== null && epoll.count === 0) {
    throw new RpalBug('use after free', 34, `receiver ${pid} returns by the kernel to an epoll instance that has been closed meanwhile`);
  }
  return epoll;
}

/**
 * Delivers events to the buffer in the receiver's record (patch 27: `rpal_try_send_events`). When none is left the KERNEL_PENDING bit goes,
 * unless one arrived meanwhile. As written buffer and count are used unchecked: only the arguments of the system call were checked.
 */
export function sendReadyEvents(rpal: Rpal, cpu: Cpu, thread: RpalTask): number {
  const data = thread.rpal.role;
  const epoll = data.epoll as EventPoll;
  const events = cpu.memory.read64(data.rcc + Rcc.events);
  const maximum = cpu.memory.read32(data.rcc + Rcc.maxevents);
  if (!rpal.quirk('wait-arguments-unchecked')) {
    const wrong = waitArguments(maximum, events);
    if (wrong < 0) return wrong;
  } else if (events < 0 && maximum > 0 && !epoll.readyListEmpty) {
    const text = `epoll_wait of receiver ${thread.pid} stores its events at kernel address ${hex64(events)}`;
    throw new RpalBug('out of bounds', 27, `${text}, which its call context asks for`);
  }
  const count = epoll.readyListEmpty ? 0 : epoll.sendEvents(cpu, thread, events, maximum);
  if (epoll.readyListEmpty) {
    const pending = data.rcc + Rcc.epPending;
    clearIn(cpu, pending, RPAL_KERNEL_PENDING);
    rpal.between(cpu, 'KERNEL_PENDING cleared');
    if (epoll.eventsAvailable) orInto(cpu, pending, RPAL_KERNEL_PENDING);
  }
  return count;
}

/** A kernel address as it is written: numbers above 2^63 come as negative ones. */
function hex64(address: number): string {
  return `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}

/** The checks of epoll_wait, in its order. @returns 0, -EINVAL for a count, -EFAULT for a buffer */
export function waitArguments(maximum: number, events: number): number {
  if (maximum <= 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;
  return events <= 0 || events + maximum * EPOLL_EVENT_SIZE > USER_TOP ? -Errno.EFAULT : 0;
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
    takeEpollFile(this.#thread, epoll);
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
          const count = sendReadyEvents(this.#rpal, cpu, this.#thread);
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

  /** Under the epoll lock: the state says that it is callable from now on, then a last look, then the queue. */
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
    moveReceiver(this.#rpal, cpu, receiver.rcc, 6, ReceiverState.READY, ReceiverState.RUNNING);
    this.#thread.state = TaskState.RUNNING;
    this.#available = true;
    if (receiver.wait.queue !== null) {
      // Still queued when the time is up: nobody has told it of an event, and it does not look for one.
      this.#available = !receiver.timedOut;
      this.#epoll.wait.remove(cpu, receiver.wait);
    }
    this.#state = 1;
    return Pending.AGAIN;
  }

  /**
   * RUNNING, even if the wait was made within a call: the caller, which looks for LAZY_SWITCH when it is back, then does not know that the
   * kernel is still on the receiver's side.
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
