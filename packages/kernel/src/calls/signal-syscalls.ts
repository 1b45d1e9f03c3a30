import type { Cpu } from '@rpal/hw-x86';
import { SleepTimer, sleepSlack, TaskState, type WaitTarget, Wake } from '@rpal/sched';
import { Errno, OpenFlag, Signal, SignalMask } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import type { Kernel } from '../entry/kernel.js';
import { SyscallNumber as Nr } from '../entry/syscall-numbers.js';
import type { SyscallTable } from '../entry/syscall-table.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { ProgramContext } from '../program/program-context.js';
import { bitsOf, NO_SIGNALS, type SignalBits, union, without } from '../signals/pending-signals.js';
import { dequeueSignal, flush, recalculatePending, sendSignal, signalProcess, UNBLOCKABLE } from '../signals/signal.js';
import { SignalFd } from '../signals/signalfd.js';
import { KernelStep } from '../steps.js';

const LAST: number = Signal.RTMAX;

/** Signals: sending, handling, blocking, waiting. */
export function defineSignalCalls(table: SyscallTable, kernel: Kernel): void {
  table.define(Nr.rt_sigaction, (cpu, { process }, regs) => {
    cpu.charge(KernelStep.sigaction);
    const { a0: signal } = regs;
    if (signal < 1 || signal > LAST || signal === Signal.KILL || signal === Signal.STOP) return -Errno.EINVAL;
    const { action } = regs as ProgramContext;
    process.actions[signal] = action;
    if (action.handler === 'ignore') flush(process, bitsOf(signal));
    return 0;
  });

  // Sets of signals are in two registers: 1 .. 32 and 33 .. 64.
  table.define(Nr.rt_sigprocmask, (cpu, thread, regs) => {
    cpu.charge(KernelStep.sigaction);
    const old = thread.blocked;
    const mask = { low: regs.a1, high: regs.a2 };
    if (regs.a0 === SignalMask.BLOCK) setMask(thread, union(old, mask));
    else if (regs.a0 === SignalMask.UNBLOCK) setMask(thread, without(old, mask));
    else if (regs.a0 === SignalMask.SETMASK) setMask(thread, mask);
    else return -Errno.EINVAL;
    return setResult(regs, old);
  });

  table.define(Nr.rt_sigpending, (cpu, thread, regs) => {
    cpu.charge(KernelStep.sigaction);
    const { low, high } = union(thread.pending, thread.process.pending);
    return setResult(regs, { low: low & thread.blocked.low, high: high & thread.blocked.high });
  });

  table.define(Nr.rt_sigtimedwait, (cpu, thread, regs) => {
    cpu.charge(KernelStep.signalfdRead);
    return new SignalWait(kernel, thread, regs, without({ low: regs.a0, high: regs.a1 }, UNBLOCKABLE)).begin(cpu, regs.a2);
  });

  table.define(Nr.pause, (_cpu, thread) => sleepForSignal(thread));

  table.define(Nr.rt_sigsuspend, (_cpu, thread, { a0, a1 }) => {
    thread.savedMask = thread.blocked;
    setMask(thread, { low: a0, high: a1 });
    return sleepForSignal(thread);
  });

  table.define(Nr.kill, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.signalPermission);
    const process = kernel.processes.get(a0);
    if (process === undefined) return -Errno.ESRCH;
    if (a1 < 0 || a1 > LAST) return -Errno.EINVAL;
    if (!thread.process.mayAffect(process)) return -Errno.EPERM;
    return a1 === 0 ? 0 : kernel.kill(cpu, process, a1);
  });

  table.define(Nr.tgkill, (cpu, caller, { a0, a1, a2 }) => {
    const thread = kernel.processes.get(a0)?.threads.find(({ pid }) => pid === a1);
    if (thread === undefined) return -Errno.ESRCH;
    if (a2 < 0 || a2 > LAST) return -Errno.EINVAL;
    if (!caller.process.mayAffect(thread.process)) return -Errno.EPERM;
    if (a2 !== 0) sendSignal(kernel, cpu, thread, a2);
    return 0;
  });

  table.define(Nr.rt_sigqueueinfo, (cpu, { process: sender }, { a0, a1, a2 }) => {
    cpu.charge(KernelStep.signalPermission);
    if (a1 < 0 || a1 > LAST) return -Errno.EINVAL;
    const process = kernel.processes.get(a0);
    if (process === undefined) return -Errno.ESRCH;
    if (!sender.mayAffect(process)) return -Errno.EPERM;
    return a1 === 0 || process.exit !== null ? 0 : signalProcess(kernel, cpu, process, a1, a2, process.leader, true);
  });

  table.define(Nr.rt_sigreturn, (cpu, thread, regs) => {
    cpu.charge(KernelStep.signalReturn);
    const { user, rax, restart, mask, pkru } = (regs as ProgramContext).leaveHandler();
    thread.frame.user = user;
    cpu.mmu.pkru = pkru;
    setMask(thread, mask);
    if (!restart) return rax;
    return table.dispatch(cpu, thread, user);
  });

  table.define(Nr.signalfd4, (cpu, thread, { a0, a1, a2, a3 }) => {
    if ((a3 & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    cpu.charge(KernelStep.sigaction);
    const { process } = thread;
    const mask = without({ low: a1, high: a2 }, UNBLOCKABLE);
    if (a0 === -1) return process.files.install(cpu, new SignalFd(kernel.scheduler, mask, a3), (a3 & OpenFlag.CLOEXEC) !== 0);
    const file = process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    if (!(file instanceof SignalFd)) return -Errno.EINVAL;
    file.mask = mask;
    process.signalWait.walk(cpu, Wake.ALL);
    return a0;
  });
}

export function setMask(thread: Thread, mask: SignalBits): void {
  thread.blocked = without(mask, UNBLOCKABLE);
  recalculatePending(thread);
}

/** A set of signals as the result of a call: the lower word, which is never negative; the upper is in `second`. */
function setResult(regs: UserContext, { low, high }: SignalBits): number {
  regs.second = high >>> 0;
  return low >>> 0;
}

/** What a thread waits for that sleeps until a signal comes. */
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

  constructor(kernel: Kernel, thread: Thread, regs: UserContext, wanted: SignalBits) {
    this.#thread = thread;
    this.#regs = regs;
    this.#wanted = wanted;
    this.#timer = new SleepTimer(kernel.scheduler, (cpu) => {
      this.#expired = true;
      kernel.scheduler.wakeUp(cpu, thread);
    });
  }

  /** @param timeout nanoseconds; negative: for ever */
  begin(cpu: Cpu, timeout: number): number {
    const found = this.#take();
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
    const found = this.#take();
    if (found !== 0) return found;
    return this.#expired ? -Errno.EAGAIN : -Errno.EINTR;
  }

  #take(): number {
    const taken = dequeueSignal(this.#thread, this.#wanted);
    if (taken === null) return 0;
    this.#regs.second = taken.value;
    return taken.signal;
  }
}
