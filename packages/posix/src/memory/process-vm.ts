import { type Cpu, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import { IpcStep } from '@rpal/ipc';
import { Capability, KernelStep, type ProcessTable, type Thread, type UserContext } from '@rpal/kernel';
import { type MmStruct, remotePage, userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { chargeCopy, type IoVec, importSegments } from '@rpal/vfs';
import type { Calls } from '../calls.js';

/** Which way data goes. */
const Transfer = { READ: false, WRITE: true } as const;

/** One copy between the memory of two processes. */
export function defineProcessVmCalls(calls: Calls): void {
  const { processes } = calls.kernel;
  calls.define('process_vm_readv', (cpu, thread, regs) => processVm(processes, cpu, thread, regs, Transfer.READ), { signature: 'pid' });
  calls.define('process_vm_writev', (cpu, thread, regs) => processVm(processes, cpu, thread, regs, Transfer.WRITE), { signature: 'pid' });
}

function processVm(
  processes: ProcessTable,
  cpu: Cpu,
  thread: Thread,
  { args, a0, a1, a2, a3, a4, a5 }: UserContext,
  write: boolean,
): number {
  if (a5 !== 0) return -Errno.EINVAL;
  const given = args.segments(cpu, thread, a1, a2);
  const local = typeof given === 'number' ? given : importSegments(given);
  if (typeof local === 'number') return local;
  if (local.every(({ length }) => length === 0)) return 0;
  const remote = args.remoteSegments(cpu, thread, a3, a4);
  if (typeof remote === 'number') return remote;
  if (remote.some(({ length }) => length < 0)) return -Errno.EINVAL;
  if (remote.every(({ length }) => length === 0)) return 0;
  const target = processes.thread(a0 | 0)?.process;
  if (target === undefined) return -Errno.ESRCH;
  if (!thread.process.mayInspect(target, Capability.SYS_PTRACE)) return -Errno.EPERM;
  if (target.exit !== null && target.threads.length === 0) return -Errno.ESRCH;
  return processVmAccess(cpu, thread.memory, local, target.mm, remote, write);
}

/** process_vm_readv(2) and process_vm_writev(2): one copy between the memory of two processes, page by page. */
function processVmAccess(
  cpu: Cpu,
  local: MmStruct,
  localSegments: readonly IoVec[],
  remote: MmStruct,
  remoteSegments: readonly IoVec[],
  write: boolean,
): number {
  cpu.charge(KernelStep.processVm);
  const room = total(localSegments);
  const wanted = Math.min(room, total(remoteSegments));
  let done = 0;
  /** The segment there whose pages are being pinned. */
  let pinned = -1;
  while (done < wanted) {
    const near = locate(localSegments, done);
    const far = locate(remoteSegments, done);
    const part = Math.min(
      near.length,
      far.length,
      wanted - done,
      PAGE_SIZE - (near.address & PAGE_MASK),
      PAGE_SIZE - (far.address & PAGE_MASK),
    );
    const segment = indexAt(remoteSegments, done);
    if (segment !== pinned) cpu.charge(KernelStep.processVmSegment);
    pinned = segment;
    cpu.charge(KernelStep.processVmPin);
    const there = remotePage(cpu, remote, far.address, write);
    if (there < 0) return done > 0 ? done : -Errno.EFAULT;
    const here = userPage(cpu, local, near.address, !write);
    if (here < 0) return done > 0 ? done : -Errno.EFAULT;
    chargeCopy(cpu, IpcStep.pipeCopyOut, part);
    cpu.coherence.touch(cpu, there, write);
    cpu.coherence.touchRange(cpu, there, part, write);
    cpu.coherence.touchRange(cpu, here, part, !write);
    if (write) cpu.memory.copy(there, here, part);
    else cpu.memory.copy(here, there, part);
    done += part;
  }
  return done;
}

function total(segments: readonly IoVec[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

/** The piece of memory at `offset` into segments. */
function locate(segments: readonly IoVec[], offset: number): IoVec {
  let start = 0;
  for (const { address, length } of segments) {
    if (offset < start + length) return { address: address + offset - start, length: length - (offset - start) };
    start += length;
  }
  throw new RangeError(`offset ${offset} lies beyond the segments`);
}

/** Which of the segments has the byte at `offset`. */
function indexAt(segments: readonly IoVec[], offset: number): number {
  let end = 0;
  return segments.findIndex(({ length }) => {
    end += length;
    return offset < end;
  });
}
