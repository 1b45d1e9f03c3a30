import { definePlugin, type Plugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { type Call, Capability, type ProcessTable, type Program, type Thread, type UserContext } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import manifest from '../package.json' with { type: 'json' };
import { copyBetween, Way } from './copy-operation.js';
import { CopyStep } from './steps.js';

/** Numbers of the calls, beyond those of Linux 6.15. @public for programs that make the calls */
export const CopyCall = { copy_from_process: 1220, copy_to_process: 1221 } as const;

/** The two system calls of the proposal. */
export const crossMemoryAttach: () => Plugin = definePlugin({
  name: '@rpal/cross-memory-attach',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  setup({ plugin, syscalls, machine }) {
    const { processes } = machine.kernel;
    const signature = 'pid addr* length buf* flags*';
    syscalls.define(CopyCall.copy_from_process, (cpu, thread, regs) => copy(processes, cpu, thread, regs, Way.FROM), {
      name: 'copy_from_process',
      plugin,
      signature,
    });
    syscalls.define(CopyCall.copy_to_process, (cpu, thread, regs) => copy(processes, cpu, thread, regs, Way.TO), {
      name: 'copy_to_process',
      plugin,
      signature,
    });
  },
});

/** Nothing is done with the flags, as in the proposal. */
function copy(
  processes: ProcessTable,
  cpu: Cpu,
  thread: Thread,
  { a0: pid, a1: far, a2: length, a3: near }: UserContext,
  way: boolean,
): number {
  cpu.charge(CopyStep.call);
  if (length < 0) return -Errno.EINVAL;
  const target = processes.thread(pid | 0)?.process;
  if (target === undefined) return -Errno.ESRCH;
  // The rule of the proposal: the same owner, or the capability. That the other one may have made itself not dumpable is not asked.
  if (!thread.process.mayInspect(target, Capability.SYS_PTRACE)) return -Errno.EPERM;
  if (target.mm.dead) return -Errno.ESRCH;
  return length === 0 ? 0 : copyBetween(cpu, thread, near, target.mm, far, length, way);
}

/**
 * Copies `length` bytes at `address` of process `pid` to `buffer` of this one.
 * @returns bytes, fewer where memory ends on either side; or -EFAULT, -EPERM, -ESRCH, -EINVAL
 */
export function copyFromProcess(p: Program, pid: number, address: number, length: number, buffer: number): Call {
  return p.syscall(CopyCall.copy_from_process, pid, address, length, buffer);
}

/** Copies `length` bytes at `buffer` of this process to `address` of process `pid`. @returns as copyFromProcess @public for programs that write to others */
export function copyToProcess(p: Program, pid: number, address: number, length: number, buffer: number): Call {
  return p.syscall(CopyCall.copy_to_process, pid, address, length, buffer);
}
