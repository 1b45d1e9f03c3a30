import type { Cpu } from '@rpal/hw-x86';
import type { UnixSocket } from '@rpal/ipc';
import type { FileSystem, Image, Thread } from '@rpal/kernel';
import { AccessMode, At, Errno, FileMode } from '@rpal/uapi';
import { nodeAt, placeFor } from './names/create.js';
import { removeFile } from './names/remove.js';
import { openAt } from './open/open.js';
import type { FileTree } from './tree/file-tree.js';
import { type Inode, RegularInode, socketKeyOf } from './tree/inode.js';
import { PathWalk } from './walk/path-walk.js';
import { permission } from './walk/permission.js';

/** The tree as the kernel's own calls ask it. */
export class TreeFileSystem implements FileSystem {
  readonly #tree: FileTree;

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  open(cpu: Cpu, thread: Thread, directory: number, path: string | number, flags: number, mode: number): number {
    return openAt(this.#tree, cpu, thread, directory, path, flags, mode);
  }

  unlink(cpu: Cpu, thread: Thread, path: string): number {
    return removeFile(cpu, new PathWalk(this.#tree, cpu, thread), thread, At.FDCWD, path);
  }

  bindSocket(cpu: Cpu, thread: Thread, socket: UnixSocket, path: string): number {
    const place = placeFor(new PathWalk(this.#tree, cpu, thread), At.FDCWD, path, false);
    if (typeof place === 'number') return place === -Errno.EEXIST ? -Errno.EADDRINUSE : place;
    if (socket.path !== null) return -Errno.EINVAL;
    const made = nodeAt(cpu, this.#tree, thread, place, FileMode.SOCKET | 0o777, 0);
    return typeof made === 'number' ? made : socket.bind(cpu, path, socketKeyOf(made.inode));
  }

  socketKey(cpu: Cpu, thread: Thread, path: string): string | number {
    const inode = this.#reach(cpu, thread, path);
    if (typeof inode === 'number') return inode;
    const refused = permission(inode, AccessMode.WRITE, thread.process.credentials);
    if (refused < 0) return refused;
    if (inode.type !== FileMode.SOCKET) return -Errno.ECONNREFUSED;
    // Bound or not: a socket in the tree that is not bound refuses as well.
    const { names } = this.#tree.kernel.sockets;
    return names.has(socketKeyOf(inode)) ? socketKeyOf(inode) : -Errno.ECONNREFUSED;
  }

  image(cpu: Cpu, thread: Thread, path: string): Image | number {
    const found = new PathWalk(this.#tree, cpu, thread).lookUp(At.FDCWD, path, true);
    if (typeof found === 'number') return found;
    const { inode } = found;
    if (!(inode instanceof RegularInode)) return -Errno.EACCES;
    const refused = permission(inode, AccessMode.EXECUTE, thread.process.credentials);
    if (refused < 0) return refused;
    if (inode.image === null) return -Errno.ENOEXEC;
    this.#tree.executables.set(thread.process, found);
    return inode.image;
  }

  #reach(cpu: Cpu, thread: Thread, path: string): Inode | number {
    const found = new PathWalk(this.#tree, cpu, thread).lookUp(At.FDCWD, path, true);
    return typeof found === 'number' ? found : found.inode;
  }
}
