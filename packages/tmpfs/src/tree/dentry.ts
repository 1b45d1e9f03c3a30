import type { Inode } from './inode.js';

/** A name in the tree (Linux: `struct dentry`). The root of a file system is its own parent. */
export class Dentry {
  name: string;
  parent: Dentry;
  readonly inode: Inode;
  /** Its place in the directory, by which readdir goes on. */
  offset = 0;
  /** The name was taken away; open files may still have it. */
  removed = false;
  /** The root of the file system that is mounted here. */
  mounted: Dentry | null = null;
  /** Of the root of a file system: where it is mounted. */
  mountPoint: Dentry | null = null;

  constructor(name: string, parent: Dentry | null, inode: Inode) {
    this.name = name;
    this.parent = parent ?? this;
    this.inode = inode;
  }

  get isRoot(): boolean {
    return this.parent === this;
  }

  /** Is `other` this one, or above it in the same file system? */
  isBelow(other: Dentry): boolean {
    for (let at: Dentry = this; ; at = at.parent) {
      if (at === other) return true;
      if (at.isRoot) return false;
    }
  }
}

/** One step up, out of a mounted file system too; null above the root of the whole tree. */
export function above(dentry: Dentry): Dentry | null {
  let at = dentry;
  while (at.isRoot) {
    if (at.mountPoint === null) return null;
    at = at.mountPoint;
  }
  return at.parent;
}

/** The path of a dentry as seen from the root `root`; null if it is not below it. @public for tools that make or read trees */
export function pathBelow(dentry: Dentry, root: Dentry): string | null {
  let path = '';
  let at = dentry;
  while (at !== root) {
    while (at.isRoot) {
      if (at.mountPoint === null) return null;
      at = at.mountPoint;
      if (at === root) return path === '' ? '/' : path;
    }
    path = `/${at.name}${path}`;
    at = at.parent;
  }
  return path === '' ? '/' : path;
}

/** Likewise, as /proc shows it: with what became of it. */
export function shownPath(dentry: Dentry, root: Dentry): string {
  const path = pathBelow(dentry, root) ?? `(unreachable)${dentry.name}`;
  return dentry.removed ? `${path} (deleted)` : path;
}
