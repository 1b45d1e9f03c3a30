import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, TaskState, Wake } from '@rpal/sched';
import { Signal, SignalCode, SignalFlag } from '@rpal/uapi';
import type { Process } from '../process/process.js';
import type { Thread } from '../process/thread.js';
import { actionOf, raisePending } from './signal.js';
import type { Signals } from './signals.js';

/** A thread has taken a signal that stops its process: all its threads are to stop (Linux: `do_signal_stop`). */
export function stopProcess(signals: Signals, cpu: Cpu, thread: Thread, signal: number): void {
  const { process } = thread;
  process.stopSignal = signal;
  for (const other of process.threads) {
    if (other.stopPending || other.state === TaskState.STOPPED) continue;
    other.stopPending = true;
    raisePending(other);
    if (other !== thread) signals.interrupt(cpu, other, TaskState.INTERRUPTIBLE);
  }
}

/** A thread stops. The caller then calls `schedule()`; the last one's stop is its process's, and the parent is told. */
export function stop(signals: Signals, cpu: Cpu, thread: Thread): void {
  const { process } = thread;
  thread.stopPending = false;
  thread.state = TaskState.STOPPED;
  if (process.threads.some(({ state, stopPending }) => stopPending || state !== TaskState.STOPPED)) return;
  process.stop = 'stopped';
  process.stopReported = false;
  process.wasContinued = false;
  tellParent(signals, cpu, process, SignalCode.CLD_STOPPED, process.stopSignal);
}

/** SIGCONT, when it is sent: stopped threads go on, and one of them tells the parent. */
export function continueProcess(scheduler: Scheduler, cpu: Cpu, process: Process): void {
  const { threads } = process;
  const stopped = process.stop === 'stopped';
  if (stopped) {
    process.stop = 'continued';
    process.wasContinued = true;
  }
  for (const thread of threads) {
    thread.stopPending = false;
    if (thread.state === TaskState.STOPPED) scheduler.wakeUp(cpu, thread, TaskState.STOPPED);
    raisePending(thread);
  }
}

/** The first thread that goes on after a stop tells the parent. */
export function announceContinued(signals: Signals, cpu: Cpu, process: Process): void {
  if (process.stop !== 'continued') return;
  process.stop = null;
  tellParent(signals, cpu, process, SignalCode.CLD_CONTINUED, Signal.CONT);
}

/** do_notify_parent_cldstop. */
function tellParent(signals: Signals, cpu: Cpu, process: Process, code: number, signal: number): void {
  const { parent } = process;
  if (parent === null || parent.exit !== null) return;
  const { handler, flags } = actionOf(parent, Signal.CHLD);
  if (handler !== 'ignore' && (flags & SignalFlag.NOCLDSTOP) === 0) signals.tellParent(cpu, process, code, signal);
  parent.childWait.walk(cpu, Wake.ALL);
}
