import type { Cpu } from '@rpal/hw-x86';
import { Errno, Signal, SignalFlag } from '@rpal/uapi';
import {
  ALL_SIGNALS,
  bitsOf,
  hasSignal,
  NO_SIGNALS,
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
import { defaultPkru, type PkruParts } from './default-pkru.js';
import { announceContinued, stop, stopProcess } from './job-control.js';
import { actionOf, dequeueSignal, IGNORED_BY_DEFAULT, mustLook, recalculatePending, STOPPING } from './signal.js';
import type { Signals } from './signals.js';

/** Results that the way back to user mode turns into a restart, or EINTR. */
const RESTARTS: ReadonlySet<number> = new Set([
  -Errno.ERESTARTSYS,
  -Errno.ERESTARTNOINTR,
  -Errno.ERESTARTNOHAND,
  -Errno.ERESTART_RESTARTBLOCK,
]);

/** What delivery needs from a kernel. */
export interface DeliveryParts extends PkruParts {
  readonly signals: Signals;
}

/** What happened to a thread that had signals to look at, if none of them ends it. */
export const Delivered = { DONE: 0, RESTART: -1 } as const;

/**
 * Takes the pending signals of a thread on its way to user mode (Linux: `arch_do_signal_or_restart`). The thread may be
 * stopped, or dead, afterwards.
 * @returns the signal that ends the thread; or `Delivered.RESTART` if the system call that was interrupted is to be executed again, else
 *   `Delivered.DONE`
 */
export function deliverSignals(kernel: DeliveryParts, cpu: Cpu, thread: Thread): number {
  const { process, frame } = thread;
  announceContinued(kernel.signals, cpu, process);
  const program = programOf(thread);
  const late = program === null ? handledSignals(process) : NO_SIGNALS;
  for (;;) {
    if (thread.stopPending) {
      stop(kernel.signals, cpu, thread);
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
      stopProcess(kernel.signals, cpu, thread, signal);
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
  kernel: DeliveryParts,
  cpu: Cpu,
  thread: Thread,
  program: ThreadContext,
  action: SignalAction,
  taken: QueuedSignal,
): void {
  const { signal, code, pid, uid, value, valueHigh } = taken;
  const { frame, process } = thread;
  cpu.charge(KernelStep.signalDeliver);
  thread.resumeNotifier?.resume(cpu, thread, 'signal');
  const user = frame.user as UserContext;
  let restart = false;
  let rax = frame.iret ? user.rax : frame.rax;
  if (!frame.iret) {
    restart = rax === -Errno.ERESTARTNOINTR || (rax === -Errno.ERESTARTSYS && (action.flags & SignalFlag.RESTART) !== 0);
    if (rax === -Errno.ERESTART_RESTARTBLOCK) thread.restartBlock?.abandon();
    if (!restart && RESTARTS.has(rax)) rax = -Errno.EINTR;
  }
  const { signalFrames } = kernel.seams.slots;
  const state = { user, rax, restart, mask: thread.savedMask ?? thread.blocked, pkru: cpu.mmu.pkru, stack: program.rsp };
  const why = { signal, code, pid, uid, value, valueHigh, fault: thread.faultSignal === signal, action };
  const stack = signalFrames.filled ? signalFrames.value.push(cpu, thread, program, why, state) : state.stack;
  const handler = handlerOf(action) as UserHandler;
  if (stack < 0 || program.enterHandler(cpu, handler, signal, value, { ...state, stack }) < 0) {
    // No room for the frame (Linux: `signal_setup_done`).
    if (signal === Signal.SEGV) process.actions[signal] = DEFAULT_ACTION;
    kernel.signals.force(cpu, thread, Signal.SEGV);
    return;
  }
  frame.user = program;
  // The result is the handler's frame's now. If there is another look at signals before the handler runs, no call is restarted.
  frame.rax = 0;
  thread.faultSignal = 0;
  thread.savedMask = null;
  cpu.mmu.pkru = defaultPkru(kernel, thread);
  thread.blocked = union(thread.blocked, action.mask);
  if ((action.flags & SignalFlag.NODEFER) === 0) thread.blocked = union(thread.blocked, bitsOf(signal));
  if ((action.flags & SignalFlag.RESETHAND) !== 0) process.actions[signal] = DEFAULT_ACTION;
  recalculatePending(thread);
}

/** Signals for which the process has handlers. */
function handledSignals({ actions }: Process): SignalBits {
  const signals: number[] = [];
  for (const [signal, action] of actions.entries()) if (action !== undefined && handlerOf(action) !== null) signals.push(signal);
  return bitsOf(...signals);
}
