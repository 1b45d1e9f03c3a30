import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { At, Errno, OpenFlag, RenameFlag, Resolve } from '@rpal/uapi';
import { makeDirectory, makeNode, makeSymlink } from '../names/create.js';
import { makeLink } from '../names/link.js';
import { removeDirectory, removeFile } from '../names/remove.js';
import { rename } from '../names/rename.js';
import { openAt } from '../open/open.js';
import type { FileTree } from '../tree/file-tree.js';
import { SymlinkInode } from '../tree/inode.js';
import { dentryOf, PathWalk } from '../walk/path-walk.js';
import type { Define } from './call-table.js';

const PATH_MAX = 4096;
const { NOREPLACE, EXCHANGE, WHITEOUT } = RenameFlag;
const buffer = new UserBuffer(PATH_MAX);

/** Calls that open files, and those that make names, move them and take them away. */
export function defineNameCalls(define: Define, tree: FileTree): void {
  const walk = (cpu: Cpu, thread: Thread) => new PathWalk(tree, cpu, thread);

  define('creat', (cpu, thread, { args, a0, a1 }) => {
    const path = args.string(cpu, thread, a0);
    const flags = OpenFlag.CREAT | OpenFlag.WRONLY | OpenFlag.TRUNC;
    return openAt(tree, cpu, thread, At.FDCWD, path, flags, a1);
  });
  define('openat2', (cpu, thread, { args, a0, a1, a2, a3 }) => {
    const path = args.string(cpu, thread, a1);
    return openHow(cpu, thread, tree, a0, path, a2, a3);
  });

  define('mkdir', (cpu, thread, { args, a0, a1 }) => {
    const path = args.string(cpu, thread, a0);
    return makeDirectory(cpu, walk(cpu, thread), thread, At.FDCWD, path, a1);
  });
  define('mkdirat', (cpu, thread, { args, a0, a1, a2 }) => {
    const path = args.string(cpu, thread, a1);
    return makeDirectory(cpu, walk(cpu, thread), thread, a0, path, a2);
  });
  define('mknod', (cpu, thread, { args, a0, a1, a2 }) => {
    const path = args.string(cpu, thread, a0);
    return makeNode(cpu, walk(cpu, thread), thread, At.FDCWD, path, a1 & 0xffff, a2 >>> 0);
  });
  define('mknodat', (cpu, thread, { args, a0, a1, a2, a3 }) => {
    const path = args.string(cpu, thread, a1);
    return makeNode(cpu, walk(cpu, thread), thread, a0, path, a2 & 0xffff, a3 >>> 0);
  });

  define('rmdir', (cpu, thread, { args, a0 }) => {
    const path = args.string(cpu, thread, a0);
    return removeDirectory(cpu, walk(cpu, thread), thread, At.FDCWD, path);
  });
  define('unlinkat', (cpu, thread, { args, a0, a1, a2 }) => {
    if ((a2 & ~At.REMOVEDIR) !== 0) return -Errno.EINVAL;
    const path = args.string(cpu, thread, a1);
    return (a2 & At.REMOVEDIR) !== 0
      ? removeDirectory(cpu, walk(cpu, thread), thread, a0, path)
      : removeFile(cpu, walk(cpu, thread), thread, a0, path);
  });

  const link = (cpu: Cpu, thread: Thread, oldFd: number, old: string | number, fd: number, path: string | number, flags: number) => {
    if ((flags & ~(At.SYMLINK_FOLLOW | At.EMPTY_PATH)) !== 0) return -Errno.EINVAL;
    return makeLink(cpu, walk(cpu, thread), thread, oldFd, old, fd, path, flags);
  };
  define('link', (cpu, thread, { args, a0, a1 }) =>
    link(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), At.FDCWD, args.string(cpu, thread, a1), 0),
  );
  define('linkat', (cpu, thread, { args, a0, a1, a2, a3, a4 }) =>
    link(cpu, thread, a0, args.string(cpu, thread, a1), a2, args.string(cpu, thread, a3), a4),
  );

  const symlink = (cpu: Cpu, thread: Thread, target: string | number, fd: number, path: string | number) => {
    if (typeof target === 'number') return target;
    if (target === '') return -Errno.ENOENT;
    return makeSymlink(cpu, walk(cpu, thread), thread, target, fd, path);
  };
  define('symlink', (cpu, thread, { args, a0, a1 }) =>
    symlink(cpu, thread, args.string(cpu, thread, a0), At.FDCWD, args.string(cpu, thread, a1)),
  );
  define('symlinkat', (cpu, thread, { args, a0, a1, a2 }) =>
    symlink(cpu, thread, args.string(cpu, thread, a0), a1, args.string(cpu, thread, a2)),
  );

  const move = (cpu: Cpu, thread: Thread, oldFd: number, old: string | number, fd: number, path: string | number, flags: number) => {
    if ((flags & ~(NOREPLACE | EXCHANGE | WHITEOUT)) !== 0) return -Errno.EINVAL;
    if ((flags & EXCHANGE) !== 0 && (flags & (NOREPLACE | WHITEOUT)) !== 0) return -Errno.EINVAL;
    return rename(cpu, walk(cpu, thread), thread, oldFd, old, fd, path, flags);
  };
  define('rename', (cpu, thread, { args, a0, a1 }) =>
    move(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), At.FDCWD, args.string(cpu, thread, a1), 0),
  );
  define('renameat', (cpu, thread, { args, a0, a1, a2, a3 }) =>
    move(cpu, thread, a0, args.string(cpu, thread, a1), a2, args.string(cpu, thread, a3), 0),
  );
  define('renameat2', (cpu, thread, { args, a0, a1, a2, a3, a4 }) =>
    move(cpu, thread, a0, args.string(cpu, thread, a1), a2, args.string(cpu, thread, a3), a4),
  );

  define('readlink', (cpu, thread, { args, a0, a1, a2 }) =>
    readLink(cpu, thread, tree, At.FDCWD, args.string(cpu, thread, a0), a1, a2 | 0),
  );
  define('readlinkat', (cpu, thread, { args, a0, a1, a2, a3 }) =>
    readLink(cpu, thread, tree, a0, args.string(cpu, thread, a1), a2, a3 | 0),
  );
}

function readLink(cpu: Cpu, thread: Thread, tree: FileTree, fd: number, path: string | number, address: number, bytes: number): number {
  if (bytes <= 0) return -Errno.EINVAL;
  if (typeof path === 'number') return path;
  const walk = new PathWalk(tree, cpu, thread);
  // A link that was opened with O_PATH is read by its descriptor alone.
  const found = path === '' ? emptyPath(cpu, thread, fd) : walk.lookUp(fd, path, false);
  if (typeof found === 'number') return found;
  const { inode } = found;
  if (!(inode instanceof SymlinkInode)) return path === '' ? -Errno.ENOENT : -Errno.EINVAL;
  tree.accessed(cpu, inode);
  const text = inode.text();
  if (typeof text === 'number') return text;
  const length = Math.min(bytes, text.length);
  for (let i = 0; i < length; i++) buffer.view.setUint8(i, text.charCodeAt(i));
  return buffer.copy(cpu, thread, address, length) < 0 ? -Errno.EFAULT : length;
}

function emptyPath(cpu: Cpu, thread: Thread, fd: number) {
  if ((fd | 0) === At.FDCWD) return -Errno.ENOENT;
  const file = thread.process.files.lookUpRaw(cpu, fd | 0);
  return file === null ? -Errno.EBADF : (dentryOf(file) ?? -Errno.ENOENT);
}

/** `struct open_how`: flags, mode, resolve; 24 bytes. */
const HOW_BYTES = 24;
const RESOLVE_KNOWN = 0x3f;
const BOTH_SCOPES = Resolve.BENEATH | Resolve.IN_ROOT;

/** openat2(2). What it refuses comes before its path is looked at (Linux: `build_open_flags`). */
function openHow(cpu: Cpu, thread: Thread, tree: FileTree, fd: number, path: string | number, address: number, size: number): number {
  if (size < HOW_BYTES) return -Errno.EINVAL;
  if (size > PATH_MAX) return -Errno.E2BIG;
  const failed = buffer.loadExtensible(cpu, thread, address, size, HOW_BYTES);
  if (failed < 0) return failed;
  const flags = buffer.u64(0);
  const mode = buffer.u64(8);
  const resolve = buffer.u64(16);
  if (flags > 0x7f_ffff || (flags & ~0x7f_ffff) !== 0 || (flags & UNKNOWN_FLAGS) !== 0) return -Errno.EINVAL;
  if (resolve > RESOLVE_KNOWN || (resolve & BOTH_SCOPES) === BOTH_SCOPES) return -Errno.EINVAL;
  const makes = (flags & (OpenFlag.CREAT | OpenFlag.TMPFILE)) !== 0;
  if (makes ? mode > 0o7777 : mode !== 0) return -Errno.EINVAL;
  if ((flags & OpenFlag.PATH) !== 0 && (flags & ~(OpenFlag.PATH | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW | OpenFlag.CLOEXEC)) !== 0)
    return -Errno.EINVAL;
  if ((resolve & Resolve.CACHED) !== 0 && (flags & (OpenFlag.TRUNC | OpenFlag.CREAT | OpenFlag.TMPFILE)) !== 0) return -Errno.EAGAIN;
  return openAt(tree, cpu, thread, fd, path, flags, mode, resolve);
}

/** Bits below O_TMPFILE that are no flags. */
const UNKNOWN_FLAGS = 0x3c;
