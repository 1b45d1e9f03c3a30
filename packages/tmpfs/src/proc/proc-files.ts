import { PAGE_SIZE } from '@rpal/hw-x86';
import { bitsOf, NO_SIGNALS, type Process, type SignalAction, type SignalBits, type Thread } from '@rpal/kernel';
import { VmFlag } from '@rpal/mm';
import { TaskState } from '@rpal/sched';
import { OpenFlag, Seek } from '@rpal/uapi';

/** What `/proc/PID` holds of a process, by the name of the file. */
export const PROC_FILES: Readonly<Record<string, (process: Process) => string>> = { maps, status, stat };

const hex = (value: number) => value.toString(16).padStart(8, '0');

/** One line per mapping: range, rights, offset, device, inode, name. Device and inode are zero: there is no file system. */
function maps({ mm }: Process): string {
  let text = '';
  for (const { start, end, flags, object, offset } of mm.areas) {
    const rights = [VmFlag.READ, VmFlag.WRITE, VmFlag.EXEC].map((flag, i) => ((flags & flag) !== 0 ? 'rwx'[i] : '-')).join('');
    const shared = (flags & VmFlag.SHARED) !== 0 ? 's' : 'p';
    const name = (flags & VmFlag.GROWSDOWN) !== 0 ? '[stack]' : start === mm.brkStart && end === mm.brk ? '[heap]' : (object?.name ?? '');
    const line = `${hex(start)}-${hex(end)} ${rights}${shared} ${hex(object === null ? 0 : offset * PAGE_SIZE)} 00:00 0`;
    text += name === '' ? `${line} \n` : `${line.padEnd(73)}${name}\n`;
  }
  return text;
}

const STATES = new Map<number, string>([
  [TaskState.RUNNING, 'R (running)'],
  [TaskState.INTERRUPTIBLE, 'S (sleeping)'],
  [TaskState.UNINTERRUPTIBLE, 'D (disk sleep)'],
  [TaskState.STOPPED, 'T (stopped)'],
]);

function stateOf(thread: Thread | undefined): string {
  return thread === undefined ? 'Z (zombie)' : (STATES.get(thread.state) ?? 'R (running)');
}

function virtualBytes({ mm }: Process): number {
  let bytes = 0;
  for (const { start, end } of mm.areas) bytes += end - start;
  return bytes;
}

const word = (bits: number) => (bits >>> 0).toString(16).padStart(8, '0');
const mask = ({ low, high }: SignalBits) => `${word(high)}${word(low)}`;

/** Of the lines of the real file those that the model knows. */
function status(process: Process): string {
  const { mm, threads, name, pid, parent } = process;
  const [leader] = threads;
  const acted = (kind: (action: SignalAction) => boolean) => bitsOf(...process.actions.flatMap((action, n) => (kind(action) ? [n] : [])));
  const ignored = acted(({ handler }) => handler === 'ignore');
  const caught = acted(({ handler }) => typeof handler === 'function');
  const lines: [string, string | number][] = [
    ['Name', name],
    ['State', stateOf(leader)],
    ['Tgid', pid],
    ['Pid', pid],
    ['PPid', parent?.pid ?? 0],
    ['VmSize', `${virtualBytes(process) / 1024} kB`],
    ['VmRSS', `${(mm.residentPages * PAGE_SIZE) / 1024} kB`],
    ['VmPTE', `${mm.pageTableBytes / 1024} kB`],
    ['Threads', threads.length],
    ['SigPnd', mask(leader?.pending ?? NO_SIGNALS)],
    ['ShdPnd', mask(process.pending)],
    ['SigBlk', mask(leader?.blocked ?? NO_SIGNALS)],
    ['SigIgn', mask(ignored)],
    ['SigCgt', mask(caught)],
    ['voluntary_ctxt_switches', leader?.voluntarySwitches ?? 0],
    ['nonvoluntary_ctxt_switches', leader?.involuntarySwitches ?? 0],
  ];
  return lines.map(([key, value]) => `${key}:\t${value}\n`).join('');
}

/** The first twenty-four fields; those that the model does not know are 0. */
function stat(process: Process): string {
  const { pid, name, parent, threads, mm } = process;
  const state = stateOf(threads[0])[0];
  const fields = [
    pid,
    `(${name})`,
    state,
    parent?.pid ?? 0,
    pid,
    pid,
    0,
    -1,
    0,
    mm.minorFaults,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    20,
    0,
    threads.length,
    0,
    0,
  ];
  return `${[...fields, virtualBytes(process), mm.residentPages].join(' ')}\n`;
}

/** `/proc/PID/fdinfo/FD`; undefined if there is no such descriptor. Flags are octal, as in Linux. */
export function fdInfo(process: Process, fd: number): string | undefined {
  const file = process.files.peek(fd);
  if (file === null) return undefined;
  const flags = file.flags | (process.files.closesOnExec(fd) ? OpenFlag.CLOEXEC : 0);
  return `pos:\t${Math.max(0, file.seek(0, Seek.CUR))}\nflags:\t0${flags.toString(8)}\n${file.description}`;
}
