import { PAGE_SIZE } from '@rpal/hw-x86';
import {
  bitsOf,
  type CapabilityBits,
  NO_SIGNALS,
  type Process,
  type SignalAction,
  type SignalBits,
  type Thread,
  usageOf,
} from '@rpal/kernel';
import { VmFlag } from '@rpal/mm';
import { type CpuSet, cpuTime, isRealTime, TaskState } from '@rpal/sched';
import { Rlimit } from '@rpal/uapi';

/** Of the times that /proc shows (USER_HZ). */
const NS_PER_TICK = 1e7;
/** Bits of the word of allowed nodes (MAX_NUMNODES). */
const MAX_NODES = 1024;
/** Parent of orphans. */
const INIT = 1;
const PF_RANDOMIZE = 0x40_0000;

/** What `/proc/PID` and `/proc/PID/task/TID` show of a thread, by the name of the file. */
export const THREAD_FILES: Readonly<Record<string, (shown: ShownThread) => string>> = {
  status,
  stat,
};

/** A thread that is shown: for itself, or for its whole process. */
export interface ShownThread {
  readonly process: Process;
  /** Undefined: it has ended. */
  readonly thread: Thread | undefined;
  readonly scope: 'process' | 'thread';
  readonly umask: number;
}

const STATES = new Map<number, string>([
  [TaskState.RUNNING, 'R (running)'],
  [TaskState.INTERRUPTIBLE, 'S (sleeping)'],
  [TaskState.UNINTERRUPTIBLE, 'D (disk sleep)'],
  [TaskState.STOPPED, 'T (stopped)'],
  [TaskState.DEAD, 'Z (zombie)'],
]);

function stateOf(process: Process, thread: Thread | undefined): string {
  return thread === undefined || process.exit !== null ? 'Z (zombie)' : (STATES.get(thread.state) ?? 'R (running)');
}

function parentOf({ parent, orphan }: Process): number {
  return orphan ? INIT : (parent?.pid ?? 0);
}

const word = (bits: number) => (bits >>> 0).toString(16).padStart(8, '0');
const mask = ({ low, high }: SignalBits | CapabilityBits) => `${word(high)}${word(low)}`;

/** The signals that are ignored, and those that are caught. */
function dispositions({ actions }: Process): { ignored: SignalBits; caught: SignalBits } {
  const acted = (kind: (action: SignalAction) => boolean) => bitsOf(...actions.flatMap((action, n) => (kind(action) ? [n] : [])));
  return {
    ignored: acted(({ handler }) => handler === 'ignore'),
    caught: acted(({ handler }) => typeof handler !== 'string'),
  };
}

/** Pages of the areas that are of a kind. */
function pagesOf({ mm }: Process, isOfKind: (flags: number) => boolean): number {
  let total = 0;
  for (const { pages, flags } of mm.areas) if (isOfKind(flags)) total += pages;
  return total;
}

/** Pages of stacks. */
export function stackPages(process: Process): number {
  return pagesOf(process, (flags) => (flags & VmFlag.GROWSDOWN) !== 0);
}

const isCode = (flags: number) => (flags & (VmFlag.EXEC | VmFlag.WRITE)) === VmFlag.EXEC;

/** Resident pages of files, and of shared memory. */
export function filePages({ mm }: Process): number {
  return mm.residentPages - mm.anonPages;
}

/** Bits as Linux prints them: words of 32, the highest first, without zeroes before as many digits as there can be. */
function bitmap(has: (bit: number) => boolean, bits: number): string {
  const words: string[] = [];
  for (let first = 0; first < bits; first += 32) {
    const width = Math.min(32, bits - first);
    let value = 0;
    for (let i = 0; i < width; i++) if (has(first + i)) value += 2 ** i;
    words.unshift(value.toString(16).padStart(Math.ceil(width / 4), '0'));
  }
  return words.join(',');
}

/** Members as a list with ranges: `0-3,5`. */
function list(has: (bit: number) => boolean, bits: number): string {
  const ranges: string[] = [];
  for (let first = 0; first < bits; first++) {
    if (!has(first)) continue;
    let last = first;
    while (last + 1 < bits && has(last + 1)) last++;
    ranges.push(first === last ? `${first}` : `${first}-${last}`);
    first = last;
  }
  return ranges.join(',');
}

/** The lines of memory, which a process that has ended has no more. What is highest is not kept: it is what is there now. */
function memoryLines(process: Process): [string, string][] {
  const { mm } = process;
  const pages = (count: number) => (count * PAGE_SIZE) / 1024;
  const own = mm.areas.containing(process.textStart);
  const exe = own === null || !isCode(own.flags) ? 0 : own.pages;
  const sizes: [string, number][] = [
    ['VmPeak', pages(mm.totalPages)],
    ['VmSize', pages(mm.totalPages)],
    ['VmLck', pages(mm.lockedPages)],
    ['VmPin', 0],
    ['VmHWM', pages(mm.residentPages)],
    ['VmRSS', pages(mm.residentPages)],
    ['RssAnon', pages(mm.anonPages)],
    ['RssFile', pages(filePages(process))],
    ['RssShmem', 0],
    ['VmData', pages(mm.dataPages)],
    ['VmStk', pages(stackPages(process))],
    ['VmExe', pages(exe)],
    ['VmLib', pages(pagesOf(process, isCode) - exe)],
    ['VmPTE', mm.pageTableBytes / 1024],
    ['VmSwap', 0],
    ['HugetlbPages', 0],
  ];
  return [...sizes.map(([name, kib]): [string, string] => [name, `${String(kib).padStart(8)} kB`]), ['CoreDumping', '0']];
}

/**
 * /proc/PID/status. The lines are those of Linux, but for what the model does not have, profiles of security modules, seccomp and
 * speculation control, and for what is not known here, the length of queues of signals and no_new_privs. Memory of tmpfs and shared memory counts as RssFile.
 */
function status({ process, thread, scope, umask }: ShownThread): string {
  const { threads, pid, credentials, kernel } = process;
  const { uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups } = credentials;
  const tid = scope === 'process' ? pid : (thread?.pid ?? pid);
  const { ignored, caught } = dispositions(process);
  const cpus = kernel.scheduler.platform.cpus.length;
  const allowed: CpuSet | undefined = thread?.affinity;
  const isAllowed = (cpu: number) => allowed?.has(cpu) ?? true;
  const nodes = kernel.scheduler.platform.profile.topology.sockets;
  const isNode = (node: number) => node < nodes;
  const lines: [string, string | number][] = [
    ['Name', thread?.name ?? process.name],
    ['Umask', umask.toString(8).padStart(4, '0')],
    ['State', stateOf(process, thread)],
    ['Tgid', pid],
    ['Ngid', 0],
    ['Pid', tid],
    ['PPid', parentOf(process)],
    ['TracerPid', 0],
    ['Uid', [uid, euid, suid, fsuid].join('\t')],
    ['Gid', [gid, egid, sgid, fsgid].join('\t')],
    ['FDSize', process.exit === null ? process.files.size : 0],
    ['Groups', `${groups.join(' ')} `],
    ['NStgid', pid],
    ['NSpid', tid],
    ['NSpgid', process.group],
    ['NSsid', process.session],
    ['Kthread', 0],
    ...(process.exit === null ? memoryLines(process) : []),
    ['Threads', threads.length],
    ['SigPnd', mask(thread?.pending ?? NO_SIGNALS)],
    ['ShdPnd', mask(process.pending)],
    ['SigBlk', mask(thread?.blocked ?? NO_SIGNALS)],
    ['SigIgn', mask(ignored)],
    ['SigCgt', mask(caught)],
    ['CapInh', mask(credentials.inheritable)],
    ['CapPrm', mask(credentials.permitted)],
    ['CapEff', mask(credentials.effective)],
    ['CapBnd', mask(credentials.bounding)],
    ['CapAmb', mask(credentials.ambient)],
    ['Cpus_allowed', bitmap(isAllowed, cpus)],
    ['Cpus_allowed_list', list(isAllowed, cpus)],
    ['Mems_allowed', bitmap(isNode, MAX_NODES)],
    ['Mems_allowed_list', list(isNode, MAX_NODES)],
    ['voluntary_ctxt_switches', thread?.voluntarySwitches ?? 0],
    ['nonvoluntary_ctxt_switches', thread?.involuntarySwitches ?? 0],
  ];
  return lines.map(([key, value]) => `${key}:\t${value}\n`).join('');
}

/** As `task_prio`: 20 and the nice value, or below zero for real time. */
function priorityOf(thread: Thread | undefined): number {
  if (thread === undefined) return 20;
  return isRealTime(thread.policy) ? -1 - thread.rtPriority : 20 + thread.nice;
}

/** /proc/PID/stat: its 52 fields. Those that the model does not know are 0: terminals, the time of the start, and registers. */
function stat({ process, thread, scope }: ShownThread): string {
  const { pid, threads, mm } = process;
  const ended = process.exit !== null;
  const ticks = (ns: number) => Math.floor(ns / NS_PER_TICK);
  const used = usageOf(process);
  const { user, system } = scope === 'thread' && thread !== undefined ? cpuTime(thread) : used;
  const { childrenUsage } = process;
  const { ignored, caught } = dispositions(process);
  const low = ({ low: bits }: SignalBits) => (bits & 0x7fff_ffff) >>> 0;
  const own = mm.areas.containing(process.textStart);
  const limit = process.limits.of(Rlimit.RSS);
  const fields: (number | string)[] = [
    scope === 'process' ? pid : (thread?.pid ?? pid),
    `(${thread?.name ?? process.name})`,
    stateOf(process, thread)[0] as string,
    parentOf(process),
    process.group,
    process.session,
    0,
    -1,
    PF_RANDOMIZE,
    used.minorFaults,
    childrenUsage.minorFaults,
    0,
    0,
    ticks(user),
    ticks(system),
    ticks(childrenUsage.user),
    ticks(childrenUsage.system),
    priorityOf(thread),
    thread?.nice ?? 0,
    threads.length,
    0,
    0,
    ended ? 0 : mm.totalPages * PAGE_SIZE,
    ended ? 0 : mm.residentPages,
    Number.isFinite(limit) ? limit : '18446744073709551615',
    ended ? 0 : (own?.start ?? 0),
    ended ? 0 : (own?.end ?? 0),
    ended ? 0 : process.stackTop,
    0,
    0,
    low(thread?.pending ?? NO_SIGNALS),
    low(thread?.blocked ?? NO_SIGNALS),
    low(ignored),
    low(caught),
    0,
    0,
    0,
    scope === 'process' ? process.exitSignal : -1,
    thread?.cpu.id ?? 0,
    thread?.rtPriority ?? 0,
    thread?.policy ?? 0,
    0,
    0,
    0,
    ended ? 0 : process.dataStart,
    ended ? 0 : process.dataStart,
    ended ? 0 : mm.brkStart,
    0,
    0,
    0,
    0,
    0,
  ];
  return `${fields.join(' ')}\n`;
}
