import { TaskState } from '@rpal/sched';
import { Signal } from '@rpal/uapi';
import { bitsOf, hasSignal, type QueuedSignal, type SignalBits } from '../process/pending-signals.js';
import type { Process } from '../process/process.js';
import { DEFAULT_ACTION, type SignalAction } from '../process/signal-action.js';
import type { Thread } from '../process/thread.js';

/** Signals that cannot be caught, blocked or ignored. */
export const UNBLOCKABLE: SignalBits = bitsOf(Signal.KILL, Signal.STOP);
/** Signals that stop a process by default. There are no terminals: those of job control do as SIGSTOP does. */
export const STOPPING: SignalBits = bitsOf(Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU);
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
export const IGNORED_BY_DEFAULT: SignalBits = bitsOf(Signal.CHLD, Signal.CONT, Signal.URG, Signal.WINCH);

export function actionOf(process: Process, signal: number): SignalAction {
  return process.actions[signal] ?? DEFAULT_ACTION;
}

/** A signal that would be thrown away when it is taken need not be sent (Linux: `sig_ignored`). */
export function isIgnored({ process, blocked, realBlocked }: Thread, signal: number): boolean {
  if (hasSignal(blocked, signal) || hasSignal(realBlocked, signal)) return false;
  return isDiscarded(actionOf(process, signal), signal);
}

/** Nothing is done about the signal (Linux: `sig_handler_ignored`). */
export function isDiscarded({ handler }: SignalAction, signal: number): boolean {
  return handler === 'ignore' || (handler === 'default' && hasSignal(IGNORED_BY_DEFAULT, signal));
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
export function mustLook(thread: Thread, blocked: SignalBits): boolean {
  const { pending, process } = thread;
  const low = (pending.low | process.pending.low) & ~blocked.low;
  const high = (pending.high | process.pending.high) & ~blocked.high;
  return (low | high) !== 0 || thread.stopPending || process.stop === 'continued';
}

/** The thread would take the signal soon (Linux: `wants_signal`). */
export function wants(thread: Thread, signal: number): boolean {
  if (hasSignal(thread.blocked, signal)) return false;
  return signal === Signal.KILL || (thread.state !== TaskState.STOPPED && (thread.onCpu || !thread.signalPending));
}

/** Thread `first` if it wants the signal, else the others in turn; null if none does (Linux: `complete_signal`). */
export function takerOf(process: Process, signal: number, first: Thread): Thread | null {
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
export function isFatalAtOnce({ process, realBlocked }: Thread, signal: number): boolean {
  const spared =
    hasSignal(realBlocked, signal) || hasSignal(CORE, signal) || hasSignal(IGNORED_BY_DEFAULT, signal) || hasSignal(STOPPING, signal);
  return signal !== Signal.KILL && !spared && actionOf(process, signal).handler === 'default';
}

/** Throws pending signals away, those of threads and those of the process. */
export function flush(process: Process, signals: SignalBits): void {
  process.pending.flush(signals);
  for (const thread of process.threads) thread.pending.flush(signals);
}

/** Takes a signal out of `wanted`: one of the thread's, else of the process's; null if there is none. */
export function dequeueSignal(thread: Thread, wanted: SignalBits): QueuedSignal | null {
  thread.process.siglock.pass(thread.cpu);
  const taken = thread.pending.take(wanted) ?? thread.process.pending.take(wanted);
  // Even if there is none: another thread of the process may have taken the one this thread was woken for.
  recalculatePending(thread);
  if (taken !== null) thread.process.signalHandover.take(thread.cpu, thread, 0);
  return taken;
}
