import type { Cpu } from '@rpal/hw-x86';
import { Errno, FileMode } from '@rpal/uapi';
import { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { DirectoryInode, type DirectoryOperations, type InodeFields, MadeInode } from '../tree/inode.js';
import { FsMagic } from '../tree/super-block.js';
import type { Cgroup, CgroupHierarchy } from './cgroup.js';
import { OpenControlFile } from './control-file.js';
import { CONTROL_FILES, type ControlFile } from './control-files.js';

/** Mounts the hierarchy. The place is a directory that is there. */
export function mountCgroups(tree: FileTree, at: Dentry, hierarchy: CgroupHierarchy): void {
  const fs = tree.superBlock('cgroup2', FsMagic.cgroup2);
  const fields: InodeFields = { fs, mode: FileMode.DIRECTORY | 0o555, uid: 0, gid: 0, time: tree.bootTime };
  tree.mount(at, new Dentry('/', null, new CgroupDirectory(fields, hierarchy, hierarchy.root)));
}

/** A cgroup as a directory: the files of its controllers, and the cgroups below it. Programs make and remove cgroups, and nothing else. */
class CgroupDirectory extends DirectoryInode implements DirectoryOperations {
  readonly #fields: InodeFields;
  readonly #hierarchy: CgroupHierarchy;
  readonly #cgroup: Cgroup;
  readonly #files: Map<string, Dentry> = new Map();

  constructor(fields: InodeFields, hierarchy: CgroupHierarchy, cgroup: Cgroup) {
    super(fields);
    this.#fields = fields;
    this.#hierarchy = hierarchy;
    this.#cgroup = cgroup;
    this.links = 2;
    this.fixed = true;
    cgroup.procs = this.#inodeOf(CONTROL_FILES['cgroup.procs'] as ControlFile);
  }

  override get size(): number {
    return 0;
  }

  override get directories(): DirectoryOperations {
    return this;
  }

  makeDirectory(_cpu: Cpu, name: string, fields: Omit<InodeFields, 'fs'>): DirectoryInode | number {
    // It would break the lines of /proc/PID/cgroup.
    if (name.includes('\n')) return -Errno.EINVAL;
    return new CgroupDirectory({ ...fields, fs: this.fs }, this.#hierarchy, this.#hierarchy.make(this.#cgroup, name));
  }

  removeDirectory(cpu: Cpu, victim: DirectoryInode): number {
    return this.#hierarchy.remove(cpu, (victim as CgroupDirectory).#cgroup);
  }

  override find(name: string, self: Dentry): Dentry | null {
    const below = super.find(name, self);
    if (below !== null || this.dead) return below;
    const file = Object.hasOwn(CONTROL_FILES, name) ? (CONTROL_FILES[name] as ControlFile) : null;
    if (file === null || !file.has(this.#cgroup)) {
      this.#files.delete(name);
      return null;
    }
    let dentry = this.#files.get(name);
    if (dentry === undefined) {
      dentry = new Dentry(name, self, (name === 'cgroup.procs' && this.#cgroup.procs) || this.#inodeOf(file));
      this.#files.set(name, dentry);
    }
    return dentry;
  }

  override list(self: Dentry): readonly Dentry[] {
    const files = Object.keys(CONTROL_FILES).flatMap((name) => this.find(name, self) ?? []);
    const all = [...files, ...super.list(self)];
    all.forEach((dentry, i) => {
      dentry.offset = i + 3;
    });
    return all;
  }

  #inodeOf(file: ControlFile): MadeInode {
    const { uid, gid, time } = this.#fields;
    const mode = FileMode.REGULAR | (file.store === undefined ? 0o444 : 0o644);
    const open = (tree: FileTree, dentry: Dentry, flags: number) =>
      new OpenControlFile(tree, dentry, flags, this.#hierarchy, this.#cgroup, file);
    return new MadeInode({ fs: this.fs, mode, uid, gid, time }, open);
  }
}
