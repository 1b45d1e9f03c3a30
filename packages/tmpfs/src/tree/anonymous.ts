import { MessageQueueFile, PipeEnd } from '@rpal/ipc';
import type { ProcessCredentials } from '@rpal/kernel';
import { FileMode } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { FileTree } from './file-tree.js';
import type { Attributed } from './inode.js';
import type { Timestamp } from './timestamp.js';

/** What a file without a name has of an inode. */
export interface NamelessInode extends Attributed {
  readonly number: number;
}

const inodes = new WeakMap<FileTree, { next: number; readonly of: WeakMap<object, NamelessInode> }>();

/** What stands for the inode of a file without a name: both ends of a pipe are one, and all that are mere functions of the kernel are one. */
export function inodeOfFile(tree: FileTree, file: File): object {
  const isFunction = (file.mode & FileMode.TYPE) === 0;
  if (isFunction) return tree;
  return file instanceof PipeEnd ? file.pipe : file instanceof MessageQueueFile ? file.queue : file;
}

/** Its attributes: it belongs to who opened it, the one of the kernel's functions to root. */
export function namelessInode(tree: FileTree, file: File): NamelessInode {
  const key = inodeOfFile(tree, file);
  let made = inodes.get(tree);
  if (made === undefined) {
    made = { next: 1, of: new WeakMap() };
    inodes.set(tree, made);
  }
  let inode = made.of.get(key);
  if (inode === undefined) {
    const opener = key === tree ? null : (file.opener as ProcessCredentials | null);
    const time: Timestamp = { seconds: tree.clock.boot, nanoseconds: 0 };
    const { mode } = file;
    inode = {
      number: made.next++,
      type: mode & FileMode.TYPE,
      mode,
      uid: opener?.fsuid ?? 0,
      gid: opener?.fsgid ?? 0,
      accessed: time,
      modified: time,
      changed: time,
    };
    made.of.set(key, inode);
  }
  return inode;
}
