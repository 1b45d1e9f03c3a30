import type { Credentials, IoVec } from '@rpal/vfs';

/** What sendmsg and recvmsg take and give (`struct msghdr` with its control messages), beside registers and memory. */
export interface MessageHeader {
  readonly segments: readonly IoVec[];
  /** Where a datagram is to go; on return of recvmsg, where it came from. */
  name?: string | null;
  /** SCM_RIGHTS: descriptors to send; on return of recvmsg, those that came. */
  descriptors?: number[];
  /** recvmsg: how many descriptors there is room for; none by default. */
  readonly room?: number;
  /**
   * SCM_CREDENTIALS: who sendmsg is to say that the sender is, in place of what the kernel fills in; on return of recvmsg with
   * SO_PASSCRED: who it says sent it.
   */
  credentials?: Credentials | null;
  /** process_vm_readv and process_vm_writev: memory of the other process. */
  readonly remote?: readonly IoVec[];
  /** On return of recvmsg: MSG_TRUNC, MSG_CTRUNC. */
  flags?: number;
}
