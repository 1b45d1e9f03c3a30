import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer, sleepSlack, TaskState, type WaitTarget, Wake } from '@rpal/sched';
import { Errno, OpenFlag, Signal, SignalCode, SignalMask } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { FOREVER, type SentSignal } from '../process/call-arguments.js';
import { bitsOf, hasSignal, NO_SIGNALS, type SignalBits, union, without } from '../process/pending-signals.js';
import type { Process } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import { sentBy } from '../process/signal-origin.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { KernelSeams } from '../seams.js';
import { actionOf, dequeueSignal, flush, isDiscarded, recalculatePending, UNBLOCKABLE } from '../signals/signal.js';
import { SignalFd } from '../signals/signalfd.js';
import type { Signals } from '../signals/signals.js';
import { KernelStep } from '../steps.js';

/** What the call being made is told; calls are atomic up to their sleep. */
const told: SentSignal = { signal: 0, value: 0, valueHigh: 0, code: 0, pid: 0, uid: 0 };

const LAST: number = Signal.RTMAX;
/** Bytes of a `sigset_t`. */
const SIGSET = 8;

/** What the calls need from a kernel. */
export interface SignalCallParts {
  readonly scheduler: Scheduler;
  readonly signals: Signals;
  readonly processes: ProcessTable;
  readonly seams: KernelSeams;
}

/** The process that an id belongs to, be it that of one of its threads; also one that has ended and has not been reaped. */
function processOf({ processes }: SignalCallParts, id: number): Process | undefined {
  return id > 0 ? processes.thread(id)?.process : undefined;
}

/**
 * The thread that a signal is for (Linux: `do_send_specific`).
 * @param group the process that it is to belong to; 0: any
 * @returns -ESRCH, -EINVAL or -EPERM where it cannot be sent
 */
export function signalTarget(processes: ProcessTable, caller: Thread, group: number, id: number, signal: number): Thread | number {
  const thread = processes.thread(id);
  if (thread === undefined || (group > 0 && thread.process.pid !== group)) return -Errno.ESRCH;
  if (signal < 0 || signal > LAST) return -Errno.EINVAL;
  return caller.process.maySignal(thread.process, signal) ? thread : -Errno.EPERM;
}

/** Signal 0 only asks whether one could be sent; the dead take none. */
export function takesSignal({ state }: Thread, signal: number): boolean {
  return signal !== 0 && state !== TaskState.DEAD;
}

/**
 * May a signal be sent to a process, and does it get there? @public for packages that define system calls
 * @returns 0 if it may and nothing comes of it; 1: it is to be sent; -EINVAL, -EPERM
 */
export function maySend({ process: sender }: Thread, process: Process, signal: number): number {
  if (signal < 0 || signal > LAST) return -Errno.EINVAL;
  if (!sender.maySignal(process, signal)) return -Errno.EPERM;
  // A zombie accepts it, without any effect.
  return signal === 0 || process.exit !== null ? 0 : 1;
}

/** Signals: sending, handling, blocking, waiting. */
export function defineSignalCalls(table: SyscallTable, kernel: SignalCallParts): void {
  table.define(Nr.rt_sigaction, (cpu, thread, { args, a0, a1, a2, a3 }) => {
    cpu.charge(KernelStep.sigaction);
    const { process } = thread;
    const signal = a0 | 0;
    if (!args.isSignalSet(a3)) return -Errno.EINVAL;
    const action = args.action(cpu, thread, a1);
    if (typeof action === 'number') return action;
    // What KILL and STOP do can be read, but not changed.
    if (signal < 1 || signal > LAST || (action !== null && hasSignal(UNBLOCKABLE, signal))) return -Errno.EINVAL;
    const old = actionOf(process, signal);
    if (action !== null) {
      process.actions[signal] = action;
      // Signals that would be discarded when they are taken are discarded now.
      if (isDiscarded(action, signal)) flush(process, bitsOf(signal));
    }
    return args.putAction(cpu, thread, a2, old);
  });

  table.define(Nr.rt_sigprocmask, (cpu, thread, regs) => {
    cpu.charge(KernelStep.sigaction);
    const old = thread.blocked;
    const { args } = regs;
    if (!args.isSignalSet(regs.a3)) return -Errno.EINVAL;
    const mask = args.signalSet(cpu, thread, regs.a1, regs.a2, regs.a3);
    if (typeof mask === 'number') return mask;
    if (mask === null) return args.putSignalSet(cpu, thread, regs.a2, old);
    const how = regs.a0 | 0;
    if (how === SignalMask.BLOCK) setMask(thread, union(old, mask));
    else if (how === SignalMask.UNBLOCK) setMask(thread, without(old, mask));
    else if (how === SignalMask.SETMASK) setMask(thread, mask);
    else return -Errno.EINVAL;
    return args.putSignalSet(cpu, thread, regs.a2, old);
  });

  table.define(Nr.rt_sigpending, (cpu, thread, { args, a0, a1 }) => {
    cpu.charge(KernelStep.signalPending);
    if (a1 < 0 || a1 > SIGSET) return -Errno.EINVAL;
    const { low, high } = union(thread.pending, thread.process.pending);
    return args.putPending(cpu, thread, a0, a1, { low: low & thread.blocked.low, high: high & thread.blocked.high });
  });

  table.define(Nr.rt_sigtimedwait, (cpu, thread, regs) => {
    cpu.charge(KernelStep.signalWait);
    const { args } = regs;
    if (!args.isSignalSet(regs.a3)) return -Errno.EINVAL;
    const wanted = args.signalSet(cpu, thread, regs.a0, regs.a1, regs.a3);
    if (wanted === null) return -Errno.EFAULT;
    if (typeof wanted === 'number') return wanted;
    const timeout = args.timespec(cpu, thread, regs.a2);
    return timeout < FOREVER ? timeout : new SignalWait(kernel.scheduler, thread, regs, without(wanted, UNBLOCKABLE)).begin(cpu, timeout);
  });

  table.define(Nr.pause, (_cpu, thread) => sleepForSignal(thread));

  table.define(Nr.rt_sigsuspend, (cpu, thread, { args, a0, a1 }) => {
    if (!args.isSignalSet(a1)) return -Errno.EINVAL;
    const mask = args.signalSet(cpu, thread, a0, a1, a1);
    if (mask === null) return -Errno.EFAULT;
    if (typeof mask === 'number') return mask;
    thread.savedMask = thread.blocked;
    setMask(thread, mask);
    return sleepForSignal(thread);
  });

  table.define(Nr.kill, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.signalPermission);
    const process = processOf(kernel, a0 | 0);
    if (process === undefined) return -Errno.ESRCH;
    const may = maySend(thread, process, a1 | 0);
    if (may > 0) kernel.signals.sendToProcess(cpu, process, a1 | 0, sentBy(thread.process.credentials));
    else if (may === 0) cpu.charge(KernelStep.signalProbe);
    return Math.min(0, may);
  });

  table.define(Nr.tgkill, (cpu, caller, { a0, a1, a2 }) => {
    const [group, id, signal] = [a0 | 0, a1 | 0, a2 | 0];
    if (group <= 0 || id <= 0) return -Errno.EINVAL;
    const thread = signalTarget(kernel.processes, caller, group, id, signal);
    if (typeof thread === 'number') return thread;
    if (takesSignal(thread, signal)) kernel.signals.send(cpu, thread, signal, sentBy(caller.process.credentials, SignalCode.TKILL));
    return 0;
  });

  table.define(Nr.rt_sigqueueinfo, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.signalPermission);
    const failed = args.signalValue(cpu, thread, a2, a1 | 0, told);
    if (failed < 0) return failed;
    const { code, pid, uid, value, valueHigh } = told;
    // A process may not tell others that the kernel or kill sent it.
    if ((code >= 0 || code === SignalCode.TKILL) && (a0 | 0) !== thread.process.pid) return -Errno.EPERM;
    const process = processOf(kernel, a0 | 0);
    if (process === undefined) return -Errno.ESRCH;
    const may = maySend(thread, process, a1 | 0);
    return may > 0 ? kernel.signals.queue(cpu, process, a1 | 0, { code, pid, uid, value, valueHigh }) : may;
  });

  table.define(Nr.rt_sigreturn, (cpu, thread, regs) => {
    cpu.charge(KernelStep.signalReturn);
    const { signalFrames } = kernel.seams.slots;
    let state = regs.program?.leaveHandler(cpu) ?? null;
    if (state !== null && signalFrames.filled) state = signalFrames.value.pop(cpu, thread, state);
    if (state === null) {
      kernel.signals.force(cpu, thread, Signal.SEGV);
      return -Errno.EFAULT;
    }
    const { user, rax, restart, mask, pkru } = state;
    thread.frame.user = user;
    cpu.mmu.pkru = pkru;
    setMask(thread, mask);
    if (!restart) return rax;
    return table.dispatch(cpu, thread, user);
  });

  table.define(Nr.signalfd4, (cpu, thread, { args, a0, a1, a2, a3 }) => {
    if (!args.isSignalSet(a2)) return -Errno.EINVAL;
    const set = args.signalSet(cpu, thread, a1, a2, a2);
    if (set === null) return -Errno.EFAULT;
    if (typeof set === 'number') return set;
    if ((a3 & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    cpu.charge(KernelStep.sigaction);
    const { process } = thread;
    const mask = without(set, UNBLOCKABLE);
    if ((a0 | 0) === -1) return process.files.install(cpu, new SignalFd(kernel.scheduler, mask, a3), a3);
    const file = process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    if (!(file instanceof SignalFd)) return -Errno.EINVAL;
    file.mask = mask;
    process.signalWait.walk(cpu, Wake.ALL);
    return a0 | 0;
  });
}

export function setMask(thread: Thread, mask: SignalBits): void {
  thread.blocked = without(mask, UNBLOCKABLE);
  recalculatePending(thread);
}

/** What a thread that sleeps until a signal comes is waiting for. */
const SIGNALS: WaitTarget = { describe: () => 'a signal' };

/** Until a signal comes that is not ignored. */
function sleepForSignal(thread: Thread): number {
  thread.operation = {
    step(cpu) {
      if (thread.signalPending) {
        thread.state = TaskState.RUNNING;
        return -Errno.ERESTARTNOHAND;
      }
      thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, SIGNALS);
      return Pending.SLEEP;
    },
  };
  return Pending.OPERATION;
}

/** sigwaitinfo and sigtimedwait: takes one of the signals, without a handler (Linux: `do_sigtimedwait`). */
class SignalWait implements Operation {
  readonly #thread: Thread;
  readonly #regs: UserContext;
  readonly #wanted: SignalBits;
  readonly #timer: SleepTimer;
  #state: 'new' | 'asleep' = 'new';
  #expired = false;

  constructor(scheduler: Scheduler, thread: Thread, regs: UserContext, wanted: SignalBits) {
    this.#thread = thread;
    this.#regs = regs;
    this.#wanted = wanted;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#expired = true;
      scheduler.wakeUp(cpu, thread);
    });
  }

  /** @param timeout nanoseconds; negative: for ever */
  begin(cpu: Cpu, timeout: number): number {
    const found = this.#take(cpu);
    if (found !== 0) return found;
    if (timeout === 0) return -Errno.EAGAIN;
    if (timeout > 0) this.#timer.start(cpu, timeout, sleepSlack(this.#thread));
    this.#thread.operation = this;
    return Pending.OPERATION;
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    if (this.#state === 'new') {
      this.#state = 'asleep';
      cpu.charge(KernelStep.signalWaitBlock);
      // While it sleeps, what it waits for is not blocked, so that it is woken for that.
      thread.realBlocked = thread.blocked;
      setMask(thread, without(thread.blocked, this.#wanted));
    }
    thread.state = TaskState.RUNNING;
    if (!thread.signalPending && !this.#expired) {
      thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, SIGNALS);
      return Pending.SLEEP;
    }
    this.#timer.stop();
    setMask(thread, thread.realBlocked);
    thread.realBlocked = NO_SIGNALS;
    const found = this.#take(cpu);
    if (found !== 0) return found;
    return this.#expired ? -Errno.EAGAIN : -Errno.EINTR;
  }

  #take(cpu: Cpu): number {
    const taken = dequeueSignal(this.#thread, this.#wanted);
    if (taken === null) return 0;
    const failed = this.#regs.args.putSignalInfo(cpu, this.#thread, this.#regs.a1, taken);
    return failed < 0 ? failed : taken.signal;
  }
}
