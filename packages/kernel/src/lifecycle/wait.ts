import type { Cpu } from '@rpal/hw-x86';
import { autoremoveWake, type Scheduler, TaskState, WaitEntry } from '@rpal/sched';
import { Errno, Signal, WaitOption } from '@rpal/uapi';
import { type Operation, OperationKind, Pending } from '@rpal/vfs';
import type { Process } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import type { Thread } from '../process/thread.js';
import { addUsage } from '../process/usage.js';
import { KernelStep } from '../steps.js';

export const WAIT_CHILD: OperationKind<WaitChildOperation> = new OperationKind('wait4');

/** Which children a call waits for, and for what. */
export interface WaitRequest {
  /** `WaitOption` bits. */
  readonly options: number;
  /** The process id of the only child that is meant; 0: those that it concerns. */
  readonly pid: number;
  concerns(child: Process): boolean;
  /**
   * The call's result: says that `child` has ended, stopped or continued, by its status as in `sys/wait.h`.
   * @param child null: with WNOHANG there is nothing to tell
   */
  tell(cpu: Cpu, child: Process | null, status: number): number;
}

/** Status of a process that goes on. */
const CONTINUED = 0xffff;
/** In the status of a process that has stopped, besides the signal. */
const STOPPED = 0x7f;

/** wait4 and waitid: for the end of a child, or for its stop or continuing (Linux: `do_wait`). */
export class WaitChildOperation implements Operation {
  readonly #processes: ProcessTable;
  readonly #thread: Thread;
  readonly #entry: WaitEntry;
  #request!: WaitRequest;

  constructor(processes: ProcessTable, scheduler: Scheduler, thread: Thread) {
    this.#processes = processes;
    this.#thread = thread;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), thread);
  }

  start(cpu: Cpu, request: WaitRequest): this {
    cpu.charge(KernelStep.waitCall);
    this.#request = request;
    return this;
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const { process } = thread;
    const request = this.#request;
    const asked = (option: number): boolean => (request.options & option) !== 0;
    const stays = asked(WaitOption.NOWAIT);
    thread.state = TaskState.RUNNING;
    process.childWait.remove(cpu, this.#entry);
    let found = false;
    for (const child of this.#candidates(process)) {
      if (!this.#isEligible(child) || !request.concerns(child)) continue;
      cpu.charge(KernelStep.waitChild);
      const ended = child.exit !== null && child.threads.length === 0;
      if (ended && asked(WaitOption.EXITED)) {
        cpu.charge(KernelStep.wait);
        const { status, signal } = child.exit as { status: number; signal: number };
        if (!stays) this.#reap(cpu, process, child);
        return request.tell(cpu, child, (status << 8) | signal);
      }
      found ||= !ended;
      if (asked(WaitOption.UNTRACED) && child.stop === 'stopped' && !child.stopReported) {
        child.stopReported = !stays;
        return request.tell(cpu, child, (child.stopSignal << 8) | STOPPED);
      }
      if (asked(WaitOption.CONTINUED) && child.wasContinued) {
        child.wasContinued = stays;
        return request.tell(cpu, child, CONTINUED);
      }
    }
    if (!found) return -Errno.ECHILD;
    if (asked(WaitOption.NOHANG)) return request.tell(cpu, null, 0);
    if (thread.signalPending) return -Errno.ERESTARTSYS;
    process.childWait.add(cpu, this.#entry);
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, process.childWait);
    return Pending.SLEEP;
  }

  /** Linux: `eligible_child`. Children that do not tell their parent by SIGCHLD are for __WCLONE, and the others are not. */
  #isEligible(child: Process): boolean {
    const { options } = this.#request;
    const asked = (options & WaitOption.CLONE) !== 0;
    if (asked !== (child.exitSignal !== Signal.CHLD) && (options & WaitOption.ALL) === 0) return false;
    return (options & WaitOption.NOTHREAD) === 0 || child.forkedBy === this.#thread;
  }

  /** The children that may be meant. The one with a pid is found among any number of others. */
  #candidates(process: Process): Iterable<Process> {
    const { pid } = this.#request;
    if (pid === 0) return process.threads.length === 1 ? process.children : this.#byThread(process);
    const child = this.#processes.get(pid);
    return child !== undefined && process.children.has(child) ? [child] : [];
  }

  /** A thread's own children come first, then those of the threads behind it, and at last of those before it. */
  #byThread({ children, threads }: Process): Process[] {
    const at = threads.indexOf(this.#thread);
    return [...threads.slice(at), ...threads.slice(0, at)].flatMap((thread) => [...children].filter(({ forkedBy }) => forkedBy === thread));
  }

  /** The child is gone; what it has used counts as used by children. */
  #reap(cpu: Cpu, process: Process, child: Process): void {
    process.children.delete(child);
    this.#processes.remove(cpu, child);
    addUsage(process.childrenUsage, child.ended);
    addUsage(process.childrenUsage, child.childrenUsage);
  }
}
