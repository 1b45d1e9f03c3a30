import type { Cpu } from '@rpal/hw-x86';
import type { ProcessCredentials, Thread } from '@rpal/kernel';
import { AccessMode, Errno } from '@rpal/uapi';
import type { Inode } from '../tree/inode.js';
import { permission } from '../walk/permission.js';
import type { Cgroup, CgroupHierarchy, CpuControl } from './cgroup.js';

/** Who writes to a file of a cgroup. */
export interface Writer {
  readonly cpu: Cpu;
  readonly thread: Thread;
  /** Who opened the file: that may be somebody else. */
  readonly opener: ProcessCredentials;
}

/** A file that directories of the hierarchy have (Linux: `struct cftype`). */
export interface ControlFile {
  /** Does this cgroup have it? */
  has(cgroup: Cgroup): boolean;
  show(hierarchy: CgroupHierarchy, cgroup: Cgroup): string;
  /** What is written, without blanks and line ends around it. @returns 0 or a negative errno; without it the file is only to be read */
  store?(hierarchy: CgroupHierarchy, cgroup: Cgroup, text: string, writer: Writer): number;
}

const everywhere = (): boolean => true;
const belowRoot = ({ parent }: Cgroup): boolean => parent !== null;
const withController = ({ cpu }: Cgroup): boolean => cpu !== null;

/** Bounds of cpu.max, in microseconds: a millisecond, a second, and what 44 bits hold (`MAX_BW`). */
const SHORTEST = 1000;
const LONGEST = 1_000_000;
const MOST = 2 ** 44 - 1;

/** The files, by name. */
export const CONTROL_FILES: Readonly<Record<string, ControlFile>> = {
  'cgroup.controllers': {
    has: everywhere,
    show: (_hierarchy, cgroup) => controllers(available(cgroup)),
  },
  'cgroup.subtree_control': {
    has: everywhere,
    show: (_hierarchy, cgroup) => controllers(cgroup.controlsCpu),
    store: setControllers,
  },
  'cgroup.type': {
    has: belowRoot,
    show: () => 'domain\n',
    // Threaded cgroups are not there.
    store: (_hierarchy, _cgroup, text) => (text === 'threaded' ? -Errno.EOPNOTSUPP : -Errno.EINVAL),
  },
  'cgroup.events': {
    has: belowRoot,
    show: (hierarchy, cgroup) => `populated ${Number(hierarchy.populated(cgroup))}\nfrozen 0\n`,
  },
  'cgroup.procs': {
    has: everywhere,
    show: (hierarchy, cgroup) =>
      hierarchy
        .members(cgroup)
        .map(({ pid }) => `${pid}\n`)
        .join(''),
    store: (hierarchy, cgroup, text, writer) => attach(hierarchy, cgroup, text, writer, 'processes'),
  },
  'cgroup.threads': {
    has: everywhere,
    show: (hierarchy, cgroup) =>
      hierarchy
        .members(cgroup)
        .flatMap(({ threads }) => threads.map(({ pid }) => `${pid}\n`))
        .join(''),
    store: (hierarchy, cgroup, text, writer) => attach(hierarchy, cgroup, text, writer, 'threads'),
  },
  'cpu.max': {
    has: withController,
    show: (_hierarchy, { cpu }) => {
      const { quota, period } = cpu as CpuControl;
      return `${quota === Number.POSITIVE_INFINITY ? 'max' : quota} ${period}\n`;
    },
    store: (_hierarchy, { cpu: control }, text, { cpu }) => setMax(control as CpuControl, cpu, text),
  },
  'cpu.weight': {
    has: withController,
    show: (_hierarchy, { cpu }) => `${(cpu as CpuControl).weight}\n`,
    store: (_hierarchy, { cpu }, text) => {
      const weight = numberIn(text);
      if (weight === null || weight < 0) return -Errno.EINVAL;
      if (weight < 1 || weight > 10_000) return -Errno.ERANGE;
      (cpu as CpuControl).setWeight(weight);
      return 0;
    },
  },
};

/** May a cgroup give its children the CPU controller? The root always may. */
function available({ parent }: Cgroup): boolean {
  return parent === null || parent.controlsCpu;
}

function controllers(cpu: boolean): string {
  return cpu ? 'cpu\n' : '\n';
}

/** cgroup_subtree_control_write. */
function setControllers(hierarchy: CgroupHierarchy, cgroup: Cgroup, text: string, { cpu }: Writer): number {
  let wanted = cgroup.controlsCpu;
  let asked = false;
  for (const token of text.split(' ')) {
    if (token === '') continue;
    if (token !== '+cpu' && token !== '-cpu') return -Errno.EINVAL;
    wanted = token === '+cpu';
    asked = true;
  }
  if (!asked || wanted === cgroup.controlsCpu) return 0;
  if (wanted && !available(cgroup)) return -Errno.ENOENT;
  if (!wanted && [...cgroup.children].some(({ controlsCpu }) => controlsCpu)) return -Errno.EBUSY;
  // The CPU controller lets a cgroup's own processes compete with its children, as long as those could all be threads of it.
  if (wanted && cgroup.parent !== null && hierarchy.populatedBelow(cgroup) && hierarchy.members(cgroup).length > 0) return -Errno.EBUSY;
  hierarchy.control(cpu, cgroup, wanted);
  return 0;
}

/** __cgroup_procs_write: a process, by the id of any of its threads, or the writer itself by 0. */
function attach(hierarchy: CgroupHierarchy, to: Cgroup, text: string, writer: Writer, what: 'processes' | 'threads'): number {
  const pid = numberIn(text);
  if (pid === null || pid < 0 || pid > 0x7fff_ffff) return -Errno.EINVAL;
  const process = pid === 0 ? writer.thread.process : hierarchy.find(pid);
  if (process === undefined) return -Errno.ESRCH;
  const from = hierarchy.of(process);
  let common = from;
  while (!to.isBelow(common)) common = common.parent as Cgroup;
  const refused = permission(common.procs as Inode, AccessMode.WRITE, writer.opener);
  if (refused < 0) return refused;
  if (to.parent !== null && to.controlsCpu && hierarchy.populatedBelow(to)) return -Errno.EBUSY;
  // Threads of a process stay in one domain, and every cgroup is one.
  if (what === 'threads') return from === to ? 0 : -Errno.EOPNOTSUPP;
  hierarchy.attach(writer.cpu, process, to);
  return 0;
}

/** cpu_max_write: a quota or "max", and a period, which may be left out; both in microseconds. */
function setMax(control: CpuControl, cpu: Cpu, text: string): number {
  const [first = '', second] = text.split(/\s+/);
  const number = /^\d+/.exec(first.slice(0, 20));
  const quota = number !== null ? Number(number[0]) : first === 'max' ? Number.POSITIVE_INFINITY : Number.NaN;
  const given = /^\d+/.exec(second ?? '');
  const period = given === null ? control.period : Number(given[0]);
  if (!(quota >= SHORTEST && period >= SHORTEST && period <= LONGEST)) return -Errno.EINVAL;
  if (quota !== Number.POSITIVE_INFINITY && quota > MOST) return -Errno.EINVAL;
  control.setMax(cpu, quota, period);
  return 0;
}

/** A whole number as the kernel reads it (`kstrtoint` with base 0); null: there is none, or something behind it. */
function numberIn(text: string): number | null {
  const [, sign, digits] = /^([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const octal = /^0\d/.test(digits);
  if (octal && /[89]/.test(digits)) return null;
  const value = octal ? Number.parseInt(digits, 8) : Number(digits);
  return sign === '-' ? -value : value;
}
