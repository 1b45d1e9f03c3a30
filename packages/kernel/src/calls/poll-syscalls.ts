import { EpollStep, EventPoll, type EventPolls, MAX_EVENTS } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { IpcStep, TimerFd } from '@rpal/ipc';
import { accessOk, getUser32, putUser32 } from '@rpal/mm';
import type { Scheduler } from '@rpal/sched';
import { EPOLL_EVENT_SIZE, Epoll, Errno, isAlarmClock, OpenFlag, Poll } from '@rpal/uapi';
import { begin, PollItem, PollOperation } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { type EpollEvent, FOREVER, type Interval } from '../process/call-arguments.js';
import { Capability } from '../process/credentials.js';
import type { SignalBits } from '../process/pending-signals.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { setMask } from './signal-syscalls.js';
import { whenOver } from './when-over.js';

/** Events that the sets of select for reading, writing and exceptions stand for (fs/select.c). */
const SELECT_EVENTS: readonly number[] = [
  Poll.RDNORM | Poll.RDBAND | Poll.IN | Poll.HUP | Poll.ERR | Poll.NVAL,
  Poll.WRBAND | Poll.WRNORM | Poll.OUT | Poll.ERR | Poll.NVAL,
  Poll.PRI | Poll.NVAL,
];
const MS = 1e6;
/** TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET. */
const TFD_FLAGS = 3;
/**
 * CLOCK_REALTIME, MONOTONIC, BOOTTIME, and the two that wake a sleeping computer: in the model they are one, which began at the boot and is
 * never set.
 */
const TIMER_CLOCKS: ReadonlySet<number> = new Set([0, 1, 7, 8, 9]);

/** Arguments of the call being made; calls are atomic up to their sleep. */
const event: EpollEvent = { events: 0, low: 0, high: 0 };
const interval: Interval = { value: 0, interval: 0, old: 0 };

/** What the calls need from a kernel. */
export interface PollCallParts {
  readonly scheduler: Scheduler;
  readonly epolls: EventPolls;
}

/** Waiting for files: epoll, poll, select, and timers as files. */
export function definePollCalls(table: SyscallTable, kernel: PollCallParts): void {
  table.define(Nr.epoll_create1, (cpu, thread, { a0 }) => {
    if ((a0 & ~OpenFlag.CLOEXEC) !== 0) return -Errno.EINVAL;
    cpu.charge(EpollStep.epollCreate);
    const epoll = new EventPoll(kernel.epolls);
    return thread.process.files.install(cpu, epoll, a0);
  });

  table.define(Nr.epoll_ctl, (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
    const operation = a1 | 0;
    // Deleting takes no event, and may pass any address.
    const failed = operation === Epoll.CTL_DEL ? 0 : args.epollEvent(cpu, thread, a3, a4, event);
    if (failed < 0) return failed;
    const { files } = thread.process;
    const epoll = files.lookUp(cpu, a0);
    const file = files.lookUp(cpu, a2);
    if (epoll === null || file === null) return -Errno.EBADF;
    if (!file.pollable) return -Errno.EPERM;
    if (!(epoll instanceof EventPoll)) return -Errno.EINVAL;
    return epoll.control(cpu, operation, file, a2 | 0, event.events, event.low, event.high);
  });

  table.define(
    Nr.epoll_wait,
    (cpu, thread, { a0, a1, a2, a3 }) => {
      const epoll = epollWithRoom(cpu, thread, a0, a1, a2 | 0);
      return typeof epoll === 'number' ? epoll : epoll.waitForEvents(cpu, thread, a1, a2 | 0, a3 | 0);
    },
    { holds: [0] },
  );

  // The mask is in force while it waits.
  table.define(
    Nr.epoll_pwait2,
    (cpu, thread, { args, a0, a1, a2, a3, a4, a5 }) => {
      const timeout = args.timespec(cpu, thread, a3);
      if (timeout < FOREVER) return timeout;
      const mask = args.callMask(cpu, thread, a4, a5);
      if (typeof mask === 'number') return mask;
      const epoll = epollWithRoom(cpu, thread, a0, a1, a2 | 0);
      if (typeof epoll === 'number') return epoll;
      useMask(thread, mask);
      const result = epoll.waitForEvents(cpu, thread, a1, a2 | 0, timeout / MS);
      return whenOver(cpu, thread, result, (_on, outcome) => dropMask(thread, outcome, -Errno.EINTR));
    },
    { holds: [0] },
  );

  // After a stop poll goes on until the same time; ppoll and select wait for as long as was left when it began.
  table.define(Nr.poll, (cpu, thread, { a0, a1, a2 }) => {
    const interrupted = (at: Cpu, left: number): number => {
      const until = at.clock + left * at.costs.tscPerNs;
      thread.restartBlock = {
        step: (on) =>
          poll(kernel.scheduler, on, thread, a0, a1, left < 0 ? left : Math.max(0, until - on.clock) / on.costs.tscPerNs, interrupted),
        abandon() {},
      };
      return -Errno.ERESTART_RESTARTBLOCK;
    };
    return poll(kernel.scheduler, cpu, thread, a0, a1, (a2 | 0) * MS, interrupted);
  });
  table.define(Nr.ppoll, (cpu, thread, regs) => {
    const { args } = regs;
    const timeout = args.timespec(cpu, thread, regs.a2);
    if (timeout < FOREVER) return timeout;
    const mask = args.callMask(cpu, thread, regs.a3, regs.a4);
    if (typeof mask === 'number') return mask;
    useMask(thread, mask);
    const until = untilOf(cpu, timeout);
    const result = poll(kernel.scheduler, cpu, thread, regs.a0, regs.a1, timeout, () => -Errno.ERESTARTNOHAND);
    return whenOver(cpu, thread, result, (on, outcome) => {
      tellTimeLeft(on, thread, regs, 2, until);
      return dropMask(thread, outcome, -Errno.ERESTARTNOHAND);
    });
  });
  table.define(Nr.select, (cpu, thread, regs) => {
    const { args } = regs;
    const timeout = args.timeval(cpu, thread, regs.a4);
    if (timeout < FOREVER) return timeout;
    const until = untilOf(cpu, timeout);
    const result = select(kernel.scheduler, cpu, thread, regs.a0, [regs.a1, regs.a2, regs.a3], timeout, () => -Errno.ERESTARTNOHAND);
    return whenOver(cpu, thread, result, (on, outcome) => {
      tellTimeLeft(on, thread, regs, 4, until);
      return outcome;
    });
  });

  table.define(Nr.timerfd_create, (cpu, { process }, { a0, a1 }) => {
    if (!TIMER_CLOCKS.has(a0 | 0) || (a1 & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    if (isAlarmClock(a0 | 0) && !process.capable(Capability.WAKE_ALARM)) return -Errno.EPERM;
    cpu.charge(IpcStep.eventfdCreate);
    return process.files.install(cpu, new TimerFd(kernel.scheduler, a1, a0 | 0), a1);
  });

  table.define(Nr.timerfd_settime, (cpu, thread, { args, a0, a1, a2, a3 }) => {
    const failed = args.interval(cpu, thread, a2, a3, interval);
    if (failed < 0) return failed;
    const { value, interval: period, old } = interval;
    if ((a1 & ~TFD_FLAGS) !== 0) return -Errno.EINVAL;
    return onTimer(cpu, thread, a0, (timer) => {
      if (timer.isAlarm && !thread.process.capable(Capability.WAKE_ALARM)) return -Errno.EPERM;
      const left = timer.remaining(cpu);
      const before = timer.period;
      const result = timer.set(cpu, value, period, a1);
      return result < 0 || old === 0 ? result : args.putInterval(cpu, thread, old, left, before);
    });
  });
  table.define(Nr.timerfd_gettime, (cpu, thread, { args, a0, a1 }) =>
    onTimer(cpu, thread, a0, (timer) => args.putInterval(cpu, thread, a1, timer.remaining(cpu), timer.period)),
  );
}

/** The epoll behind a descriptor, if `maximum` events can be stored at `address` (Linux: `ep_check_params`). */
function epollWithRoom(cpu: Cpu, thread: Thread, fd: number, address: number, maximum: number): EventPoll | number {
  const file = thread.process.files.lookUp(cpu, fd);
  if (file === null) return -Errno.EBADF;
  if (maximum <= 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;
  if (!accessOk(address, maximum * EPOLL_EVENT_SIZE)) return -Errno.EFAULT;
  return file instanceof EventPoll ? file : -Errno.EINVAL;
}

function onTimer(cpu: Cpu, thread: Thread, fd: number, call: (timer: TimerFd) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  if (file === null) return -Errno.EBADF;
  return file instanceof TimerFd ? call(file) : -Errno.EINVAL;
}

/** When a timeout that begins now will be over, TSC cycles; negative: it needs no telling. */
function untilOf(cpu: Cpu, timeout: number): number {
  return timeout > 0 ? cpu.clock + timeout * cpu.costs.tscPerNs : -1;
}

/**
 * ppoll and select leave what is left of their time where it was given, however they end. Where it cannot be stored nobody is told
 * (Linux: `poll_select_finish`).
 */
function tellTimeLeft(cpu: Cpu, thread: Thread, { args }: UserContext, register: 2 | 4, until: number): void {
  if (until >= 0) args.putTimeLeft(cpu, thread, register, Math.max(0, until - cpu.clock) / cpu.costs.tscPerNs);
}

/** Blocks what a call's own mask blocks, until the call is over. */
export function useMask(thread: Thread, mask: SignalBits | null): void {
  if (mask === null) return;
  thread.savedMask = thread.blocked;
  setMask(thread, mask);
}

/**
 * Undoes `useMask`, unless a signal has ended the call with `interrupted`: then the way back to user mode does, when a handler has run.
 * @returns `result`
 */
export function dropMask(thread: Thread, result: number, interrupted: number): number {
  const { savedMask } = thread;
  if (savedMask !== null && result !== interrupted) {
    thread.savedMask = null;
    setMask(thread, savedMask);
  }
  return result;
}

/** `struct pollfd`: descriptor, 16 bits of events wanted, 16 of events found. */
const POLLFD = 8;

/** @param interrupted the result if a signal ends the call, when so many ns were left; negative: for ever */
function poll(
  scheduler: Scheduler,
  cpu: Cpu,
  thread: Thread,
  address: number,
  register: number,
  timeout: number,
  interrupted: (cpu: Cpu, left: number) => number,
): number {
  const { files } = thread.process;
  const count = register >>> 0;
  if (count > files.limit) return -Errno.EINVAL;
  const items: PollItem[] = [];
  for (let i = 0; i < count; i++) {
    const fd = getUser32(cpu, thread.memory, address + i * POLLFD);
    const word = getUser32(cpu, thread.memory, address + i * POLLFD + 4);
    if (fd < 0 || word < 0) return -Errno.EFAULT;
    items.push(new PollItem(fd | 0, fd >= 0x8000_0000 ? null : files.lookUp(cpu, fd), word & 0xffff));
  }
  const operation: PollOperation = new PollOperation(thread, scheduler, files, items, Poll.ERR | Poll.HUP, timeout, (on, result) => {
    if (!accessOk(address, POLLFD * count)) return -Errno.EFAULT;
    for (let i = 0; i < count; i++) {
      const { events, found } = items[i] as PollItem;
      if (putUser32(on, thread.memory, address + i * POLLFD + 4, events | (found << 16)) < 0) return -Errno.EFAULT;
    }
    return result < 0 ? interrupted(on, operation.left(on)) : result;
  });
  return begin(cpu, thread, operation);
}

/** @param sets addresses of the sets for reading, writing and exceptions; 0 where there is none @param interrupted as for `poll` */
function select(
  scheduler: Scheduler,
  cpu: Cpu,
  thread: Thread,
  register: number,
  sets: readonly number[],
  timeout: number,
  interrupted: (cpu: Cpu, left: number) => number,
): number {
  const limit = register | 0;
  if (limit < 0) return -Errno.EINVAL;
  const { memory } = thread;
  const { files } = thread.process;
  const count = Math.min(limit, files.size);
  const items: PollItem[] = [];
  // In whole longs, as many as there are descriptors (FDS_BYTES).
  const words = 2 * Math.ceil(count / 64);
  const wanted: number[][] = [[], [], []];
  for (const [set, base] of sets.entries()) {
    for (let word = 0; base !== 0 && word < words; word++) {
      const bits = getUser32(cpu, memory, base + 4 * word);
      if (bits < 0) return -Errno.EFAULT;
      wanted[set]?.push(bits);
    }
  }
  for (let fd = 0; fd < count; fd++) {
    for (let set = 0; set < 3; set++) {
      const bits = wanted[set]?.[fd >> 5] ?? 0;
      if (((bits >>> (fd & 31)) & 1) === 0) continue;
      const file = files.lookUp(cpu, fd);
      if (file === null) return -Errno.EBADF;
      items.push(new PollItem(fd, file, SELECT_EVENTS[set] as number));
    }
  }
  const operation: PollOperation = new PollOperation(thread, scheduler, files, items, 0, timeout, (on, result) => {
    // The sets stay as they are if a signal has come: the call may be made again with them.
    if (result < 0) return interrupted(on, operation.left(on));
    for (const base of sets) {
      for (let word = 0; base !== 0 && word < words; word++) if (putUser32(on, memory, base + 4 * word, 0) < 0) return -Errno.EFAULT;
    }
    for (const { fd, events, found } of items) {
      if (found === 0) continue;
      const word = (sets[SELECT_EVENTS.indexOf(events)] as number) + 4 * (fd >> 5);
      const bits = getUser32(on, memory, word);
      if (bits < 0 || putUser32(on, memory, word, bits | (1 << (fd & 31))) < 0) return -Errno.EFAULT;
    }
    return result;
  });
  return begin(cpu, thread, operation);
}
