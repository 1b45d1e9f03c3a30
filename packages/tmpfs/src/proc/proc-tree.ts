import type { Cpu } from '@rpal/hw-x86';
import type { Process, Thread } from '@rpal/kernel';
import { FileMode } from '@rpal/uapi';
import type { CgroupHierarchy } from '../cgroup/cgroup.js';
import { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { Inode, InodeFields } from '../tree/inode.js';
import { FsMagic } from '../tree/super-block.js';
import { type Contents, contentsOf, ProcDirectory, ProcLink, procFile } from './proc-inodes.js';
import { ProcessDirectory } from './process-directory.js';

const KIB_PER_PAGE = 4;
/** Of the times that /proc shows (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Mounts /proc. The place is a directory that is there. */
export function mountProc(tree: FileTree, at: Dentry, cgroups: CgroupHierarchy): void {
  const fs = tree.superBlock('proc', FsMagic.proc);
  const fields = (mode: number): InodeFields => ({ fs, mode, uid: 0, gid: 0, time: tree.bootTime });
  const file = (text: () => string) => () => procFile(fields(FileMode.REGULAR | 0o444), text);
  const directory = (contents: Contents) => new ProcDirectory(fields(FileMode.DIRECTORY | 0o555), contents);
  const nested = (entries: Readonly<Record<string, () => Inode>>) => () => directory(contentsOf(entries));
  const caller = (): Thread => tree.kernel.scheduler.current(tree.kernel.platform.running as Cpu) as Thread;
  const link = (text: () => string) => () => new ProcLink(fields(FileMode.SYMLINK), text);

  const common = contentsOf({
    self: link(() => String(caller().process.pid)),
    'thread-self': link(() => `${caller().process.pid}/task/${caller().pid}`),
    cmdline: file(() => 'BOOT_IMAGE=/vmlinuz root=tmpfs ro\n'),
    cpuinfo: file(() => cpuInfo(tree)),
    filesystems: file(() => 'nodev\tproc\nnodev\ttmpfs\nnodev\tcgroup2\nnodev\tpipefs\nnodev\tsockfs\nnodev\tanon_inodefs\n'),
    loadavg: file(() => loadAverage(tree)),
    meminfo: file(() => memoryInfo(tree)),
    mounts: link(() => 'self/mounts'),
    stat: file(() => statOf(tree)),
    uptime: file(() => uptime(tree)),
    version: file(() => 'Linux version 6.15.0 (model) #1 SMP PREEMPT_DYNAMIC\n'),
    sys: nested({
      fs: nested({
        'file-max': file(() => '9223372036854775807\n'),
        nr_open: file(() => '1048576\n'),
        'pipe-max-size': file(() => '1048576\n'),
      }),
      kernel: nested({
        cap_last_cap: file(() => '40\n'),
        hostname: file(() => 'model\n'),
        osrelease: file(() => '6.15.0\n'),
        ostype: file(() => 'Linux\n'),
        pid_max: file(() => '4194304\n'),
        'threads-max': file(() => `${Math.floor(tree.kernel.memory.totalFrames / 32)}\n`),
        random: nested({ boot_id: file(() => uuid(tree)), uuid: file(() => uuid(tree)) }),
      }),
      net: nested({ core: nested({ somaxconn: file(() => '4096\n'), wmem_default: file(() => '212992\n') }) }),
      vm: nested({ max_map_count: file(() => '65530\n'), overcommit_memory: file(() => '0\n'), swappiness: file(() => '60\n') }),
    }),
  });

  const processes = new ProcessDirectory(tree, fs, cgroups);
  const processOf = (name: string): Process | undefined => (/^[1-9]\d*$/.test(name) ? tree.kernel.processes.get(Number(name)) : undefined);
  const root = directory({
    names: () => [...common.names(), ...[...tree.kernel.processes].map(({ pid }) => String(pid))],
    has: (name) => common.has(name) || processOf(name) !== undefined,
    make: (name) => (common.has(name) ? common.make(name) : processes.of(processOf(name) as Process)),
  });
  tree.mount(at, new Dentry('/', null, root));
}

function uptime({ kernel: { platform } }: FileTree): string {
  const seconds = platform.now / platform.costs.tscPerNs / 1e9;
  return `${seconds.toFixed(2)} ${(seconds * platform.cpus.length).toFixed(2)}\n`;
}

/** The tasks that run now, in place of averages, which are not kept. */
function loadAverage({ kernel }: FileTree): string {
  const threads = [...kernel.processes.threads()];
  const running = threads.filter(({ state }) => state === 0).length;
  const last = Math.max(0, ...threads.map(({ pid }) => pid));
  return `0.00 0.00 0.00 ${running}/${threads.length} ${last}\n`;
}

function memoryInfo({ kernel: { memory } }: FileTree): string {
  const total = memory.totalFrames * KIB_PER_PAGE;
  const free = (memory.totalFrames - memory.frames.inUse) * KIB_PER_PAGE;
  const lines: [string, number][] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', 0],
    ['SwapCached', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
  ];
  return lines.map(([name, kib]) => `${`${name}:`.padEnd(16)}${String(kib).padStart(8)} kB\n`).join('');
}

function cpuInfo({ kernel: { platform } }: FileTree): string {
  const { profile } = platform;
  const mhz = (profile.clock.tscGHz * 1000).toFixed(3);
  return platform.cpus
    .map(
      ({ id, socket }) =>
        `processor\t: ${id}\nvendor_id\t: ${profile.vendor}\nmodel name\t: ${profile.name}\ncpu MHz\t\t: ${mhz}\nphysical id\t: ${socket}\n\n`,
    )
    .join('');
}

/** Times of CPUs are not kept apart: all of it is idle time. */
function statOf({ kernel: { platform, processes }, clock }: FileTree): string {
  const ticks = Math.floor((platform.now / platform.costs.tscPerNs / 1e9) * TICKS_PER_SECOND);
  const line = (name: string, idle: number) => `${name} 0 0 0 ${idle} 0 0 0 0 0 0\n`;
  const cpus = platform.cpus.map(({ id }) => line(`cpu${id}`, ticks)).join('');
  return `${line('cpu ', ticks * platform.cpus.length)}${cpus}btime ${clock.boot}\nprocesses ${processes.size}\nprocs_running 1\nprocs_blocked 0\n`;
}

/** A random UUID, version 4. */
function uuid(tree: FileTree): string {
  const bytes = tree.randomBytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}\n`;
}
