import { type CapabilityBits, hasCapability, isWithin, type Process, type ProcessCredentials, UserBuffer } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

/** Capabilities that the calls of this package ask for besides those of the kernel's own, `Capability` (include/uapi/linux/capability.h). */
export const Cap = {
  SETGID: 6,
  SETPCAP: 8,
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_OWNER: 15,
  /** CAP_CHECKPOINT_RESTORE. */
  LAST: 40,
} as const;

/** Forms of the calls' header: in the first, capabilities have 32 bits. */
const VERSION_1 = 0x1998_0330;
const VERSION_2 = 0x2007_1026;
const VERSION_3 = 0x2008_0522;
const HEADER = 8;
/** Effective, permitted, inheritable: of the low words, then of the high ones. */
const DATA = 12;

export function inBoth(a: CapabilityBits, b: CapabilityBits): CapabilityBits {
  return { low: a.low & b.low, high: a.high & b.high };
}

function either(a: CapabilityBits, b: CapabilityBits): CapabilityBits {
  return { low: a.low | b.low, high: a.high | b.high };
}

/** The set with a capability, or without it. */
export function changed(set: CapabilityBits, capability: number, on: boolean): CapabilityBits {
  const bit = capability < 32 ? { low: 1 << capability, high: 0 } : { low: 0, high: 1 << (capability - 32) };
  return on ? either(set, bit) : { low: set.low & ~bit.low, high: set.high & ~bit.high };
}

export { hasCapability };

/** capget and capset. */
export function defineCapabilityCalls(calls: Calls): void {
  const { processes } = calls.kernel;
  const buffer = new UserBuffer(2 * DATA);

  calls.define('capget', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.structure);
    if (buffer.load(cpu, thread, a0, HEADER) < 0) return -Errno.EFAULT;
    const words = wordsOf(buffer.u32(0));
    const pid = buffer.i32(4);
    if (words === 0) {
      if (buffer.set32(0, VERSION_3).store(cpu, thread, a0, 4) < 0) return -Errno.EFAULT;
      // A caller that only asks for the version gets no error.
      return a1 === 0 ? 0 : -Errno.EINVAL;
    }
    if (a1 === 0) return 0;
    if (pid < 0) return -Errno.EINVAL;
    const process: Process | undefined = pid === 0 ? thread.process : (processes.get(pid) ?? processes.thread(pid)?.process);
    if (process === undefined) return -Errno.ESRCH;
    const { effective, permitted, inheritable } = process.credentials;
    [effective, permitted, inheritable].forEach(({ low, high }, index) => {
      buffer.set32(4 * index, low).set32(DATA + 4 * index, high);
    });
    return buffer.store(cpu, thread, a1, words * DATA) < 0 ? -Errno.EFAULT : 0;
  });

  calls.define('capset', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.credentials);
    if (buffer.load(cpu, thread, a0, HEADER) < 0) return -Errno.EFAULT;
    const words = wordsOf(buffer.u32(0));
    const pid = buffer.i32(4);
    if (words === 0) return buffer.set32(0, VERSION_3).store(cpu, thread, a0, 4) < 0 ? -Errno.EFAULT : -Errno.EINVAL;
    const { process } = thread;
    if (pid !== 0 && pid !== thread.pid) return -Errno.EPERM;
    buffer.clear(2 * DATA);
    if (buffer.load(cpu, thread, a1, words * DATA) < 0) return -Errno.EFAULT;
    const known = 2 ** (Cap.LAST - 31) - 1;
    const [effective, permitted, inheritable] = [0, 4, 8].map((at) => ({ low: buffer.i32(at), high: buffer.i32(DATA + at) & known })) as [
      CapabilityBits,
      CapabilityBits,
      CapabilityBits,
    ];
    const old: ProcessCredentials = process.credentials;
    const free = process.capable(Cap.SETPCAP);
    if (!free && !isWithin(inheritable, either(old.inheritable, old.permitted))) return -Errno.EPERM;
    if (!isWithin(inheritable, either(old.inheritable, old.bounding))) return -Errno.EPERM;
    if (!isWithin(permitted, old.permitted) || !isWithin(effective, permitted)) return -Errno.EPERM;
    const ambient = inBoth(old.ambient, inBoth(permitted, inheritable));
    process.credentials = { ...old, effective, permitted, inheritable, ambient };
    process.applyLimits();
    return 0;
  });
}

/** How many words the capabilities have in a form of the header; 0 for none that is known. */
function wordsOf(version: number): number {
  if (version === VERSION_1) return 1;
  return version === VERSION_2 || version === VERSION_3 ? 2 : 0;
}
