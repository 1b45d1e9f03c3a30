import type { Cpu } from '@rpal/hw-x86';
import { MemFd } from '@rpal/ipc';
import { Inotify, OpenFlag } from '@rpal/uapi';
import type { Caller } from '@rpal/vfs';
import { lockCommand } from '../locks/lock-call.js';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { RegularInode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';
import { credentialsOf, FileCapability, isCapable, privilegedBits } from '../walk/permission.js';
import { closed, flushed, rememberedFlags } from './open-inode.js';

/** An open regular file. */
export class RegularFile extends MemFd implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;
  readonly inode: RegularInode;

  constructor(tree: FileTree, dentry: Dentry, flags: number) {
    const inode = dentry.inode as RegularInode;
    super(inode.content, flags);
    this.flags = rememberedFlags(flags);
    this.tree = tree;
    this.dentry = dentry;
    this.inode = inode;
  }

  override get mode(): number {
    return this.inode.mode;
  }

  override get takesDirect(): boolean {
    return true;
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    const n = super.readAt(cpu, caller, address, length, offset);
    if (n < 0) return n;
    if ((this.flags & OpenFlag.NOATIME) === 0) this.tree.accessed(cpu, this.inode);
    if (n > 0) this.tree.event(cpu, this.dentry, Inotify.ACCESS);
    return n;
  }

  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    const n = super.writeAt(cpu, caller, address, length, offset);
    if (n > 0) this.changed(cpu);
    return n;
  }

  override storeBytes(cpu: Cpu, caller: Caller, bytes: Uint8Array, offset: number): number {
    const n = super.storeBytes(cpu, caller, bytes, offset);
    if (n > 0) this.changed(cpu);
    return n;
  }

  /** It is about to be changed by `caller`: its times are set, and bits that would give privileges away go. */
  protected override changes(cpu: Cpu, caller: Caller): void {
    this.inode.setTimes(this.tree.clock.now(cpu));
    dropPrivileges(this.inode, caller);
  }

  /** Its contents have been changed. */
  changed(cpu: Cpu): void {
    this.tree.event(cpu, this.dentry, Inotify.MODIFY);
  }

  override truncate(cpu: Cpu, caller: Caller, size: number): number {
    const result = super.truncate(cpu, caller, size);
    if (result < 0) return result;
    dropPrivileges(this.inode, caller);
    truncated(cpu, this.tree, this.dentry);
    return 0;
  }

  override fcntl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    return (
      lockCommand(cpu, caller, this, { position: this.position, size: this.size }, command, argument) ??
      super.fcntl(cpu, caller, command, argument)
    );
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
    super.release(cpu);
  }
}

/** A regular file has been given a size. */
export function truncated(cpu: Cpu, tree: FileTree, dentry: Dentry): void {
  cpu.charge(TmpfsStep.truncateBody);
  dentry.inode.setTimes(tree.clock.now(cpu));
  tree.event(cpu, dentry, Inotify.MODIFY);
}

/** Clears the bits that a program must not keep when somebody without privileges has changed it (Linux: `file_remove_privs`). */
export function dropPrivileges(inode: RegularInode, caller: Caller): void {
  const credentials = credentialsOf(caller);
  if (!isCapable(credentials, FileCapability.FSETID)) inode.mode &= ~privilegedBits(inode, credentials);
}
