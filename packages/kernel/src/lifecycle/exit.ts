import type { Cpu, Platform } from '@rpal/hw-x86';
import type { UnixNamespace } from '@rpal/ipc';
import { exitMm } from '@rpal/mm';
import { type Scheduler, TaskState, Wake } from '@rpal/sched';
import { Poll, Signal, SignalCode, SignalFlag } from '@rpal/uapi';
import { releaseFiles } from '../dispatch/held-file.js';
import type { ContextTable } from '../process/context-table.js';
import { type Deaths, deathOf } from '../process/death.js';
import { ALL_SIGNALS } from '../process/pending-signals.js';
import type { Process } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import type { Thread } from '../process/thread.js';
import { addThreadUsage } from '../process/usage.js';
import type { KernelSeams } from '../seams.js';
import { actionOf } from '../signals/signal.js';
import type { Signals } from '../signals/signals.js';
import { KernelStep } from '../steps.js';

/** What the end of threads and processes needs from a kernel. */
export interface ExitParts {
  readonly platform: Platform;
  readonly scheduler: Scheduler;
  readonly signals: Signals;
  readonly sockets: UnixNamespace;
  readonly contexts: ContextTable;
  readonly processes: ProcessTable;
  readonly deaths: Deaths;
  readonly seams: KernelSeams;
}

/** What ends. */
export type Ending = 'process' | 'thread';

/**
 * Ends a thread (Linux: `do_exit`). The caller then calls `schedule()`, from which the thread does not return.
 * @param who the process with all its threads (exit_group, a fatal signal), or this thread alone (exit)
 */
export function exitThread(kernel: ExitParts, cpu: Cpu, thread: Thread, status: number, signal: number, who: Ending = 'process'): void {
  const { process } = thread;
  cpu.charge(KernelStep.exit);
  if (process.exit === null && (who === 'process' || process.threads.length === 1)) {
    process.death = signal === 0 ? null : deathOf(cpu, thread, signal);
    process.stop = null;
    process.wasContinued = false;
    process.exit = { status, signal, code: process.death?.code ?? 0, address: process.death?.address ?? 0 };
    for (const other of process.threads) if (other !== thread) kernel.signals.send(cpu, other, Signal.KILL);
  }
  kernel.scheduler.settle(cpu, cpu.clock);
  addThreadUsage(process.ended, thread);
  kernel.processes.removeThread(thread);
  const last = process.threads.length === 0;
  if (last) process.ended.minorFaults = process.mm.minorFaults;
  thread.pending.flush(ALL_SIGNALS);
  if (last) process.pending.flush(ALL_SIGNALS);
  kernel.seams.hooks.kernelMemoryRelease.call(cpu, thread);
  kernel.seams.hooks.kernelThreadExit.call(cpu, thread, last);
  passChildren(process, thread);
  releaseFiles(cpu, thread);
  thread.state = TaskState.DEAD;
  if (!last) process.endWait.wakeAll(cpu, Poll.IN | Poll.RDNORM);
  if (process.execing !== null) kernel.scheduler.wakeUp(cpu, process.execing, TaskState.UNINTERRUPTIBLE);
  if (last) endProcess(kernel, cpu, thread);
  thread.mm = null;
  kernel.contexts.release(thread);
}

/** The last thread is gone: files are closed, memory goes, the parent is told. */
function endProcess(kernel: ExitParts, cpu: Cpu, thread: Thread): void {
  const { process } = thread;
  if (--process.files.users === 0) kernel.sockets.inFlight.puts.batch(cpu, () => process.files.closeAll(cpu));
  if (--process.mm.users === 0) exitMm(cpu, process.mm);
  process.endWait.wakeAll(cpu, Poll.IN | Poll.RDNORM);
  const { events } = kernel.seams;
  if (events.processExit.observed) events.processExit.emit(cpu.clock, process);
  tellParent(kernel, cpu, process);
  kernel.processes.ended();
  if (kernel.processes.alive === 0) kernel.platform.stop();
}

/** do_notify_parent. A parent that ignores SIGCHLD, or wants no zombies (SA_NOCLDWAIT), has none: the child is gone at once. */
function tellParent(kernel: ExitParts, cpu: Cpu, process: Process): void {
  const { parent } = process;
  forgetChildren(kernel, cpu, process);
  if (parent !== null) wakeOrphanedGroup(kernel, cpu, process, parent, process);
  if (parent === null || parent.exit !== null) {
    bury(kernel, cpu, process);
    return;
  }
  const { exitSignal } = process;
  const { handler, flags } = actionOf(parent, Signal.CHLD);
  const ignored = exitSignal === Signal.CHLD && handler === 'ignore';
  if (ignored || (exitSignal === Signal.CHLD && (flags & SignalFlag.NOCLDWAIT) !== 0)) {
    bury(kernel, cpu, process);
    parent.children.delete(process);
  }
  if (!ignored) tellOfEnd(kernel, cpu, process);
  parent.childWait.walk(cpu, Wake.ONE);
}

/** Of a core dump, in the status of who was killed. */
const DUMPED = 0x80;

/** A parent is told by signal how its child has ended. */
function tellOfEnd(kernel: ExitParts, cpu: Cpu, child: Process): void {
  const { status, signal } = child.exit as { readonly status: number; readonly signal: number };
  const killed = (signal & DUMPED) !== 0 ? SignalCode.CLD_DUMPED : SignalCode.CLD_KILLED;
  const [code, told] = signal === 0 ? [SignalCode.CLD_EXITED, status] : [killed, signal & ~DUMPED];
  kernel.signals.tellParent(cpu, child, code, told, child.exitSignal);
}

/** The children of a thread that ends are from now on those of the first one that is left. */
function passChildren({ children, threads }: Process, thread: Thread): void {
  const [heir] = threads;
  if (heir === undefined || children.size === 0) return;
  for (const child of [...children]) {
    if (child.forkedBy !== thread) continue;
    child.forkedBy = heir;
    // They come behind its own.
    children.delete(child);
    children.add(child);
  }
}

/** Children that outlive their parent go to the nearest ancestor that takes orphans, or to init (Linux: `forget_original_parent`). */
function forgetChildren(kernel: ExitParts, cpu: Cpu, process: Process): void {
  const { parent, children } = process;
  let reaper = parent;
  while (reaper !== null && (!reaper.subReaper || reaper.exit !== null)) reaper = reaper.parent;
  for (const child of [...children]) {
    children.delete(child);
    child.parent = reaper;
    child.forkedBy = reaper?.threads[0] ?? null;
    child.orphan = reaper === null;
    // Whoever takes it over knows of no other signal.
    child.exitSignal = Signal.CHLD;
    reaper?.children.add(child);
    wakeOrphanedGroup(kernel, cpu, child, process, null);
    if (child.exit === null || child.threads.length > 0) continue;
    if (reaper === null) {
      bury(kernel, cpu, child);
    } else {
      tellOfEnd(kernel, cpu, child);
      reaper.childWait.walk(cpu, Wake.ONE);
    }
  }
}

/**
 * A stopped group of which no parent is left in another group of its session has nobody who would let it go on: it is sent SIGHUP and
 * SIGCONT (Linux: `kill_orphaned_pgrp`).
 * @param parent who was its tie until now, if it was one @param ended of the group, but not to be counted any more
 */
function wakeOrphanedGroup(kernel: ExitParts, cpu: Cpu, { group, session }: Process, parent: Process, ended: Process | null): void {
  if (parent.group === group || parent.session !== session) return;
  const members = [...kernel.processes].filter((process) => process.group === group);
  const isTie = ({ parent: above, exit, threads }: Process): boolean => {
    if (above === null || (exit !== null && threads.length === 0)) return false;
    return above.group !== group && above.session === session;
  };
  if (members.some((process) => process !== ended && isTie(process))) return;
  if (!members.some(({ stop }) => stop === 'stopped')) return;
  for (const signal of [Signal.HUP, Signal.CONT]) for (const process of members) kernel.signals.sendToProcess(cpu, process, signal);
}

/** A process is gone, and no process has asked how it ended. */
function bury(kernel: ExitParts, cpu: Cpu, process: Process): void {
  kernel.processes.remove(cpu, process);
  if (process.death !== null) kernel.deaths.report(process.death);
}
