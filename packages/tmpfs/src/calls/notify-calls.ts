import { AccessMode, At, Errno, Inotify, OpenFlag } from '@rpal/uapi';
import { InotifyFile } from '../notify/inotify.js';
import type { FileTree } from '../tree/file-tree.js';
import { isDirectory } from '../tree/inode.js';
import { PathWalk } from '../walk/path-walk.js';
import { permission } from '../walk/permission.js';
import type { Define } from './call-table.js';

const KNOWN =
  Inotify.ALL_EVENTS |
  Inotify.UNMOUNT |
  Inotify.Q_OVERFLOW |
  Inotify.IGNORED |
  Inotify.ONLYDIR |
  Inotify.DONT_FOLLOW |
  Inotify.EXCL_UNLINK |
  Inotify.MASK_CREATE |
  Inotify.MASK_ADD |
  Inotify.ISDIR |
  Inotify.ONESHOT;

/** Calls that watch files. */
export function defineNotifyCalls(define: Define, tree: FileTree): void {
  define('inotify_init', (cpu, { process: { files } }) => files.install(cpu, new InotifyFile(tree.kernel.scheduler, 0)));
  define('inotify_init1', (cpu, { process: { files } }, { a0 }) => {
    if ((a0 & ~(OpenFlag.NONBLOCK | OpenFlag.CLOEXEC)) !== 0) return -Errno.EINVAL;
    return files.install(cpu, new InotifyFile(tree.kernel.scheduler, a0), a0);
  });
  define('inotify_add_watch', (cpu, thread, { args, a0, a1, a2 }) => {
    const mask = a2 | 0;
    const both = Inotify.MASK_ADD | Inotify.MASK_CREATE;
    if ((mask & KNOWN) === 0 || (mask & ~KNOWN) !== 0) return -Errno.EINVAL;
    const file = thread.process.files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    if ((mask & both) === both || !(file instanceof InotifyFile)) return -Errno.EINVAL;
    const found = new PathWalk(tree, cpu, thread).lookUp(At.FDCWD, args.string(cpu, thread, a1), (mask & Inotify.DONT_FOLLOW) === 0);
    if (typeof found === 'number') return found;
    if ((mask & Inotify.ONLYDIR) !== 0 && !isDirectory(found.inode)) return -Errno.ENOTDIR;
    const refused = permission(found.inode, AccessMode.READ, thread.process.credentials);
    return refused < 0 ? refused : file.watch(found.inode, mask);
  });
  define('inotify_rm_watch', (cpu, thread, { a0, a1 }) => {
    const file = thread.process.files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    return file instanceof InotifyFile ? file.unwatch(cpu, a1 | 0) : -Errno.EINVAL;
  });
}
