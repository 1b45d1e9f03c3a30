import type { File } from '@rpal/vfs';
import type { Dentry } from './dentry.js';
import type { FileTree } from './file-tree.js';

/** An open file with a name in the tree. */
export interface TreeFile extends File {
  readonly tree: FileTree;
  readonly dentry: Dentry;
}

/** Makes the open file of a device or of a file in /proc; or says with a negative errno why not. */
export type SpecialOpener = (tree: FileTree, dentry: Dentry, flags: number) => TreeFile | number;
