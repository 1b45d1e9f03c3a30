import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { HostComputer } from './host-json.js';

const SYSTEM = '/sys/devices/system/cpu';

/** What the C program found out itself. */
interface Found {
  readonly compiler: string;
  readonly tscGHz: number;
  readonly guest: boolean;
  readonly cpus: readonly [first: number, second: number | null];
  readonly rseq: boolean;
}

/** The computer that this process runs on, as Linux describes it. */
export function hostComputer({ compiler, tscGHz, guest, cpus: [first, second], rseq }: Found): HostComputer {
  const info = readFileSync('/proc/cpuinfo', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? '';
  const vendor = ({ GenuineIntel: 'intel', AuthenticAMD: 'amd' } as const)[field('vendor_id')] ?? 'other';
  return {
    cpu: cpus()[0]?.model.trim() ?? 'an unknown CPU',
    vendor,
    kernel: `${type()} ${release()}`,
    configuration: { hz: ticksPerSecond(), pressure: /^some /.test(text('/proc/pressure', 'cpu')), security: securityModules(), rseq },
    compiler,
    guest,
    tscGHz,
    cpus: [first, second],
    flags: field('flags').split(' ').filter(Boolean),
    vulnerabilities: Object.fromEntries(
      entries(`${SYSTEM}/vulnerabilities`).map((name) => [name, text(`${SYSTEM}/vulnerabilities`, name)]),
    ),
    caches: cachesOf(first),
    oneCache: second === null ? null : shareCache(first, second),
  };
}

/** CPU time since the computer started, in ticks: all of it, and what a hypervisor gave to others meanwhile. */
export function stolenTime(): { readonly all: number; readonly stolen: number } {
  const ticks = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number);
  // user nice system idle iowait irq softirq steal; guests are in user already.
  return { all: ticks.slice(0, 8).reduce((sum, each) => sum + each, 0), stolen: ticks[7] ?? 0 };
}

/** CONFIG_HZ: nothing else of a running kernel tells it, as CLK_TCK is 100 whatever it is. */
function ticksPerSecond(): number | null {
  const configuration = existsSync('/proc/config.gz')
    ? gunzipSync(readFileSync('/proc/config.gz')).toString()
    : text('/boot', `config-${release()}`);
  const hz = Number(/^CONFIG_HZ=(\d+)$/m.exec(configuration)?.[1]);
  return Number.isInteger(hz) ? hz : null;
}

/** Where securityfs is not mounted, a module that labels processes is known by this process having a label. */
function securityModules(): string[] {
  const listed = text('/sys/kernel/security', 'lsm');
  if (listed !== '') return listed.split(',');
  return text('/proc/self/attr', 'current') === '' ? [] : [existsSync('/sys/fs/selinux') ? 'selinux' : 'apparmor'];
}

function cachesOf(cpu: number): HostComputer['caches'] {
  const folder = `${SYSTEM}/cpu${cpu}/cache`;
  return entries(folder)
    .filter((name) => /^index\d+$/.test(name))
    .map((name) => {
      const at = join(folder, name);
      const kib = /^(\d+)K$/.exec(text(at, 'size'))?.[1] ?? '0';
      const ways = Number(text(at, 'ways_of_associativity')) || 0;
      return { level: Number(text(at, 'level')), type: text(at, 'type'), bytes: Number(kib) * 1024, ways };
    });
}

/** Whether the last cache of one CPU is that of the other as well. */
function shareCache(first: number, second: number): boolean | null {
  const folder = `${SYSTEM}/cpu${first}/cache`;
  const last = entries(folder)
    .filter((name) => /^index\d+$/.test(name))
    .sort()
    .at(-1);
  if (last === undefined) return null;
  return text(join(folder, last), 'shared_cpu_list')
    .split(',')
    .some((range) => {
      const [from, to = from] = range.split('-').map(Number);
      return second >= (from as number) && second <= (to as number);
    });
}

function entries(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Empty if it cannot be read, as some containers have it. */
function text(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8').trim();
  } catch {
    return '';
  }
}
