import { type Cpu, Vector } from '@rpal/hw-x86';
import { SchedStep, TaskState } from '@rpal/sched';
import { Errno, Signal, SignalFlag } from '@rpal/uapi';
import type { KernelParts } from '../kernel-parts.js';
import {
  ALL_SIGNALS,
  bitsOf,
  hasSignal,
  NO_SIGNALS,
  type PendingSignals,
  type QueuedSignal,
  type SignalBits,
  union,
  without,
} from '../process/pending-signals.js';
import type { Process } from '../process/process.js';
import { DEFAULT_ACTION, handlerOf, type SignalAction, type UserHandler } from '../process/signal-action.js';
import type { EntryFrame, Thread } from '../process/thread.js';
import { ThreadContext } from '../process/thread-context.js';
import type { UserContext } from '../process/user-context.js';
import { KernelStep } from '../steps.js';
import { defaultPkru } from './default-pkru.js';
import { announceContinued, continueProcess, STOPPING, stop, stopProcess } from './job-control.js';

/** Signals that cannot be caught, blocked or ignored. */
export const UNBLOCKABLE: SignalBits = bitsOf(Signal.KILL, Signal.STOP);
const CORE = bitsOf(
  Signal.QUIT,
  Signal.ILL,
  Signal.TRAP,
  Signal.ABRT,
  Signal.FPE,
  Signal.SEGV,
  Signal.BUS,
  Signal.SYS,
  Signal.XCPU,
  Signal.XFSZ,
);
/** Results that the way back to user mode turns into a restart, or EINTR. */
const RESTARTS: ReadonlySet<number> = new Set([
  -Errno.ERESTARTSYS,
  -Errno.ERESTARTNOINTR,
  -Errno.ERESTARTNOHAND,
  -Errno.ERESTART_RESTARTBLOCK,
]);
const IGNORED_BY_DEFAULT = bitsOf(Signal.CHLD, Signal.CONT, Signal.URG, Signal.WINCH);

export function actionOf(process: Process, signal: number): SignalAction {
  return process.actions[signal] ?? DEFAULT_ACTION;
}

/** A signal that would be thrown away when it is taken need not be sent (Linux: `sig_ignored`). */
function isIgnored({ process, blocked, realBlocked }: Thread, signal: number): boolean {
  if (hasSignal(blocked, signal) || hasSignal(realBlocked, signal)) return false;
  const { handler } = actionOf(process, signal);
  return handler === 'ignore' || (handler === 'default' && hasSignal(IGNORED_BY_DEFAULT, signal));
}

/** Signals for which the process has handlers. */
function handledSignals({ actions }: Process): SignalBits {
  const signals: number[] = [];
  for (const [signal, action] of actions.entries()) if (action !== undefined && handlerOf(action) !== null) signals.push(signal);
  return bitsOf(...signals);
}

/** Brings the "signal pending" flag of the thread that executes up to date (Linux: `recalc_sigpending`). */
export function recalculatePending(thread: Thread): void {
  thread.signalPending = mustLook(thread, thread.blocked);
}

/**
 * Tells any thread that there are signals for it. Its flag is not taken back if there are none: it may have left a call for what was
 * there, and only its own look at its signals restarts the call (Linux: `recalc_sigpending_and_wake`).
 */
export function raisePending(thread: Thread): void {
  if (mustLook(thread, thread.blocked)) thread.signalPending = true;
}

/** There is something that a thread with this mask has to see to on its way to user mode. */
function mustLook(thread: Thread, blocked: SignalBits): boolean {
  const { pending, process } = thread;
  const low = (pending.low | process.pending.low) & ~blocked.low;
  const high = (pending.high | process.pending.high) & ~blocked.high;
  return (low | high) !== 0 || thread.stopPending || process.stop === 'continued';
}

/** Sends `signal` to one thread: it becomes pending, and ends an interruptible sleep. */
export function sendSignal(kernel: KernelParts, cpu: Cpu, thread: Thread, signal: number, value = 0): void {
  const { process } = thread;
  if (process.dying !== 0 && signal !== Signal.KILL) return;
  prepare(kernel, cpu, process, signal);
  if (isIgnored(thread, signal)) return;
  cpu.charge(KernelStep.signalSend);
  if (enqueue(kernel, process, thread.pending, signal, value, false) !== 0) return;
  if (wants(thread, signal) && isFatalAtOnce(thread, signal)) takeDown(kernel, cpu, process, signal);
  else notify(kernel, cpu, thread, signal);
}

/**
 * Sends `signal` to a process: one of its threads is to take it, `first` if it wants it.
 * @param queued by sigqueue @returns 0, or -EAGAIN if it was sent by sigqueue and there is no room in the queues of its user
 */
export function signalProcess(
  kernel: KernelParts,
  cpu: Cpu,
  process: Process,
  signal: number,
  value = 0,
  first: Thread = process.leader,
  queued = false,
): number {
  if (process.dying !== 0 && signal !== Signal.KILL) return 0;
  prepare(kernel, cpu, process, signal);
  if (isIgnored(first, signal)) return 0;
  cpu.charge(KernelStep.signalSend);
  const failed = enqueue(kernel, process, process.pending, signal, value, queued);
  if (failed !== 0) return Math.min(0, failed);
  const taker = takerOf(process, signal, first);
  if (taker !== null && isFatalAtOnce(taker, signal)) takeDown(kernel, cpu, process, signal);
  else notify(kernel, cpu, taker ?? first, signal);
  return 0;
}

/** kill(2) within the kernel: 0, or -ESRCH if the process has ended. */
export function killProcess(kernel: KernelParts, cpu: Cpu, process: Process, signal: number): number {
  if (process.exit !== null) return -Errno.ESRCH;
  signalProcess(kernel, cpu, process, signal);
  return 0;
}

/**
 * Makes a signal pending with what came along, if there is room (RLIMIT_SIGPENDING): there always is for ordinary signals that kill
 * or the kernel sent; without room a signal of sigqueue fails if it is a real-time one, and any other loses its value.
 * @returns 0; 1 if it is pending already and one is enough; -EAGAIN
 */
function enqueue(kernel: KernelParts, process: Process, pending: PendingSignals, signal: number, value: number, queued: boolean): number {
  if (pending.holds(signal)) return 1;
  const account = kernel.signalAccounts.of(process.credentials.uid);
  const realTime = signal >= Signal.RTMIN;
  const room = account.queued < process.pendingLimit || (!realTime && !queued);
  if (!room && realTime && queued) return -Errno.EAGAIN;
  pending.post(signal, value, room && signal !== Signal.KILL ? account : null);
  return 0;
}

/** The thread would take the signal soon (Linux: `wants_signal`). */
function wants(thread: Thread, signal: number): boolean {
  if (hasSignal(thread.blocked, signal)) return false;
  return signal === Signal.KILL || (thread.state !== TaskState.STOPPED && (thread.onCpu || !thread.signalPending));
}

/** Thread `first` if it wants the signal, else the others in turn; null if none does (Linux: `complete_signal`). */
function takerOf(process: Process, signal: number, first: Thread): Thread | null {
  const { threads } = process;
  if (wants(first, signal)) return first;
  for (let i = 0; i < threads.length; i++) {
    const at = (process.signalTurn + i) % threads.length;
    const thread = threads[at] as Thread;
    if (!wants(thread, signal)) continue;
    process.signalTurn = at;
    return thread;
  }
  return null;
}

/** Signals that kill, but not those that leave a core: these are for the thread that takes them (Linux: `sig_fatal`). */
function isFatalAtOnce({ process, realBlocked }: Thread, signal: number): boolean {
  const spared =
    hasSignal(realBlocked, signal) || hasSignal(CORE, signal) || hasSignal(IGNORED_BY_DEFAULT, signal) || hasSignal(STOPPING, signal);
  return signal !== Signal.KILL && !spared && actionOf(process, signal).handler === 'default';
}

/** All threads of a process are to die of `signal`, before anything else can take it. */
function takeDown(kernel: KernelParts, cpu: Cpu, process: Process, signal: number): void {
  process.dying = signal;
  for (const thread of process.threads) {
    thread.stopPending = false;
    if (thread.pending.holds(Signal.KILL)) continue;
    thread.pending.post(Signal.KILL, 0, null);
    notify(kernel, cpu, thread, Signal.KILL);
  }
}

/** Tells a parent of a change in its child (SIGCHLD): the thread that forked it is asked first, as long as it is there. */
export function signalParent(kernel: KernelParts, cpu: Cpu, { parent, forkedBy }: Process): void {
  if (parent === null) return;
  const first = forkedBy !== null && parent.threads.includes(forkedBy) ? forkedBy : parent.leader;
  signalProcess(kernel, cpu, parent, Signal.CHLD, 0, first);
}

/** What a signal does when it is sent, whoever takes it (Linux: `prepare_signal`): stopping and going on undo each other. */
function prepare(kernel: KernelParts, cpu: Cpu, process: Process, signal: number): void {
  if (signal === Signal.CONT) {
    flush(process, STOPPING);
    continueProcess(kernel, cpu, process);
  } else if (hasSignal(STOPPING, signal)) {
    flush(process, bitsOf(Signal.CONT));
  }
}

/** Throws pending signals away, whoever they were sent to. */
export function flush(process: Process, signals: SignalBits): void {
  process.pending.flush(signals);
  for (const thread of process.threads) thread.pending.flush(signals);
}

/** A signal that must not be missed, as a fault's: if it is blocked or ignored, the process dies of it. */
export function forceSignal(kernel: KernelParts, cpu: Cpu, thread: Thread, signal: number): void {
  const { process } = thread;
  if (hasSignal(thread.blocked, signal) || actionOf(process, signal).handler === 'ignore') process.actions[signal] = DEFAULT_ACTION;
  thread.blocked = without(thread.blocked, bitsOf(signal));
  sendSignal(kernel, cpu, thread, signal);
}

/** signalfds are told, and the thread is woken, or interrupted if it runs on another CPU (Linux: `signal_wake_up`). */
function notify(kernel: KernelParts, cpu: Cpu, thread: Thread, signal: number): void {
  const { signalWait, signalHandover } = thread.process;
  signalHandover.put(cpu, 0);
  signalWait.wakeOne(cpu);
  raisePending(thread);
  const fatal = signal === Signal.KILL;
  if (fatal) thread.killPending = true;
  if (thread.signalPending) interrupt(kernel, cpu, thread, fatal);
}

/** Makes a thread look at its signals. @param fatal whatever it waits for, even stopped */
export function interrupt(kernel: KernelParts, cpu: Cpu, thread: Thread, fatal: boolean): void {
  const { INTERRUPTIBLE, UNINTERRUPTIBLE, STOPPED } = TaskState;
  const woken = kernel.scheduler.wakeUp(cpu, thread, fatal ? INTERRUPTIBLE | UNINTERRUPTIBLE | STOPPED : INTERRUPTIBLE);
  // kick_process: one that runs on another CPU looks at its signals on the way out of this interrupt.
  if (!woken && thread.onCpu && thread.cpu !== cpu) {
    cpu.charge(SchedStep.kickByIpi);
    cpu.sendInterrupt(thread.cpu, Vector.reschedule);
  }
}

/** Takes a signal out of `wanted`: one of the thread's, else of the process's; null if there is none. */
export function dequeueSignal(thread: Thread, wanted: SignalBits): QueuedSignal | null {
  const taken = thread.pending.take(wanted) ?? thread.process.pending.take(wanted);
  // Also if there is none: another thread of the process may have taken what this one was woken for.
  recalculatePending(thread);
  if (taken !== null) thread.process.signalHandover.take(thread.cpu, thread, 0);
  return taken;
}

/** What has become of a thread that had signals to look at, if none of them ends it. */
export const Delivered = { DONE: 0, RESTART: -1 } as const;

/**
 * Takes the pending signals of a thread on its way to user mode (Linux: `arch_do_signal_or_restart`). The thread may be
 * stopped, or dead, afterwards.
 * @returns the signal that ends the thread; or `Delivered.RESTART` if the system call that was interrupted is to be executed again, else
 *   `Delivered.DONE`
 */
export function deliverSignals(kernel: KernelParts, cpu: Cpu, thread: Thread): number {
  const { process, frame } = thread;
  announceContinued(kernel, cpu, process);
  const program = programOf(thread);
  const late = program === null ? handledSignals(process) : NO_SIGNALS;
  for (;;) {
    if (thread.stopPending) {
      stop(kernel, cpu, thread);
      return Delivered.DONE;
    }
    const taken = dequeueSignal(thread, without(without(ALL_SIGNALS, thread.blocked), late));
    if (taken === null) break;
    const { signal } = taken;
    const action = actionOf(process, signal);
    if (action.handler === 'ignore') continue;
    if (action.handler !== 'default') {
      callHandler(kernel, cpu, thread, program as ThreadContext, action, taken);
      return Delivered.DONE;
    }
    if (hasSignal(IGNORED_BY_DEFAULT, signal)) continue;
    if (hasSignal(STOPPING, signal)) {
      stopProcess(kernel, cpu, thread, signal);
      continue;
    }
    cpu.charge(KernelStep.signalKill);
    return process.dying || signal;
  }
  restoreMask(thread);
  thread.signalPending = mustLook(thread, union(thread.blocked, late));
  return isRestart(frame) ? Delivered.RESTART : Delivered.DONE;
}

/**
 * The program that can run handlers for a thread: the one that it executes, or the one that owns the fiber it executes. A fiber that is
 * sent elsewhere, or that belongs to another thread, has to get there first.
 */
function programOf(thread: Thread): ThreadContext | null {
  const { user, rip } = thread.frame;
  if (user instanceof ThreadContext) return user;
  const program = user?.program ?? null;
  return rip === 0 && program?.thread === thread ? program : null;
}

/** The system call of this frame was interrupted and no handler has run. */
function isRestart({ iret, rax }: EntryFrame): boolean {
  return !iret && RESTARTS.has(rax);
}

/** A call that had set a mask of its own is over, and no handler has taken the old one along. */
function restoreMask(thread: Thread): void {
  if (thread.savedMask === null) return;
  thread.blocked = thread.savedMask;
  thread.savedMask = null;
  recalculatePending(thread);
}

/** setup_rt_frame: the handler runs next, and rt_sigreturn goes back to what it interrupted. */
function callHandler(
  kernel: KernelParts,
  cpu: Cpu,
  thread: Thread,
  program: ThreadContext,
  action: SignalAction,
  { signal, value }: QueuedSignal,
): void {
  const { frame, process } = thread;
  cpu.charge(KernelStep.signalDeliver);
  const user = frame.user as UserContext;
  let restart = false;
  let rax = frame.iret ? user.rax : frame.rax;
  if (!frame.iret) {
    restart = rax === -Errno.ERESTARTNOINTR || (rax === -Errno.ERESTARTSYS && (action.flags & SignalFlag.RESTART) !== 0);
    if (rax === -Errno.ERESTART_RESTARTBLOCK) thread.restartBlock?.abandon();
    if (!restart && RESTARTS.has(rax)) rax = -Errno.EINTR;
  }
  const failed = program.enterHandler(cpu, handlerOf(action) as UserHandler, signal, value, {
    user,
    rax,
    restart,
    mask: thread.savedMask ?? thread.blocked,
    pkru: cpu.mmu.pkru,
  });
  if (failed < 0) {
    // No room for the frame (Linux: `signal_setup_done`).
    if (signal === Signal.SEGV) process.actions[signal] = DEFAULT_ACTION;
    forceSignal(kernel, cpu, thread, Signal.SEGV);
    return;
  }
  frame.user = program;
  // The result is the handler's frame's now. If there is another look at signals before the handler runs, no call is restarted.
  frame.rax = 0;
  process.faultCode = 0;
  process.faultAddress = 0;
  thread.savedMask = null;
  cpu.mmu.pkru = defaultPkru(kernel, thread);
  thread.blocked = union(thread.blocked, action.mask);
  if ((action.flags & SignalFlag.NODEFER) === 0) thread.blocked = union(thread.blocked, bitsOf(signal));
  if ((action.flags & SignalFlag.RESETHAND) !== 0) process.actions[signal] = DEFAULT_ACTION;
  recalculatePending(thread);
}
