import { File } from '@rpal/vfs';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { TreeFile } from '../tree/tree-file.js';

/** A file that was opened with O_PATH: a place in the tree, from which other calls may start, and nothing else. */
export class PathFile extends File implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;

  constructor(tree: FileTree, dentry: Dentry, flags: number) {
    super(flags);
    this.tree = tree;
    this.dentry = dentry;
    dentry.inode.opened++;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override release(cpu: Parameters<File['release']>[0]): void {
    this.dentry.inode.opened--;
    this.tree.retire(cpu, this.dentry.inode);
  }
}
