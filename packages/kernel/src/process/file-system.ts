import type { Cpu } from '@rpal/hw-x86';
import type { UnixSocket } from '@rpal/ipc';
import type { Image } from './image.js';
import type { Thread } from './thread.js';

/**
 * A tree of files that a plugin gives the machine: where the paths of system calls lead. Without one a path is a mere name, of a
 * special file, a socket, or memory below `/dev/shm`. Each method returns what its call does, or a negative errno.
 */
export interface FileSystem {
  /**
   * open(2) and openat(2).
   * @param directory descriptor that a relative path begins at, or `At.FDCWD`
   * @param path a negative errno if it could not be read: flags are looked at first
   * @returns a descriptor, or a `Pending` if the call sleeps
   */
  open(cpu: Cpu, thread: Thread, directory: number, path: string | number, flags: number, mode: number): number;
  /** unlink(2). */
  unlink(cpu: Cpu, thread: Thread, path: string): number;
  /** bind(2) of a Unix socket to a path. */
  bindSocket(cpu: Cpu, thread: Thread, socket: UnixSocket, path: string): number;
  /** What the names of Unix sockets know the socket by that `path` leads to. */
  socketKey(cpu: Cpu, thread: Thread, path: string): string | number;
  /** The program that a path leads to, for execve(2). */
  image(cpu: Cpu, thread: Thread, path: string): Image | number;
}
