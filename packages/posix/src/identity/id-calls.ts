import {
  Capability,
  type Process,
  type ProcessCredentials,
  type SyscallHandler,
  UserBuffer,
  withFileUser,
  withUserIds,
} from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';
import { putInt } from '../user-memory.js';
import { Cap } from './capabilities.js';
import type { TraitTable } from './traits.js';

/** Instead of an id: leave it as it is. No user and no group has this number. */
const KEEP = 0xffff_ffff;
/** Supplementary groups that a process may have (NGROUPS_MAX). */
const GROUPS_MAX = 65_536;

type Id = 'uid' | 'euid' | 'suid' | 'fsuid' | 'gid' | 'egid' | 'sgid' | 'fsgid';
/** Names of the ids of one kind, and the capability that allows any of them. */
interface Kind {
  readonly real: 'uid' | 'gid';
  readonly effective: 'euid' | 'egid';
  readonly saved: 'suid' | 'sgid';
  readonly file: 'fsuid' | 'fsgid';
  readonly capability: number;
}

const USER: Kind = { real: 'uid', effective: 'euid', saved: 'suid', file: 'fsuid', capability: Capability.SETUID };
const GROUP: Kind = { real: 'gid', effective: 'egid', saved: 'sgid', file: 'fsgid', capability: Cap.SETGID };

/** Users and groups of a process (kernel/sys.c): reading them, and changing them as far as it may. */
export function defineIdCalls(calls: Calls, traits: TraitTable): void {
  const buffer = new UserBuffer(4 * 1024);

  for (const [call, id] of [
    ['geteuid', 'euid'],
    ['getgid', 'gid'],
    ['getegid', 'egid'],
  ] as const) {
    calls.define(call, (cpu, { process }) => {
      cpu.charge(PosixStep.identity);
      return process.credentials[id];
    });
  }

  for (const [kind, setReal, setAll, getAll, setFile] of [
    [USER, 'setreuid', 'setresuid', 'getresuid', 'setfsuid'],
    [GROUP, 'setregid', 'setresgid', 'getresgid', 'setfsgid'],
  ] as const) {
    const { real, effective, saved, file } = kind;

    const setOne: SyscallHandler = (cpu, { process }, { a0 }) => {
      cpu.charge(PosixStep.credentials);
      const id = a0 >>> 0;
      if (id === KEEP) return -Errno.EINVAL;
      const old = process.credentials;
      if (process.capable(kind.capability)) return become(process, traits, { [real]: id, [effective]: id, [saved]: id, [file]: id });
      if (id !== old[real] && id !== old[saved]) return -Errno.EPERM;
      return become(process, traits, { [effective]: id, [file]: id });
    };
    if (kind === USER) calls.extend('setuid', () => setOne);
    else calls.define('setgid', setOne);

    calls.define(setReal, (cpu, { process }, { a0, a1 }) => {
      cpu.charge(PosixStep.credentials);
      const [realId, effectiveId] = [a0 >>> 0, a1 >>> 0];
      const old = process.credentials;
      const any = process.capable(kind.capability);
      if (realId !== KEEP && realId !== old[real] && realId !== old[effective] && !any) return -Errno.EPERM;
      const known = effectiveId === old[real] || effectiveId === old[effective] || effectiveId === old[saved];
      if (effectiveId !== KEEP && !known && !any) return -Errno.EPERM;
      const nextReal = realId === KEEP ? old[real] : realId;
      const next = effectiveId === KEEP ? old[effective] : effectiveId;
      const savesToo = realId !== KEEP || (effectiveId !== KEEP && effectiveId !== old[real]);
      return become(process, traits, { [real]: nextReal, [effective]: next, [file]: next, ...(savesToo ? { [saved]: next } : {}) });
    });

    calls.define(setAll, (cpu, { process }, { a0, a1, a2 }) => {
      cpu.charge(PosixStep.credentials);
      const wanted = [a0 >>> 0, a1 >>> 0, a2 >>> 0] as const;
      const old = process.credentials;
      const present: readonly number[] = [old[real], old[effective], old[saved]];
      if (wanted.some((id) => id !== KEEP && !present.includes(id)) && !process.capable(kind.capability)) return -Errno.EPERM;
      // A call that changes nothing does not make the id for files the effective one either.
      const same = wanted.every((id, index) => id === KEEP || id === present[index]);
      if (same && (wanted[1] === KEEP || wanted[1] === old[file])) return 0;
      const [r, e, s] = wanted.map((id, index) => (id === KEEP ? (present[index] as number) : id)) as [number, number, number];
      return become(process, traits, { [real]: r, [effective]: e, [saved]: s, [file]: e });
    });

    calls.define(getAll, (cpu, thread, { a0, a1, a2 }) => {
      cpu.charge(PosixStep.identity);
      const { credentials } = thread.process;
      const put = (address: number, id: Id): number => putInt(cpu, thread, address, credentials[id]);
      return put(a0, real) || put(a1, effective) || put(a2, saved);
    });

    // It says what was, whether or not it has changed it.
    calls.define(setFile, (cpu, { process }, { a0 }) => {
      cpu.charge(PosixStep.credentials);
      const id = a0 >>> 0;
      const old = process.credentials;
      const known = [old[real], old[effective], old[saved], old[file]].includes(id);
      if (id !== KEEP && (known || process.capable(kind.capability)))
        commit(process, traits, kind === USER ? withFileUser(old, id) : { ...old, fsgid: id });
      return old[file];
    });
  }

  calls.define('getgroups', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.ownField);
    const room = a0 | 0;
    const { groups } = thread.process.credentials;
    if (room < 0) return -Errno.EINVAL;
    if (room === 0) return groups.length;
    if (groups.length > room) return -Errno.EINVAL;
    for (const [index, group] of groups.entries()) if (putInt(cpu, thread, a1 + 4 * index, group) < 0) return -Errno.EFAULT;
    return groups.length;
  });

  calls.define('setgroups', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.credentials);
    const { process } = thread;
    if (!process.capable(Cap.SETGID)) return -Errno.EPERM;
    const count = a0 | 0;
    if (count < 0 || count > GROUPS_MAX) return -Errno.EINVAL;
    const groups: number[] = [];
    for (let index = 0; index < count; index++) {
      if (buffer.load(cpu, thread, a1 + 4 * index, 4) < 0) return -Errno.EFAULT;
      if (buffer.u32(0) === KEEP) return -Errno.EINVAL;
      groups.push(buffer.u32(0));
    }
    return become(process, traits, { groups: groups.sort((a, b) => a - b) });
  });
}

function become(process: Process, traits: TraitTable, ids: Partial<ProcessCredentials>): number {
  return commit(process, traits, withUserIds(process.credentials, ids));
}

/** The process is somebody else now (Linux: `commit_creds`): it cannot be dumped any more, and its parent's end is not a signal to it. */
function commit(process: Process, traits: TraitTable, next: ProcessCredentials): number {
  const old = process.credentials;
  process.credentials = next;
  process.applyLimits();
  const { euid, egid, fsuid, fsgid } = process.credentials;
  if (euid !== old.euid || egid !== old.egid || fsuid !== old.fsuid || fsgid !== old.fsgid) {
    traits.of(process).dumpable = 0;
    traits.of(process).parentDeathSignal = 0;
  }
  return 0;
}
