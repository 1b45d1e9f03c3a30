import type { Cpu } from '@rpal/hw-x86';
import { forkMm } from '@rpal/mm';
import { type KernelPath, WaitQueue } from '@rpal/sched';
import { Errno, Rlimit } from '@rpal/uapi';
import type { CloneRequest } from '../process/call-arguments.js';
import { Capability } from '../process/credentials.js';
import { Process, type ProcessHost } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import { Thread } from '../process/thread.js';
import type { ThreadContext } from '../process/thread-context.js';
import type { KernelSeams } from '../seams.js';
import { KernelStep } from '../steps.js';
import { allocateTls } from './exec.js';

/** What new threads and processes need from a kernel. */
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

/** A child process. @param program the flow that called @param shares what it has in common with the caller; else copies @returns its pid */
export function forkProcess(kernel: CloneParts, cpu: Cpu, parent: Thread, program: ThreadContext, shares: CloneRequest['shares']): number {
  const { process } = parent;
  if (tooMany(kernel, process)) return -Errno.EAGAIN;
  cpu.charge(shares?.memory === true ? KernelStep.clone : KernelStep.fork);
  const mm = shares?.memory === true ? process.mm : forkMm(cpu, process.mm);
  const files = shares?.files === true ? process.files : process.files.fork();
  if (mm === process.mm) mm.users++;
  if (files === process.files) files.users++;
  const pid = kernel.scheduler.nextPid();
  const child = new Process(kernel, pid, process.name, mm, files, new WaitQueue('children'), process);
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

/** RLIMIT_NPROC: the user has as many threads as it may. It does not limit root, or users with rights over limits. */
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
  kernel.processes.addThread(thread);
  return thread;
}

function start(kernel: CloneParts, cpu: Cpu, parent: Thread, thread: Thread, program: ThreadContext): number {
  thread.frame.user = program.child(cpu, thread);
  kernel.seams.hooks.kernelClone.call(cpu, parent, thread);
  kernel.scheduler.wakeUpNew(cpu, thread);
  return thread.pid;
}
