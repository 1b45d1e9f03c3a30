import type { Credentials, IoVec } from '@rpal/vfs';

/** What sendmsg and recvmsg take and give besides registers and memory (`struct msghdr` with its control messages). */
export interface MessageHeader {
  readonly segments: readonly IoVec[];
  /** Where a datagram is to go; on return of recvmsg, where it came from. */
  name?: string | null;
  /** SCM_RIGHTS: descriptors to send; on return of recvmsg, those that came. */
  descriptors?: number[];
  /** recvmsg: how many descriptors there is room for; none by default. */
  readonly room?: number;
  /**
   * SCM_CREDENTIALS. For sendmsg: the sender to name instead of the one the kernel fills in. On return of recvmsg with SO_PASSCRED: the
   * sender.
   */
  credentials?: Credentials | null;
  /** process_vm_readv and process_vm_writev: memory of the other process. */
  readonly remote?: readonly IoVec[];
  /** On return of recvmsg: MSG_TRUNC, MSG_CTRUNC. */
  flags?: number;
}
