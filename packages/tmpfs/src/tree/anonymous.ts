import { PipeEnd } from '@rpal/ipc';
import { FileMode } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { FileTree } from './file-tree.js';

const numbers = new WeakMap<FileTree, { next: number; readonly of: WeakMap<object, number> }>();

/** What stands for the inode of a file without a name: both ends of a pipe are one, and all that are mere functions of the kernel are one. */
export function inodeOfFile(tree: FileTree, file: File): object {
  const isFunction = (file.mode & FileMode.TYPE) === 0;
  return isFunction ? tree : file instanceof PipeEnd ? file.pipe : file;
}

/** `st_ino` of a file without a name. */
export function numberOfFile(tree: FileTree, file: File): number {
  const inode = inodeOfFile(tree, file);
  let given = numbers.get(tree);
  if (given === undefined) {
    given = { next: 1, of: new WeakMap() };
    numbers.set(tree, given);
  }
  let number = given.of.get(inode);
  if (number === undefined) {
    number = given.next++;
    given.of.set(inode, number);
  }
  return number;
}
