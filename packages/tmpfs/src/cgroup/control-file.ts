import type { Cpu } from '@rpal/hw-x86';
import { type ProcessCredentials, type Thread, UserBuffer } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import { type Caller, PositionedFile } from '@rpal/vfs';
import { closed, flushed, mayRead, mayWrite, rememberedFlags } from '../open/open-inode.js';
import { TextFile } from '../open/text-file.js';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { TreeFile } from '../tree/tree-file.js';
import { credentialsOf } from '../walk/permission.js';
import type { Cgroup, CgroupHierarchy } from './cgroup.js';
import type { ControlFile } from './control-files.js';

/** Bytes that one write may have. */
const MOST_WRITTEN = 4096;

/** An open file of a cgroup (Linux: `struct kernfs_open_file`). Its text is made when it is read from its beginning. */
export class OpenControlFile extends PositionedFile implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;
  readonly #hierarchy: CgroupHierarchy;
  readonly #cgroup: Cgroup;
  readonly #file: ControlFile;
  #shown: TextFile | null = null;

  constructor(tree: FileTree, dentry: Dentry, flags: number, hierarchy: CgroupHierarchy, cgroup: Cgroup, file: ControlFile) {
    super(rememberedFlags(flags));
    this.tree = tree;
    this.dentry = dentry;
    this.#hierarchy = hierarchy;
    this.#cgroup = cgroup;
    this.#file = file;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override get pollable(): boolean {
    return false;
  }

  protected override get size(): number {
    return 0;
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if (!mayRead(this)) return -Errno.EBADF;
    if (this.#gone) return -Errno.ENODEV;
    if (this.#shown === null || offset === 0) {
      cpu.charge(TmpfsStep.makeText);
      this.#shown = new TextFile(this.#file.show(this.#hierarchy, this.#cgroup));
    }
    return this.#shown.readAt(cpu, caller, address, length, offset);
  }

  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number): number {
    if (!mayWrite(this)) return -Errno.EBADF;
    if (length > MOST_WRITTEN) return -Errno.E2BIG;
    cpu.charge(TmpfsStep.writeControl);
    const bytes = new UserBuffer(length);
    if (length > 0 && bytes.load(cpu, caller as Thread, address, length) < 0) return -Errno.EFAULT;
    if (this.#gone) return -Errno.ENODEV;
    if (length === 0) return 0;
    const thread = caller as Thread;
    const opener = (this.opener as ProcessCredentials | null) ?? credentialsOf(caller);
    const result = this.#file.store?.(this.#hierarchy, this.#cgroup, bytes.text(0, length).trim(), { cpu, thread, opener });
    return result === 0 ? length : (result ?? -Errno.EINVAL);
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
  }

  /** The cgroup has been taken away, or has lost the controller that the file belongs to. */
  get #gone(): boolean {
    return this.#cgroup.dead || !this.#file.has(this.#cgroup);
  }
}
