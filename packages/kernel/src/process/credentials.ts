import type { Credentials } from '@rpal/vfs';
import type { SignalBits } from './pending-signals.js';

/** Capabilities as bits: `low` has 0 .. 31, `high` 32 .. 40 (Linux: `kernel_cap_t`). */
export type CapabilityBits = SignalBits;

/** @public for packages that define system calls */
export const NO_CAPABILITIES: CapabilityBits = { low: 0, high: 0 };
/** CAP_CHECKPOINT_RESTORE is the last one, 40. @public for packages that define system calls */
export const ALL_CAPABILITIES: CapabilityBits = { low: -1, high: 0x1ff };

/** Who a process is, and what it may (Linux: `struct cred`). `uid` and `gid` are the real ones. Objects are replaced, not changed. */
export interface ProcessCredentials extends Credentials {
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  /** Supplementary groups, in ascending order. */
  readonly groups: readonly number[];
  readonly effective: CapabilityBits;
  readonly permitted: CapabilityBits;
  readonly inheritable: CapabilityBits;
  readonly bounding: CapabilityBits;
  readonly ambient: CapabilityBits;
  /** SECBIT_KEEP_CAPS and the like. */
  readonly secureBits: number;
}

/** Root, with all capabilities. */
export function rootCredentials(pid: number): ProcessCredentials {
  return {
    pid,
    uid: 0,
    euid: 0,
    suid: 0,
    fsuid: 0,
    gid: 0,
    egid: 0,
    sgid: 0,
    fsgid: 0,
    groups: [],
    effective: ALL_CAPABILITIES,
    permitted: ALL_CAPABILITIES,
    inheritable: NO_CAPABILITIES,
    bounding: ALL_CAPABILITIES,
    ambient: NO_CAPABILITIES,
    secureBits: 0,
  };
}

const KEEP_CAPS = 1 << 4;
const NO_ROOT = 1 << 0;
const NO_SETUID_FIXUP = 1 << 2;

/** Credentials with other user ids; capabilities follow (Linux: `cap_task_fix_setuid`): they go with root, and come with it. @public for packages that define system calls */
export function withUserIds(
  old: ProcessCredentials,
  ids: Partial<Pick<ProcessCredentials, 'uid' | 'euid' | 'suid' | 'fsuid'>>,
): ProcessCredentials {
  const now = { ...old, ...ids };
  if ((old.secureBits & NO_SETUID_FIXUP) !== 0) return now;
  const wasRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const isRoot = now.uid === 0 || now.euid === 0 || now.suid === 0;
  if (wasRoot && !isRoot) {
    if ((old.secureBits & KEEP_CAPS) === 0) now.permitted = now.effective = NO_CAPABILITIES;
    now.ambient = NO_CAPABILITIES;
  }
  if (old.euid === 0 && now.euid !== 0) now.effective = NO_CAPABILITIES;
  if (old.euid !== 0 && now.euid === 0) now.effective = now.permitted;
  return now;
}

/**
 * Credentials with another user id for files (setfsuid): what root may do with files goes with root, and comes with it. @public for
 * packages that define system calls
 */
export function withFileUser(old: ProcessCredentials, fsuid: number): ProcessCredentials {
  const { effective, permitted } = old;
  const now = { ...old, fsuid };
  if ((old.secureBits & NO_SETUID_FIXUP) !== 0) return now;
  const { low, high } = ON_FILES;
  if (old.fsuid === 0 && fsuid !== 0) now.effective = { low: effective.low & ~low, high: effective.high & ~high };
  if (old.fsuid !== 0 && fsuid === 0) {
    now.effective = { low: effective.low | (permitted.low & low), high: effective.high | (permitted.high & high) };
  }
  return now;
}

/** CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD and MAC_OVERRIDE (Linux: `CAP_FS_SET`). */
const ON_FILES: CapabilityBits = { low: 0b1_1111 | (1 << 9) | (1 << 27), high: 1 };

/** Credentials after exec (Linux: `cap_bprm_creds_from_file`): root gets all that its bounding set allows, others keep what is ambient. */
export function afterExec(old: ProcessCredentials): ProcessCredentials {
  const { bounding, inheritable, ambient, euid, egid } = old;
  const root = (old.secureBits & NO_ROOT) === 0 && (old.uid === 0 || euid === 0);
  const permitted = root ? { low: bounding.low | inheritable.low, high: bounding.high | inheritable.high } : ambient;
  const effective = root && euid !== 0 ? NO_CAPABILITIES : permitted;
  return { ...old, permitted, effective, suid: euid, fsuid: euid, sgid: egid, fsgid: egid, secureBits: old.secureBits & ~KEEP_CAPS };
}

/** @public for packages that define system calls */
export function hasCapability({ low, high }: CapabilityBits, capability: number): boolean {
  return ((capability < 32 ? low >>> capability : high >>> (capability - 32)) & 1) !== 0;
}

/** All of `part` are in `whole`. @public for packages that define system calls */
export function isWithin(part: CapabilityBits, whole: CapabilityBits): boolean {
  return (part.low & ~whole.low) === 0 && (part.high & ~whole.high) === 0;
}

/** Capabilities that the kernel asks for (include/uapi/linux/capability.h). @public for packages that define system calls */
export const Capability = {
  KILL: 5,
  SETUID: 7,
  IPC_LOCK: 14,
  SYS_RAWIO: 17,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  WAKE_ALARM: 35,
} as const;
