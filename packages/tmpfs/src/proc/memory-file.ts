import { type Cpu, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import { Capability, type Process, type Thread } from '@rpal/kernel';
import { copyFromUser, copyToUser, type MmStruct, remotePage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { type Caller, PositionedFile } from '@rpal/vfs';
import { closed, flushed, mayRead, mayWrite, rememberedFlags } from '../open/open-inode.js';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type InodeFields, MadeInode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';

/** Which way data goes. */
const Transfer = { READ: false, WRITE: true } as const;

/**
 * /proc/PID/mem: the memory of a process, whose addresses are the positions (Linux: `mem_rw`). Each byte is copied twice, through a page
 * of the kernel. Linux reads and writes what an area forbids, too (FOLL_FORCE); here that is refused as if nothing were there.
 */
class MemoryFile extends PositionedFile implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;
  readonly #process: Process;

  constructor(tree: FileTree, dentry: Dentry, flags: number, process: Process) {
    super(rememberedFlags(flags));
    this.tree = tree;
    this.dentry = dentry;
    this.#process = process;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override get pollable(): boolean {
    return false;
  }

  override get canRead(): boolean {
    return mayRead(this);
  }

  override get canWrite(): boolean {
    return mayWrite(this);
  }

  /** It has no end. */
  protected override get size(): number {
    return Number.NaN;
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    return mayRead(this) ? this.#transfer(cpu, caller, address, length, offset, Transfer.READ) : -Errno.EBADF;
  }

  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    return mayWrite(this) ? this.#transfer(cpu, caller, address, length, offset, Transfer.WRITE) : -Errno.EBADF;
  }

  #transfer(cpu: Cpu, caller: Caller, address: number, length: number, offset: number, write: boolean): number {
    const process = this.#process;
    // The file does not keep the memory of a process that has ended.
    if (process.exit !== null || length === 0) return 0;
    const { heap } = caller.memory.manager;
    const buffer = heap.allocate(PAGE_SIZE);
    if (buffer < 0) return -Errno.ENOMEM;
    cpu.charge(TmpfsStep.memoryFile);
    let done = 0;
    let failed = 0;
    while (done < length && failed === 0) {
      const wanted = Math.min(length - done, PAGE_SIZE);
      if (write && copyFromUser(cpu, caller.memory, buffer, address + done, wanted) < 0) failed = -Errno.EFAULT;
      else {
        const part = copyRemote(cpu, process.mm, offset + done, buffer, wanted, write);
        if (part === 0) failed = -Errno.EIO;
        else if (!write && copyToUser(cpu, caller.memory, address + done, buffer, part) < 0) failed = -Errno.EFAULT;
        else done += part;
      }
    }
    heap.free(buffer, PAGE_SIZE);
    return failed === -Errno.EFAULT || done === 0 ? failed : done;
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
  }
}

/** Between memory of a process and a page of the kernel (Linux: `access_remote_vm`). @returns bytes before the first that is not there */
function copyRemote(cpu: Cpu, mm: MmStruct, address: number, buffer: number, length: number, write: boolean): number {
  let done = 0;
  while (done < length) {
    const part = Math.min(length - done, PAGE_SIZE - ((address + done) & PAGE_MASK));
    cpu.charge(TmpfsStep.memoryFilePage);
    const there = remotePage(cpu, mm, address + done, write);
    if (there < 0) return done;
    cpu.chargeBytes(TmpfsStep.memoryFileCopy, part);
    cpu.coherence.touchRange(cpu, there, part, write);
    if (write) cpu.memory.copy(there, buffer + done, part);
    else cpu.memory.copy(buffer + done, there, part);
    done += part;
  }
  return done;
}

/** /proc/PID/mem; only who may trace the process opens it (Linux: `proc_mem_open`). */
export function memoryInode(fields: InodeFields, process: Process): MadeInode {
  return new MadeInode(fields, (tree, dentry, flags) => {
    const { scheduler, platform } = tree.kernel;
    const { process: opener } = scheduler.current(platform.running as Cpu) as Thread;
    if (process.exit !== null) return -Errno.ESRCH;
    if (!opener.mayInspect(process, Capability.SYS_PTRACE)) return -Errno.EACCES;
    return new MemoryFile(tree, dentry, flags, process);
  });
}
