import type { CpuProfile } from '@rpal/hw-x86';
import type { HostComputer } from './host-json.js';
import { LINUX_6_1 } from './linux-6.1.js';
import { constant } from './spread.js';

/** Security modules that hook what AppArmor hooks. */
const HOOKING = ['apparmor', 'selinux', 'smack', 'tomoyo'];

/** Names of features in a profile, and in /proc/cpuinfo. */
const FLAGS = {
  pku: 'ospke',
  fsgsbase: 'fsgsbase',
  pcid: 'pcid',
  invpcid: 'invpcid',
  mwait: 'monitor',
  gib1Pages: 'pdpe1gb',
} as const;

/** Takes over into a profile what the system says of the computer, without any measurement. @returns what cannot be told, or said in a profile */
export function takeDescription(profile: CpuProfile, computer: HostComputer): string[] {
  takeFeatures(profile, computer);
  return [...takeKernel(profile, computer), ...takeCaches(profile, computer)];
}

function takeFeatures({ features, costs }: CpuProfile, computer: HostComputer): void {
  for (const [name, flag] of Object.entries(FLAGS)) features[name as keyof typeof FLAGS] = computer.flags.includes(flag);
  const { meltdown, spectre_v2: spectre } = computer.vulnerabilities;
  if (meltdown !== undefined) features.meltdownSafe = meltdown.startsWith('Not affected');
  if (spectre !== undefined) {
    features.eibrs = /Enhanced|Automatic/.test(spectre);
    if (!/BHI: (SW loop|BHI_DIS_S)/.test(spectre)) costs.bhbClear = constant(0, `the kernel clears no branch history: ${spectre}`);
  }
}

/** The kernel's configuration, as found. @returns notes */
function takeKernel({ name: base, kernel }: CpuProfile, { kernel: release, configuration, vulnerabilities }: HostComputer): string[] {
  const notes: string[] = [];
  kernel.version = /\d+\.\d+/.exec(release)?.[0] ?? kernel.version;
  if (beforeEevdf(kernel.version)) kernel.instructions = { ...LINUX_6_1 };
  const { meltdown, spectre_v2: spectre } = vulnerabilities;
  if (meltdown !== undefined) kernel.pti = meltdown.includes('PTI') ? 'on' : 'off';
  if (spectre !== undefined) {
    kernel.spectreV2 = /retpoline/i.test(spectre.replace(/BHI: .*/, '')) ? 'retpoline' : /Mitigation: IBRS/.test(spectre) ? 'ibrs' : 'off';
    kernel.returnFill = /RSB filling/.test(spectre);
  }
  kernel.clearBuffers = Object.values(vulnerabilities).some((state) => /Clear CPU buffers/.test(state));
  if (/thunks/.test(vulnerabilities.indirect_target_selection ?? '')) {
    notes.push('kernel: the thunks of returns and branches against indirect target selection have no price');
  }
  if (configuration === undefined) {
    notes.push(`kernel: ticks, pressure accounting, security module and rseq are those of ${base}; the file is of an older rpal-bench`);
    return notes;
  }
  const { hz, pressure, security, rseq } = configuration;
  Object.assign(kernel, { pressure, rseq, security: security.some((name) => HOOKING.includes(name)) ? 'apparmor' : 'none' });
  if (hz === null) notes.push(`kernel.hz is ${base}'s: neither /proc/config.gz nor /boot/config-* can be read`);
  else if (hz === 100 || hz === 250 || hz === 300 || hz === 1000) kernel.hz = hz;
  else notes.push(`kernel.hz is ${base}'s: the model knows no kernel of ${hz} ticks per second`);
  const other = security.find((name) => HOOKING.includes(name) && name !== 'apparmor');
  if (other !== undefined) notes.push(`kernel.security: hooks of ${other} have not been counted; those of AppArmor are taken`);
  return notes;
}

/** Sizes and ways of the caches. @returns notes */
function takeCaches({ name: base, cache }: CpuProfile, { caches }: HostComputer): string[] {
  const notes: string[] = [];
  for (const [name, level, type] of [
    ['l1d', 1, 'Data'],
    ['l2', 2, 'Unified'],
    ['l3', 3, 'Unified'],
  ] as const) {
    const found = caches.find((each) => each.level === level && each.type === type);
    if (found !== undefined && found.bytes > 0 && found.ways > 0) Object.assign(cache[name], { bytes: found.bytes, ways: found.ways });
    else notes.push(`cache.${name}: size and ways are those of ${base}; the system does not tell them`);
  }
  return notes;
}

/** Whether it schedules with CFS, as 6.1 does. */
function beforeEevdf(version: string): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number];
  return major < 6 || (major === 6 && minor < 6);
}
