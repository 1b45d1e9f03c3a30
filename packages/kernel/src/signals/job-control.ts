import type { Cpu } from '@rpal/hw-x86';
import { TaskState, Wake } from '@rpal/sched';
import { Signal, SignalFlag } from '@rpal/uapi';
import type { KernelParts } from '../kernel-parts.js';
import { bitsOf, type SignalBits } from '../process/pending-signals.js';
import type { Process } from '../process/process.js';
import type { Thread } from '../process/thread.js';
import { actionOf, interrupt, raisePending, signalParent } from './signal.js';

/** Signals that stop a process by default. There are no terminals: those of job control do as SIGSTOP does. */
export const STOPPING: SignalBits = bitsOf(Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU);

/** A thread has taken a signal that stops its process: all its threads are to stop (Linux: `do_signal_stop`). */
export function stopProcess(kernel: KernelParts, cpu: Cpu, thread: Thread, signal: number): void {
  const { process } = thread;
  process.stopSignal = signal;
  for (const other of process.threads) {
    if (other.stopPending || other.state === TaskState.STOPPED) continue;
    other.stopPending = true;
    raisePending(other);
    if (other !== thread) interrupt(kernel, cpu, other, false);
  }
}

/** A thread stops. The caller then calls `schedule()`; the last one's stop is its process's, and the parent is told. */
export function stop(kernel: KernelParts, cpu: Cpu, thread: Thread): void {
  const { process } = thread;
  thread.stopPending = false;
  thread.state = TaskState.STOPPED;
  if (process.threads.some(({ state, stopPending }) => stopPending || state !== TaskState.STOPPED)) return;
  process.stop = 'stopped';
  process.stopReported = false;
  process.wasContinued = false;
  tellParent(kernel, cpu, process);
}

/** SIGCONT, when it is sent: stopped threads go on, and one of them tells the parent. */
export function continueProcess(kernel: KernelParts, cpu: Cpu, process: Process): void {
  const { threads } = process;
  const stopped = process.stop === 'stopped';
  if (stopped) {
    process.stop = 'continued';
    process.wasContinued = true;
  }
  for (const thread of threads) {
    thread.stopPending = false;
    if (thread.state === TaskState.STOPPED) kernel.scheduler.wakeUp(cpu, thread, TaskState.STOPPED);
    raisePending(thread);
  }
}

/** The first thread that goes on after a stop tells the parent. */
export function announceContinued(kernel: KernelParts, cpu: Cpu, process: Process): void {
  if (process.stop !== 'continued') return;
  process.stop = null;
  tellParent(kernel, cpu, process);
}

/** do_notify_parent_cldstop. */
function tellParent(kernel: KernelParts, cpu: Cpu, process: Process): void {
  const { parent } = process;
  if (parent === null || parent.exit !== null) return;
  const { handler, flags } = actionOf(parent, Signal.CHLD);
  if (handler !== 'ignore' && (flags & SignalFlag.NOCLDSTOP) === 0) signalParent(kernel, cpu, process);
  parent.childWait.walk(cpu, Wake.ALL);
}
