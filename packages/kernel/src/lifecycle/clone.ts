import type { Cpu } from '@rpal/hw-x86';
import { forkMm } from '@rpal/mm';
import { autoremoveWake, type KernelPath, type Scheduler, TaskState, WaitEntry, WaitQueue } from '@rpal/sched';
import { Errno, Rlimit, WaitOption } from '@rpal/uapi';
import { type Operation, OperationKind, Pending } from '@rpal/vfs';
import { Capability } from '../process/credentials.js';
import { Process, type ProcessHost } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import { Thread } from '../process/thread.js';
import type { ThreadContext } from '../process/thread-context.js';
import type { KernelSeams } from '../seams.js';
import { KernelStep } from '../steps.js';
import { allocateTls } from './exec.js';

/** What new threads and processes need of a kernel. */
export interface CloneParts extends ProcessHost {
  readonly processes: ProcessTable;
  readonly entry: { readonly returnPath: KernelPath };
  readonly seams: KernelSeams;
}

/**
 * A new thread of the caller's process (clone with CLONE_VM | CLONE_THREAD | ...).
 * @param program the flow that called @param tls FS base of the thread; null: its thread-local storage is mapped here
 * @returns its id or a negative errno
 */
export function cloneThread(kernel: CloneParts, cpu: Cpu, parent: Thread, program: ThreadContext, tls: number | null): number {
  if (tooMany(kernel, parent.process)) return -Errno.EAGAIN;
  cpu.charge(KernelStep.clone);
  const thread = newThread(kernel, cpu, parent.process, parent);
  const failed = tls === null ? allocateTls(cpu, thread) : 0;
  if (failed < 0) return failed;
  if (tls !== null) thread.fsBase = tls;
  return start(kernel, cpu, parent, thread, program);
}

/** A child process with a copy of the caller's memory. @param program the flow that called @returns its pid */
export function forkProcess(kernel: CloneParts, cpu: Cpu, parent: Thread, program: ThreadContext): number {
  const { process } = parent;
  if (tooMany(kernel, process)) return -Errno.EAGAIN;
  cpu.charge(KernelStep.fork);
  const mm = forkMm(cpu, process.mm);
  const pid = kernel.scheduler.nextPid();
  const child = new Process(kernel, pid, process.name, mm, process.files.fork(), new WaitQueue('children'), process);
  process.actions.forEach((action, signal) => {
    child.actions[signal] = action;
  });
  child.forkedBy = parent;
  child.dataStart = process.dataStart;
  child.textStart = process.textStart;
  child.stackTop = process.stackTop;
  kernel.processes.add(child);
  const thread = newThread(kernel, cpu, child, parent, pid);
  thread.fsBase = cpu.fsBase;
  return start(kernel, cpu, parent, thread, program);
}

/** RLIMIT_NPROC: the user has as many threads as it may. It limits nobody who is root or has rights over limits. */
function tooMany({ processes }: CloneParts, process: Process): boolean {
  const limit = process.limits.of(Rlimit.NPROC);
  const { uid } = process.credentials;
  if (uid === 0 || process.capable(Capability.SYS_RESOURCE) || process.capable(Capability.SYS_ADMIN)) return false;
  let threads = 0;
  for (const other of processes) if (other.credentials.uid === uid) threads += other.threads.length;
  return threads >= limit;
}

function newThread(kernel: CloneParts, cpu: Cpu, process: Process, parent: Thread, pid: number = kernel.scheduler.nextPid()): Thread {
  const thread = new Thread(pid, process, cpu, parent.affinity, kernel.entry.returnPath);
  // copy_thread: the registers as they are now, not as they were last saved.
  thread.pkru = cpu.mmu.pkru;
  thread.fpuInMemory = true;
  thread.blocked = parent.blocked;
  kernel.scheduler.adopt(thread, parent);
  // From here on it can be found by whoever walks the threads of the process.
  process.threads.push(thread);
  return thread;
}

function start(kernel: CloneParts, cpu: Cpu, parent: Thread, thread: Thread, program: ThreadContext): number {
  thread.frame.user = program.child(cpu, thread);
  kernel.seams.hooks.kernelClone.call(cpu, parent, thread);
  kernel.scheduler.wakeUpNew(cpu, thread);
  return thread.pid;
}

export const WAIT_CHILD: OperationKind<WaitChildOperation> = new OperationKind('wait4');

/** wait4: for the end of a child. */
export class WaitChildOperation implements Operation {
  readonly #processes: ProcessTable;
  readonly #thread: Thread;
  readonly #entry: WaitEntry;
  #pid = -1;
  #options = 0;

  constructor(processes: ProcessTable, scheduler: Scheduler, thread: Thread) {
    this.#processes = processes;
    this.#thread = thread;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), thread);
  }

  /** @param options `WaitOption` bits */
  start(pid: number, options: number): this {
    this.#pid = pid;
    this.#options = options;
    return this;
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const { process } = thread;
    thread.state = TaskState.RUNNING;
    process.childWait.remove(cpu, this.#entry);
    let none = true;
    for (const child of this.#candidates(process)) {
      none = false;
      if (child.exit !== null && child.threads.length === 0) {
        cpu.charge(KernelStep.wait);
        process.children.delete(child);
        this.#processes.remove(child);
        return this.#found(cpu, child, (child.exit.status << 8) | child.exit.signal);
      }
      if ((this.#options & WaitOption.UNTRACED) !== 0 && child.stop === 'stopped' && !child.stopReported) {
        child.stopReported = true;
        return this.#found(cpu, child, (child.stopSignal << 8) | 0x7f);
      }
      if ((this.#options & WaitOption.CONTINUED) !== 0 && child.wasContinued) {
        child.wasContinued = false;
        return this.#found(cpu, child, 0xffff);
      }
    }
    if (none) return -Errno.ECHILD;
    if ((this.#options & WaitOption.NOHANG) !== 0) return 0;
    if (thread.signalPending) return -Errno.ERESTARTSYS;
    process.childWait.add(cpu, this.#entry);
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, process.childWait);
    return Pending.SLEEP;
  }

  /** The children that are waited for. The one with a pid is found among any number of others. */
  #candidates(process: Process): Iterable<Process> {
    if (this.#pid === -1) return process.children;
    const child = this.#processes.get(this.#pid);
    return child !== undefined && process.children.has(child) ? [child] : [];
  }

  /** @param status as in `sys/wait.h` */
  #found(cpu: Cpu, child: Process, status: number): number {
    const { user } = this.#thread.frame;
    const failed = user === null ? 0 : user.args.putWord(cpu, this.#thread, user.a1, status);
    return failed < 0 ? failed : child.pid;
  }
}
