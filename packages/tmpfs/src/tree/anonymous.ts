import { PipeEnd } from '@rpal/ipc';
import { FileMode } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { FileTree } from './file-tree.js';

const numbers = new WeakMap<FileTree, { next: number; readonly of: WeakMap<object, number> }>();

/** `st_ino` of a file without a name. Both ends of a pipe are one inode, and all that are mere functions of the kernel are one. */
export function numberOfFile(tree: FileTree, file: File): number {
  let given = numbers.get(tree);
  if (given === undefined) {
    given = { next: 1, of: new WeakMap() };
    numbers.set(tree, given);
  }
  const isFunction = (file.mode & FileMode.TYPE) === 0;
  const inode = isFunction ? tree : file instanceof PipeEnd ? file.pipe : file;
  let number = given.of.get(inode);
  if (number === undefined) {
    number = given.next++;
    given.of.set(inode, number);
  }
  return number;
}
