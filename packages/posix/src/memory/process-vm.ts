import { type Cpu, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import { IpcStep } from '@rpal/ipc';
import { KernelStep, type Process, type ProcessTable, type Thread, type UserContext } from '@rpal/kernel';
import { type MmStruct, remotePage, userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { chargeCopy, type IoVec, importSegments } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { mayAttach } from '../identity/may-attach.js';
import type { TraitTable } from '../identity/traits.js';

/** Which way data goes. */
const Transfer = { READ: false, WRITE: true } as const;

/** One copy between the memory of two processes. */
export function defineProcessVmCalls(calls: Calls, traits: TraitTable): void {
  const { processes } = calls.kernel;
  const may = (caller: Process, target: Process): boolean => mayAttach(caller, target, traits);
  calls.define('process_vm_readv', (cpu, thread, regs) => processVm(processes, may, cpu, thread, regs, Transfer.READ), {
    signature: 'pid',
  });
  calls.define('process_vm_writev', (cpu, thread, regs) => processVm(processes, may, cpu, thread, regs, Transfer.WRITE), {
    signature: 'pid',
  });
}

function processVm(
  processes: ProcessTable,
  may: (caller: Process, target: Process) => boolean,
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
  if (!may(thread.process, target)) return -Errno.EPERM;
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
    if (copyPiece(cpu, local, near.address, remote, far.address, part, write) < 0) return done > 0 ? done : -Errno.EFAULT;
    done += part;
  }
  return done;
}

/**
 * Copies bytes between this process and another one; they lie within one page on either side. The other's page is pinned meanwhile.
 * @param write to the other process; else from it
 * @returns 0, or -EFAULT @public for plugins that copy between processes in ways of their own
 */
export function copyPiece(cpu: Cpu, local: MmStruct, near: number, remote: MmStruct, far: number, bytes: number, write: boolean): number {
  cpu.charge(KernelStep.processVmPin);
  const there = remotePage(cpu, remote, far, write);
  if (there < 0) return -Errno.EFAULT;
  const here = userPage(cpu, local, near, !write);
  if (here < 0) return -Errno.EFAULT;
  chargeCopy(cpu, IpcStep.pipeCopyOut, bytes);
  cpu.coherence.touch(cpu, there, write);
  cpu.coherence.touchRange(cpu, there, bytes, write);
  cpu.coherence.touchRange(cpu, here, bytes, !write);
  if (write) cpu.memory.copy(there, here, bytes);
  else cpu.memory.copy(here, there, bytes);
  return 0;
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
