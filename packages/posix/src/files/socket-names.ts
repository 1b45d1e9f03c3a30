import type { Cpu } from '@rpal/hw-x86';
import { UnixSocket } from '@rpal/ipc';
import type { Thread, UserBuffer } from '@rpal/kernel';
import { AddressFamily, Errno } from '@rpal/uapi';

/** Bytes of `struct sockaddr_un` with the longest name, and of the family that it begins with. */
export const SOCKADDR = 112;
export const FAMILY = 2;

/** The socket behind a descriptor, or -EBADF or -ENOTSOCK. */
export function socketOf(cpu: Cpu, thread: Thread, fd: number): UnixSocket | number {
  const file = thread.process.files.lookUp(cpu, fd | 0);
  if (file === null) return -Errno.EBADF;
  return file instanceof UnixSocket ? file : -Errno.ENOTSOCK;
}

/** Puts the name of a socket into a buffer as `struct sockaddr_un`; null: it has none. @returns its bytes */
export function socketAddress(buffer: UserBuffer, name: string | null): number {
  const text = name ?? '';
  buffer.clear(SOCKADDR).set16(0, AddressFamily.UNIX);
  for (let i = 0; i < text.length; i++) buffer.view.setUint8(FAMILY + i, text.charCodeAt(i));
  // A path has its zero with it; an abstract name begins with one, and has none behind it.
  return text === '' ? FAMILY : FAMILY + text.length + (text.startsWith('\0') ? 0 : 1);
}
