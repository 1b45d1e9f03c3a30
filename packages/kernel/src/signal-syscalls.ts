import { Step } from '@rpal/epoll';
import { TaskState } from '@rpal/sched';
import { Errno, OpenFlag, Signal, SignalMask } from '@rpal/uapi';
import type { ProgramContext } from './program-context.js';
import { ERESTARTNOHAND, maskOf, recalculatePending, sendSignal, UNBLOCKABLE } from './signal.js';
import { SignalFd } from './signalfd.js';
import { KernelStep } from './steps.js';
import { SyscallNumber as Nr } from './syscall-numbers.js';
import type { SyscallTable } from './syscall-table.js';
import type { Thread } from './thread.js';

/** Signals there are: 1 .. 31. Real-time signals are not modelled. */
const LAST = 31;

/** Signals: sending, handling, blocking, waiting. */
export function defineSignalCalls(table: SyscallTable): void {
  table[Nr.rt_sigaction] = (_kernel, cpu, { process }, regs) => {
    cpu.charge(KernelStep.sigaction);
    const { a0: signal } = regs;
    if (signal < 1 || signal > LAST || signal === Signal.KILL || signal === Signal.STOP) return -Errno.EINVAL;
    const { action } = regs as ProgramContext;
    process.actions[signal] = action;
    if (action.handler === 'ignore') {
      process.pendingSignals &= ~maskOf(signal);
      for (const thread of process.threads) thread.pendingSignals &= ~maskOf(signal);
    }
    return 0;
  };

  table[Nr.rt_sigprocmask] = (_kernel, cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.sigaction);
    const old = thread.blockedSignals;
    if (a0 === SignalMask.BLOCK) setMask(thread, old | a1);
    else if (a0 === SignalMask.UNBLOCK) setMask(thread, old & ~a1);
    else if (a0 === SignalMask.SETMASK) setMask(thread, a1);
    else return -Errno.EINVAL;
    return old;
  };

  table[Nr.rt_sigpending] = (_kernel, cpu, thread) => {
    cpu.charge(KernelStep.sigaction);
    return (thread.pendingSignals | thread.process.pendingSignals) & thread.blockedSignals;
  };

  table[Nr.pause] = (_kernel, _cpu, thread) => sleepForSignal(thread);

  table[Nr.rt_sigsuspend] = (_kernel, _cpu, thread, { a0 }) => {
    thread.savedMask = thread.blockedSignals;
    setMask(thread, a0);
    return sleepForSignal(thread);
  };

  table[Nr.kill] = (kernel, cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.signalPermission);
    const process = kernel.processes.get(a0);
    if (process === undefined) return -Errno.ESRCH;
    if (a1 < 0 || a1 > LAST) return -Errno.EINVAL;
    if (!thread.process.mayAffect(process)) return -Errno.EPERM;
    return a1 === 0 ? 0 : kernel.kill(cpu, process, a1);
  };

  table[Nr.tgkill] = (kernel, cpu, caller, { a0, a1, a2 }) => {
    const thread = kernel.processes.get(a0)?.threads.find(({ pid }) => pid === a1);
    if (thread === undefined) return -Errno.ESRCH;
    if (a2 < 0 || a2 > LAST) return -Errno.EINVAL;
    if (!caller.process.mayAffect(thread.process)) return -Errno.EPERM;
    if (a2 !== 0) sendSignal(kernel, cpu, thread, a2);
    return 0;
  };

  table[Nr.rt_sigreturn] = (kernel, cpu, thread, regs) => {
    cpu.charge(KernelStep.signalReturn);
    const { rax, restart, mask, pkru } = (regs as ProgramContext).leaveHandler();
    cpu.mmu.pkru = pkru;
    setMask(thread, mask);
    if (!restart) return rax;
    const handler = table[regs.nr];
    return handler === undefined ? -Errno.ENOSYS : handler(kernel, cpu, thread, regs);
  };

  table[Nr.signalfd4] = (_kernel, cpu, thread, { a0, a1, a3 }) => {
    if ((a3 & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    cpu.charge(KernelStep.sigaction);
    const { process } = thread;
    const mask = a1 & ~UNBLOCKABLE;
    if (a0 === -1) return process.files.install(cpu, new SignalFd(process, mask, a3), (a3 & OpenFlag.CLOEXEC) !== 0);
    const file = process.files.lookUp(cpu, a0);
    if (file === null) return -Errno.EBADF;
    if (!(file instanceof SignalFd)) return -Errno.EINVAL;
    file.mask = mask;
    process.signalWait.wake(cpu, 0, 0, false);
    return a0;
  };
}

export function setMask(thread: Thread, mask: number): void {
  thread.blockedSignals = mask & ~UNBLOCKABLE;
  recalculatePending(thread);
}

/** Until a signal comes that is not ignored. */
function sleepForSignal(thread: Thread): number {
  thread.operation = {
    step() {
      if (thread.signalPending) {
        thread.state = TaskState.RUNNING;
        return -ERESTARTNOHAND;
      }
      thread.state = TaskState.INTERRUPTIBLE;
      return Step.SLEEP;
    },
  };
  return Step.PENDING;
}
