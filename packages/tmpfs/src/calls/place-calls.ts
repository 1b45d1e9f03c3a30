import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { AccessMode, At, Errno } from '@rpal/uapi';
import { type Dentry, pathBelow } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { isDirectory } from '../tree/inode.js';
import { dentryOf, PathWalk } from '../walk/path-walk.js';
import { FileCapability, isCapable, permission } from '../walk/permission.js';
import type { Define } from './call-table.js';

const PATH_MAX = 4096;
const buffer = new UserBuffer(PATH_MAX);

/** Calls about where a process is in the tree. */
export function definePlaceCalls(define: Define, tree: FileTree): void {
  /** A directory that a process may go to. */
  const directoryAt = (cpu: Cpu, thread: Thread, path: string | number): Dentry | number => {
    if (typeof path === 'number') return path;
    const found = new PathWalk(tree, cpu, thread).lookUp(At.FDCWD, path, true);
    return typeof found === 'number' ? found : mayGoTo(found, thread);
  };

  define('chdir', (cpu, thread, { args, a0 }) => {
    const found = directoryAt(cpu, thread, args.string(cpu, thread, a0));
    if (typeof found === 'number') return found;
    tree.contexts.of(thread.process).directory = found;
    return 0;
  });
  define('fchdir', (cpu, thread, { a0 }) => {
    const file = thread.process.files.lookUpRaw(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    const dentry = dentryOf(file);
    const found = dentry === null ? -Errno.ENOTDIR : mayGoTo(dentry, thread);
    if (typeof found === 'number') return found;
    tree.contexts.of(thread.process).directory = found;
    return 0;
  });
  define('chroot', (cpu, thread, { args, a0 }) => {
    const found = directoryAt(cpu, thread, args.string(cpu, thread, a0));
    if (typeof found === 'number') return found;
    if (!isCapable(thread.process.credentials, FileCapability.SYS_CHROOT)) return -Errno.EPERM;
    tree.contexts.of(thread.process).root = found;
    return 0;
  });
  define('getcwd', (cpu, thread, { a0, a1 }) => {
    const { root, directory } = tree.contexts.of(thread.process);
    if (directory.removed) return -Errno.ENOENT;
    const path = pathBelow(directory, root) ?? `(unreachable)${pathBelow(directory, tree.root)}`;
    if (path.length + 1 > PATH_MAX) return -Errno.ENAMETOOLONG;
    // The size is unsigned: a negative register is more than any path.
    if (a1 >= 0 && path.length + 1 > a1) return -Errno.ERANGE;
    for (let i = 0; i < path.length; i++) buffer.view.setUint8(i, path.charCodeAt(i));
    buffer.view.setUint8(path.length, 0);
    return buffer.copy(cpu, thread, a0, path.length + 1) < 0 ? -Errno.EFAULT : path.length + 1;
  });
  define('umask', (_cpu, thread, { a0 }) => {
    const context = tree.contexts.of(thread.process);
    const old = context.umask;
    context.umask = a0 & 0o777;
    return old;
  });
}

function mayGoTo(dentry: Dentry, { process: { credentials } }: Thread): Dentry | number {
  if (!isDirectory(dentry.inode)) return -Errno.ENOTDIR;
  const refused = permission(dentry.inode, AccessMode.EXECUTE, credentials);
  return refused < 0 ? refused : dentry;
}
