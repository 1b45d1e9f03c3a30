import { type Cpu, Vector } from '@rpal/hw-x86';
import { SchedStep, type Scheduler, TaskState } from '@rpal/sched';
import { Errno, Rlimit, Signal } from '@rpal/uapi';
import { bitsOf, hasSignal, type PendingSignals, without } from '../process/pending-signals.js';
import type { Process, SignalSender } from '../process/process.js';
import { SignalAccounts } from '../process/signal-accounts.js';
import { DEFAULT_ACTION } from '../process/signal-action.js';
import { FROM_KERNEL, type SignalOrigin, sentBy } from '../process/signal-origin.js';
import type { Thread } from '../process/thread.js';
import { KernelStep } from '../steps.js';
import { continueProcess } from './job-control.js';
import { actionOf, flush, isFatalAtOnce, isIgnored, raisePending, STOPPING, takerOf, wants } from './signal.js';

/** The sender: only sigqueue is told that there is no room. */
type Sender = 'kernel' | 'sigqueue';

/** What a signal that kills ends: every sleep, and a stop. */
const { INTERRUPTIBLE, UNINTERRUPTIBLE, STOPPED } = TaskState;
const KILLABLE = INTERRUPTIBLE | UNINTERRUPTIBLE | STOPPED;

/** The sending of signals on one machine (kernel/signal.c). */
export class Signals implements SignalSender {
  /** Signals that are queued, by user. */
  readonly accounts: SignalAccounts = new SignalAccounts();
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Sends `signal` to one thread: it becomes pending, and ends an interruptible sleep. */
  send(cpu: Cpu, thread: Thread, signal: number, origin: SignalOrigin = FROM_KERNEL): void {
    const { process } = thread;
    if (process.dying !== 0 && signal !== Signal.KILL) return;
    this.#prepare(cpu, process, signal);
    if (isIgnored(thread, signal)) return;
    cpu.charge(KernelStep.signalSend);
    process.siglock.pass(cpu);
    if (this.#enqueue(process, thread.pending, signal, origin, 'kernel') !== 0) return;
    if (wants(thread, signal) && isFatalAtOnce(thread, signal)) this.#takeDown(cpu, process, signal);
    else this.#notify(cpu, thread, signal);
  }

  /** Sends `signal` to a process: one of its threads is to take it, `first` if it wants it. */
  sendToProcess(cpu: Cpu, process: Process, signal: number, origin: SignalOrigin = FROM_KERNEL, first: Thread = process.leader): void {
    this.#toProcess(cpu, process, signal, origin, first, 'kernel');
  }

  /** sigqueue: 0, or -EAGAIN if there is no room in the queues of the user of `process`. */
  queue(cpu: Cpu, process: Process, signal: number, origin: SignalOrigin): number {
    return this.#toProcess(cpu, process, signal, origin, process.leader, 'sigqueue');
  }

  #toProcess(cpu: Cpu, process: Process, signal: number, origin: SignalOrigin, first: Thread, sender: Sender): number {
    if (process.dying !== 0 && signal !== Signal.KILL) return 0;
    this.#prepare(cpu, process, signal);
    if (isIgnored(first, signal)) return 0;
    cpu.charge(KernelStep.signalSend);
    process.siglock.pass(cpu);
    const failed = this.#enqueue(process, process.pending, signal, origin, sender);
    if (failed !== 0) return Math.min(0, failed);
    const taker = takerOf(process, signal, first);
    if (taker !== null && isFatalAtOnce(taker, signal)) this.#takeDown(cpu, process, signal);
    else this.#notify(cpu, taker ?? first, signal);
    return 0;
  }

  /** kill(2) within the kernel: 0, or -ESRCH if the process has ended. */
  kill(cpu: Cpu, process: Process, signal: number): number {
    if (process.exit !== null) return -Errno.ESRCH;
    this.sendToProcess(cpu, process, signal);
    return 0;
  }

  /**
   * Makes a signal pending with its siginfo, if there is room (RLIMIT_SIGPENDING): there always is for ordinary signals that kill or the
   * kernel sent; without room a signal of sigqueue fails if it is a real-time one, and any other loses its value.
   * @returns 0; 1 if it is pending already and one is enough; -EAGAIN
   */
  #enqueue(process: Process, pending: PendingSignals, signal: number, origin: SignalOrigin, sender: Sender): number {
    if (pending.holds(signal)) return 1;
    const account = this.accounts.of(process.credentials.uid);
    const realTime = signal >= Signal.RTMIN;
    const queued = sender === 'sigqueue';
    const room = account.queued < process.limits.of(Rlimit.SIGPENDING) || (!realTime && !queued);
    if (!room && realTime && queued) return -Errno.EAGAIN;
    pending.post(signal, origin, room && signal !== Signal.KILL ? account : null);
    return 0;
  }

  /** All threads of a process are to die of `signal`, before anything else can take it. */
  #takeDown(cpu: Cpu, process: Process, signal: number): void {
    process.dying = signal;
    // Nobody is told any more that it has stopped or gone on.
    process.stop = null;
    process.wasContinued = false;
    for (const thread of process.threads) {
      thread.stopPending = false;
      if (thread.pending.holds(Signal.KILL)) continue;
      thread.pending.post(Signal.KILL, FROM_KERNEL, null);
      this.#notify(cpu, thread, Signal.KILL);
    }
  }

  /**
   * Tells a parent of a change in its child (SIGCHLD): the thread that forked it is asked first, as long as it is there.
   * @param code what has happened (`si_code`) @param status exit status, or the signal that killed, stopped or continued it
   */
  tellParent(cpu: Cpu, child: Process, code: number, status: number, signal: number = Signal.CHLD): void {
    const { parent, forkedBy } = child;
    if (parent === null || signal === 0) return;
    const first = forkedBy !== null && parent.threads.includes(forkedBy) ? forkedBy : parent.leader;
    this.sendToProcess(cpu, parent, signal, sentBy(child.credentials, code, status), first);
  }

  /** What a signal does when it is sent, whoever takes it (Linux: `prepare_signal`): stopping and going on undo each other. */
  #prepare(cpu: Cpu, process: Process, signal: number): void {
    if (signal === Signal.CONT) {
      flush(process, STOPPING);
      continueProcess(this.#scheduler, cpu, process);
    } else if (hasSignal(STOPPING, signal)) {
      flush(process, bitsOf(Signal.CONT));
    }
  }

  /** A signal that must not be missed, as a fault's: if it is blocked or ignored, the process dies of it. */
  force(cpu: Cpu, thread: Thread, signal: number): void {
    const { process } = thread;
    if (hasSignal(thread.blocked, signal) || actionOf(process, signal).handler === 'ignore') process.actions[signal] = DEFAULT_ACTION;
    thread.blocked = without(thread.blocked, bitsOf(signal));
    this.send(cpu, thread, signal);
  }

  /** signalfds are told, and the thread is woken, or interrupted if it runs on another CPU (Linux: `signal_wake_up`). */
  #notify(cpu: Cpu, thread: Thread, signal: number): void {
    const { signalWait, signalHandover } = thread.process;
    signalHandover.put(cpu, 0);
    signalWait.wakeOne(cpu);
    raisePending(thread);
    if (signal === Signal.KILL) thread.killPending = true;
    if (thread.signalPending) this.interrupt(cpu, thread, signal === Signal.KILL ? KILLABLE : INTERRUPTIBLE);
  }

  /** Makes a thread look at its signals. @param states it is woken out of these (`TaskState`) */
  interrupt(cpu: Cpu, thread: Thread, states: number): void {
    const woken = this.#scheduler.wakeUp(cpu, thread, states);
    // kick_process: one that runs on another CPU looks at its signals on the way out of this interrupt.
    if (!woken && thread.onCpu && thread.cpu !== cpu) {
      cpu.charge(SchedStep.kickByIpi);
      cpu.sendInterrupt(thread.cpu, Vector.reschedule);
    }
  }
}
