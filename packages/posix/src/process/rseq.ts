import type { Cpu } from '@rpal/hw-x86';
import { type Kernel, type ResumeNotifier, type Thread, UserBuffer } from '@rpal/kernel';
import { TASK_SIZE } from '@rpal/mm';
import { Errno, Signal } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

/** Offsets in `struct rseq`, and its size in its first form. */
const Field = { cpuIdStart: 0, cpuId: 4, criticalSection: 8, flags: 16, nodeId: 20, mmCid: 24, size: 32 } as const;
/** Bytes that every form has. */
const FIELDS = 28;
/** Fields of `struct rseq_cs`: version, flags, start, length after the start, where it goes on if it is aborted. */
const SECTION = 32;
const UNREGISTER = 1;
const UNINITIALIZED = -1;

/** Restartable sequences of a thread: its block in user memory, which says where it runs, and which sequence it is in. */
class Registration implements ResumeNotifier {
  readonly address: number;
  readonly bytes: number;
  readonly signature: number;
  readonly #kernel: Kernel;
  readonly #buffer = new UserBuffer(SECTION);

  constructor(kernel: Kernel, address: number, bytes: number, signature: number) {
    this.#kernel = kernel;
    this.address = address;
    this.bytes = bytes;
    this.signature = signature;
  }

  resume(cpu: Cpu, thread: Thread): void {
    if (thread.process.exit !== null || thread.process.dying !== 0) return;
    if (!this.#abort(cpu, thread) || !this.update(cpu, thread)) this.#kernel.signals.force(cpu, thread, Signal.SEGV);
  }

  /** The block says where the thread runs. @returns false if it cannot be written */
  update(cpu: Cpu, thread: Thread): boolean {
    const buffer = this.#buffer.set32(0, cpu.id).set32(4, cpu.id);
    if (buffer.store(cpu, thread, this.address, 8) < 0) return false;
    // Ids of a process are dense: below the number of its threads.
    buffer.set32(0, cpu.socket).set32(4, thread.process.threads.indexOf(thread));
    return buffer.store(cpu, thread, this.address + Field.nodeId, 8) >= 0;
  }

  /** The block says that nobody keeps it up to date. */
  reset(cpu: Cpu, thread: Thread): number {
    const buffer = this.#buffer.set32(0, 0).set32(4, UNINITIALIZED);
    if (buffer.store(cpu, thread, this.address, 8) < 0) return -Errno.EFAULT;
    return buffer
      .set32(0, 0)
      .set32(4, 0)
      .store(cpu, thread, this.address + Field.nodeId, 8) < 0
      ? -Errno.EFAULT
      : 0;
  }

  /**
   * rseq_ip_fixup: a sequence that was interrupted goes on where it is to be aborted. @returns false if the block or the sequence is wrong
   */
  #abort(cpu: Cpu, thread: Thread): boolean {
    const buffer = this.#buffer;
    const { frame } = thread;
    if (buffer.load(cpu, thread, this.address + Field.criticalSection, 8) < 0) return false;
    const section = buffer.u64(0);
    if (section === 0) return true;
    if (section >= TASK_SIZE || buffer.load(cpu, thread, section, SECTION) < 0) return false;
    const [version, flags, start, length, abort] = [buffer.u32(0), buffer.u32(4), buffer.u64(8), buffer.u64(16), buffer.u64(24)];
    const wrong = version > 0 || start >= TASK_SIZE || start + length >= TASK_SIZE || abort >= TASK_SIZE || isWithin(abort, start, length);
    if (wrong || buffer.load(cpu, thread, abort - 4, 4) < 0 || buffer.u32(0) !== this.signature) return false;
    const ip = frame.rip !== 0 ? frame.rip : (frame.user?.rip ?? 0);
    const inside = isWithin(ip, start, length);
    if (inside && flags !== 0) return false;
    buffer.clear(8);
    if (buffer.store(cpu, thread, this.address + Field.criticalSection, 8) < 0) return false;
    if (inside) frame.rip = abort;
    return true;
  }
}

const isWithin = (address: number, start: number, length: number): boolean => address >= start && address < start + length;

/** rseq(2). */
export function defineRseq(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const buffer = new UserBuffer(8);

  calls.define(
    'rseq',
    (cpu, thread, { a0, a1, a2, a3 }) => {
      cpu.charge(PosixStep.identity);
      const [bytes, flags, signature] = [a1 >>> 0, a2 | 0, a3 >>> 0];
      const present = thread.resumeNotifier instanceof Registration ? thread.resumeNotifier : null;
      if ((flags & UNREGISTER) !== 0) {
        if ((flags & ~UNREGISTER) !== 0 || present?.address !== a0 || present.bytes !== bytes) return -Errno.EINVAL;
        if (present.signature !== signature) return -Errno.EPERM;
        const failed = present.reset(cpu, thread);
        if (failed === 0) thread.resumeNotifier = null;
        return failed;
      }
      if (flags !== 0) return -Errno.EINVAL;
      if (present !== null) {
        if (present.address !== a0 || present.bytes !== bytes) return -Errno.EINVAL;
        return present.signature === signature ? -Errno.EBUSY : -Errno.EPERM;
      }
      if (bytes < Field.size || a0 % Field.size !== 0) return -Errno.EINVAL;
      if (a0 < 0 || a0 + bytes > TASK_SIZE) return -Errno.EFAULT;
      // A sequence left there would be taken for one under way.
      if (buffer.load(cpu, thread, a0 + Field.criticalSection, 8) < 0) return -Errno.EFAULT;
      if (buffer.u64(0) !== 0 && buffer.clear(8).store(cpu, thread, a0 + Field.criticalSection, 8) < 0) return -Errno.EFAULT;
      const registration = new Registration(kernel, a0, bytes, signature);
      thread.resumeNotifier = registration;
      registration.resume(cpu, thread);
      return 0;
    },
    { missing: `mm_cid is the place of the thread in its process, not the smallest number free; fields beyond the first ${FIELDS} bytes` },
  );

  // A new thread registers itself; the child of a fork goes on with its copy.
  hooks.kernelClone.tap(plugin, (_cpu, parent, child) => {
    if (child.process !== parent.process) child.resumeNotifier = parent.resumeNotifier;
  });
  hooks.kernelMemoryRelease.tap(plugin, (_cpu, thread) => {
    thread.resumeNotifier = null;
  });
}
