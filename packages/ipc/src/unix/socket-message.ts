import { type Caller, type Credentials, type File, IovIter } from '@rpal/vfs';

/** The sender of a message that was sent before anybody wanted to know: process 0, the overflow user and group. */
export const NOBODY: Credentials = { pid: 0, uid: 65_534, gid: 65_534 };

/** What a receive from a stream says of the sender where there was no message: nothing but zeros. */
export const UNSET: Credentials = { pid: 0, uid: 0, gid: 0 };

/** Most descriptors in one message (SCM_MAX_FD). */
export const SCM_MAX_FD = 253;

/** The kernel's side of the header of a sendmsg or recvmsg while the call runs (Linux: `struct msghdr`, `struct scm_cookie`). */
export class SocketMessage extends IovIter {
  /** Where a send is to go; null: to the peer. On return of a receive: where the message came from. */
  name: string | null = null;
  /** Descriptors to send, until they have been sent; or those received. */
  files: File[] | null = null;
  /** Whom a send names as its sender, if not the caller; on return of a receive: who sent the message. */
  credentials: Credentials | null = null;
  /** On return of a receive: MSG_TRUNC. */
  flags = 0;
}

/** The message header of the caller's sendmsg or recvmsg; null in other calls, readv and writev among them. */
export function messageOf({ iov }: Caller): SocketMessage | null {
  return iov === null || !(iov instanceof SocketMessage) ? null : iov;
}
