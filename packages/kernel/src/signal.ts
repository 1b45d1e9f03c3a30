import type { Cpu } from '@rpal/hw-x86';
import { Vector } from '@rpal/hw-x86';
import { SchedStep, TaskState } from '@rpal/sched';
import { Errno, Signal, SignalFlag } from '@rpal/uapi';
import { defaultPkru } from './exec.js';
import { exitThread } from './exit.js';
import type { Kernel } from './kernel.js';
import type { Process } from './process.js';
import type { Program } from './program.js';
import { ProgramContext } from './program-context.js';
import { KernelStep } from './steps.js';
import type { Thread } from './thread.js';

/** What a program runs when a signal comes. */
export type SignalHandler = (program: Program, signal: number) => Generator<void, void>;

/** What is done about a signal (`struct sigaction`). */
export interface SignalAction {
  readonly handler: SignalHandler | 'default' | 'ignore';
  /** `SignalFlag` bits. */
  readonly flags: number;
  /** Signals that are blocked while the handler runs, as bits 1 << (number - 1). */
  readonly mask: number;
}

export const DEFAULT_ACTION: SignalAction = { handler: 'default', flags: 0, mask: 0 };

/** Results that the way back to user mode turns into a restart, or EINTR (include/linux/errno.h). */
const Restart = { SYS: -Errno.ERESTARTSYS, NOINTR: -513, NOHAND: -514 } as const;
export const ERESTARTNOHAND = 514;

/** Signals that cannot be caught, blocked or ignored. */
export const UNBLOCKABLE: number = maskOf(Signal.KILL) | maskOf(Signal.STOP);
const IGNORED_BY_DEFAULT = maskOf(Signal.CHLD) | maskOf(Signal.CONT) | maskOf(Signal.URG) | maskOf(Signal.WINCH);
/** Faults of the thread itself come before other signals. */
const SYNCHRONOUS =
  maskOf(Signal.SEGV) | maskOf(Signal.BUS) | maskOf(Signal.ILL) | maskOf(Signal.TRAP) | maskOf(Signal.FPE) | maskOf(Signal.SYS);

export function maskOf(signal: number): number {
  return 1 << (signal - 1);
}

export function actionOf(process: Process, signal: number): SignalAction {
  return process.actions[signal] ?? DEFAULT_ACTION;
}

/** A signal that would be thrown away when it is taken need not be sent (Linux: `sig_ignored`). */
function isIgnored(process: Process, signal: number): boolean {
  const { handler } = actionOf(process, signal);
  return handler === 'ignore' || (handler === 'default' && (IGNORED_BY_DEFAULT & maskOf(signal)) !== 0);
}

/** Signals that a thread could take now. */
function deliverable(thread: Thread): number {
  return (thread.pendingSignals | thread.process.pendingSignals) & ~thread.blockedSignals;
}

/** Brings a thread's "signal pending" flag up to date (Linux: `recalc_sigpending`). */
export function recalculatePending(thread: Thread): void {
  thread.signalPending = deliverable(thread) !== 0;
}

/** Sends `signal` to one thread: it becomes pending, and ends an interruptible sleep. */
export function sendSignal(kernel: Kernel, cpu: Cpu, thread: Thread, signal: number): void {
  if (isIgnored(thread.process, signal) && (thread.blockedSignals & maskOf(signal)) === 0) return;
  cpu.charge(KernelStep.signalSend);
  thread.pendingSignals |= maskOf(signal);
  notify(kernel, cpu, thread, signal);
}

/** Sends `signal` to a process: the first thread that does not block it takes it. */
export function signalProcess(kernel: Kernel, cpu: Cpu, process: Process, signal: number): void {
  const bit = maskOf(signal);
  const taker = process.threads.find(({ blockedSignals }) => (blockedSignals & bit) === 0);
  if (isIgnored(process, signal) && taker !== undefined) return;
  cpu.charge(KernelStep.signalSend);
  process.pendingSignals |= bit;
  notify(kernel, cpu, taker ?? process.leader, signal);
}

/** A signal that must not be missed, as a fault's: if it is blocked or ignored, the process dies of it. */
export function forceSignal(kernel: Kernel, cpu: Cpu, thread: Thread, signal: number): void {
  const bit = maskOf(signal);
  const { process } = thread;
  if ((thread.blockedSignals & bit) !== 0 || actionOf(process, signal).handler === 'ignore') process.actions[signal] = DEFAULT_ACTION;
  thread.blockedSignals &= ~bit;
  sendSignal(kernel, cpu, thread, signal);
}

/** signalfds are told, and the thread is woken, or interrupted if it runs on another CPU (Linux: `signal_wake_up`). */
function notify(kernel: Kernel, cpu: Cpu, thread: Thread, signal: number): void {
  const { scheduler } = kernel;
  const { signalWait } = thread.process;
  if (signalWait.active) signalWait.wake(cpu, 1, 0, false);
  recalculatePending(thread);
  const fatal = signal === Signal.KILL;
  if (fatal) thread.killPending = true;
  if (!thread.signalPending) return;
  const woken = scheduler.wakeUp(cpu, thread, fatal ? TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE : TaskState.INTERRUPTIBLE);
  // kick_process: one that runs on another CPU looks at its signals on the way out of this interrupt.
  if (!woken && thread.onCpu && thread.cpu !== cpu) {
    cpu.charge(SchedStep.kickByIpi);
    cpu.sendInterrupt(thread.cpu, Vector.reschedule);
  }
}

/** Takes a signal out of `wanted`: one of the thread's, else of the process's. @returns its number, or 0 */
export function dequeueSignal(thread: Thread, wanted: number): number {
  const { process } = thread;
  const own = thread.pendingSignals & wanted;
  const signal = lowest(own & SYNCHRONOUS) || lowest(own) || lowest(process.pendingSignals & wanted);
  if (signal === 0) return 0;
  if ((own & maskOf(signal)) !== 0) thread.pendingSignals &= ~maskOf(signal);
  else process.pendingSignals &= ~maskOf(signal);
  recalculatePending(thread);
  return signal;
}

function lowest(bits: number): number {
  return bits === 0 ? 0 : 32 - Math.clz32(bits & -bits);
}

/**
 * Takes the pending signals of a thread on its way to user mode (Linux: `arch_do_signal_or_restart`).
 * @returns true if the system call that was interrupted is to be executed again
 */
export function deliverSignals(kernel: Kernel, cpu: Cpu, thread: Thread): boolean {
  const { process, frame } = thread;
  for (;;) {
    const signal = dequeueSignal(thread, ~thread.blockedSignals);
    if (signal === 0) break;
    const action = actionOf(process, signal);
    if (action.handler === 'ignore') continue;
    if (action.handler !== 'default') {
      const user = frame.user;
      if (user instanceof ProgramContext) {
        callHandler(kernel, cpu, thread, user, action as SignalAction & { handler: SignalHandler }, signal);
        return false;
      }
      // Library code on a stack of its own has no handler frames: the signal waits until the program is back.
      thread.pendingSignals |= maskOf(signal);
      thread.signalPending = false;
      break;
    }
    if ((IGNORED_BY_DEFAULT & maskOf(signal)) !== 0) continue;
    cpu.charge(KernelStep.signalKill);
    exitThread(kernel, cpu, thread, 0, signal);
    return false;
  }
  restoreMask(thread);
  return !frame.iret && (frame.rax === Restart.SYS || frame.rax === Restart.NOINTR || frame.rax === Restart.NOHAND);
}

/** A call that had set a mask of its own is over, and no handler has taken the old one along. */
function restoreMask(thread: Thread): void {
  if (thread.savedMask === null) return;
  thread.blockedSignals = thread.savedMask;
  thread.savedMask = null;
  recalculatePending(thread);
}

/** setup_rt_frame: the handler runs next, and rt_sigreturn goes back to what it interrupted. */
function callHandler(
  kernel: Kernel,
  cpu: Cpu,
  thread: Thread,
  user: ProgramContext,
  action: SignalAction & { handler: SignalHandler },
  signal: number,
): void {
  const { frame, process } = thread;
  cpu.charge(KernelStep.signalDeliver);
  let restart = false;
  let rax = frame.iret ? user.rax : frame.rax;
  if (!frame.iret) {
    restart = rax === Restart.NOINTR || (rax === Restart.SYS && (action.flags & SignalFlag.RESTART) !== 0);
    if (!restart && (rax === Restart.SYS || rax === Restart.NOHAND)) rax = -Errno.EINTR;
  }
  user.enterHandler(action.handler, signal, { rax, restart, mask: thread.savedMask ?? thread.blockedSignals, pkru: cpu.mmu.pkru });
  thread.savedMask = null;
  cpu.mmu.pkru = defaultPkru(kernel, thread);
  thread.blockedSignals |= action.mask;
  if ((action.flags & SignalFlag.NODEFER) === 0) thread.blockedSignals |= maskOf(signal);
  if ((action.flags & SignalFlag.RESETHAND) !== 0) process.actions[signal] = DEFAULT_ACTION;
  recalculatePending(thread);
}
