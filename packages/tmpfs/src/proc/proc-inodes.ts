import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { Errno, FileMode } from '@rpal/uapi';
import type { Caller } from '@rpal/vfs';
import { closed, flushed, mayWrite, rememberedFlags } from '../open/open-inode.js';
import { TextFile } from '../open/text-file.js';
import { TmpfsStep } from '../steps.js';
import { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { DirectoryInode, type Inode, type InodeFields, MadeInode, SymlinkInode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';

/** What a directory of /proc holds, determined at each look-up. */
export interface Contents {
  names(): readonly string[];
  has(name: string): boolean;
  /** Makes the inode of a name that it has. */
  make(name: string): Inode;
}

/** A directory whose names come and go with what they stand for. */
export class ProcDirectory extends DirectoryInode {
  readonly #contents: Contents;
  readonly #known: Map<string, Dentry> = new Map();

  constructor(fields: InodeFields, contents: Contents) {
    super(fields);
    this.#contents = contents;
    this.links = 2;
    this.fixed = true;
  }

  override get size(): number {
    return 0;
  }

  override get empty(): boolean {
    return false;
  }

  override find(name: string, self: Dentry): Dentry | null {
    if (!this.#contents.has(name)) {
      this.#known.delete(name);
      return null;
    }
    let dentry = this.#known.get(name);
    if (dentry === undefined) {
      dentry = new Dentry(name, self, this.#contents.make(name));
      this.#known.set(name, dentry);
    }
    return dentry;
  }

  /** In the order of `names`, as readdir returns them. */
  override list(self: Dentry): readonly Dentry[] {
    return this.#contents.names().flatMap((name, i) => {
      const dentry = this.find(name, self);
      if (dentry === null) return [];
      dentry.offset = i + 3;
      return [dentry];
    });
  }
}

/** Fixed contents: a name, and what makes its inode. */
export function contentsOf(entries: Readonly<Record<string, () => Inode>>): Contents {
  return {
    names: () => Object.keys(entries),
    has: (name) => Object.hasOwn(entries, name),
    make: (name) => (entries[name] as () => Inode)(),
  };
}

/** A symbolic link of /proc: a text that is made when it is asked for, or a way to a place in the tree, whatever its text. */
export class ProcLink extends SymlinkInode {
  readonly #text: () => string | number;
  readonly #jump: (() => Dentry | null) | null;

  constructor(fields: InodeFields, text: () => string | number, jump: (() => Dentry | null) | null = null) {
    super({ ...fields, mode: FileMode.SYMLINK | 0o777 }, '');
    this.#text = text;
    this.#jump = jump;
  }

  override get size(): number {
    return 0;
  }

  override get magic(): boolean {
    return this.#jump !== null;
  }

  override jump(): Dentry | null {
    return this.#jump?.() ?? null;
  }

  override text(): string | number {
    return this.#text();
  }
}

/** Bytes of a write that are looked at: names and numbers are shorter. */
const MOST_WRITTEN = 4096;

/** An open file of /proc: its text is that of the moment in which it was opened. */
class OpenProcFile extends TextFile implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;

  readonly #accept: ((text: string) => void) | null;

  constructor(tree: FileTree, dentry: Dentry, flags: number, text: string, accept: ((text: string) => void) | null) {
    super(text);
    this.#accept = accept;
    this.flags = rememberedFlags(flags);
    this.tree = tree;
    this.dentry = dentry;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override get canWrite(): boolean {
    return this.#accept !== null;
  }

  override write(cpu?: Cpu, caller?: Caller, address = 0, length = 0): number {
    if (!mayWrite(this)) return -Errno.EBADF;
    if (this.#accept === null || cpu === undefined || caller === undefined) return -Errno.EINVAL;
    const bytes = new UserBuffer(Math.min(length, MOST_WRITTEN));
    if (bytes.load(cpu, caller as Thread, address, bytes.view.byteLength) < 0) return -Errno.EFAULT;
    this.#accept(bytes.text(0, bytes.view.byteLength));
    return length;
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
  }
}

/**
 * A file of /proc.
 * @param text made when it is opened; a negative errno: it cannot be
 * @param accept what is done with what is written to it; null: it is only to be read
 */
export function procFile(fields: InodeFields, text: () => string | number, accept: ((text: string) => void) | null = null): MadeInode {
  return new MadeInode(fields, (tree, dentry, flags) => {
    tree.kernel.platform.running?.charge(TmpfsStep.makeText);
    const now = text();
    return typeof now === 'number' ? now : new OpenProcFile(tree, dentry, flags, now, accept);
  });
}
