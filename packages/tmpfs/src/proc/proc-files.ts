import type { Process } from '@rpal/kernel';
import { OpenFlag, Rlimit, Seek } from '@rpal/uapi';
import { maps } from './maps.js';
import { filePages, stackPages } from './process-status.js';
import { smaps, smapsRollup } from './smaps.js';

/** What `/proc/PID` holds of a process, by the name of the file. */
export const PROC_FILES: Readonly<Record<string, (process: Process) => string>> = {
  maps: (process) => (process.exit === null ? maps(process) : ''),
  smaps: (process) => (process.exit === null ? smaps(process) : ''),
  smaps_rollup: (process) => (process.exit === null ? smapsRollup(process) : ''),
  statm,
  limits,
};

/** Seven numbers of pages: all, resident, of these shared, code, 0, data and stacks, 0. */
function statm(process: Process): string {
  if (process.exit !== null) return '0 0 0 0 0 0 0\n';
  const { areas, totalPages, residentPages, dataPages } = process.mm;
  const code = areas.containing(process.textStart);
  return `${totalPages} ${residentPages} ${filePages(process)} ${code?.pages ?? 0} 0 ${dataPages + stackPages(process)} 0\n`;
}

/** Names and units of limits, as Linux shows them (`lnames`). */
const LIMITS: readonly (readonly [resource: number, name: string, unit: string])[] = [
  [Rlimit.CPU, 'Max cpu time', 'seconds'],
  [Rlimit.FSIZE, 'Max file size', 'bytes'],
  [Rlimit.DATA, 'Max data size', 'bytes'],
  [Rlimit.STACK, 'Max stack size', 'bytes'],
  [Rlimit.CORE, 'Max core file size', 'bytes'],
  [Rlimit.RSS, 'Max resident set', 'bytes'],
  [Rlimit.NPROC, 'Max processes', 'processes'],
  [Rlimit.NOFILE, 'Max open files', 'files'],
  [Rlimit.MEMLOCK, 'Max locked memory', 'bytes'],
  [Rlimit.AS, 'Max address space', 'bytes'],
  [Rlimit.LOCKS, 'Max file locks', 'locks'],
  [Rlimit.SIGPENDING, 'Max pending signals', 'signals'],
  [Rlimit.MSGQUEUE, 'Max msgqueue size', 'bytes'],
  [Rlimit.NICE, 'Max nice priority', ''],
  [Rlimit.RTPRIO, 'Max realtime priority', ''],
  [Rlimit.RTTIME, 'Max realtime timeout', 'us'],
];

function limits(process: Process): string {
  const row = (name: string, soft: string, hard: string, unit: string) =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit === '' ? '' : unit.padEnd(10)}\n`;
  const shown = (limit: number) => (Number.isFinite(limit) ? String(limit) : 'unlimited');
  const { soft, hard } = process.limits;
  const rows = LIMITS.map(([resource, name, unit]) => row(name, shown(soft[resource] as number), shown(hard[resource] as number), unit));
  return row('Limit', 'Soft Limit', 'Hard Limit', 'Units') + rows.join('');
}

/** `/proc/PID/fdinfo/FD`; undefined if there is no such descriptor. Flags are octal, as in Linux. */
export function fdInfo(process: Process, fd: number): string | undefined {
  const file = process.files.peek(fd);
  if (file === null) return undefined;
  const flags = file.flags | (process.files.closesOnExec(fd) ? OpenFlag.CLOEXEC : 0);
  return `pos:\t${Math.max(0, file.seek(0, Seek.CUR))}\nflags:\t0${flags.toString(8)}\n${file.description}`;
}
