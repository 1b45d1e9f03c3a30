import { Pointer } from '@rpal/hw-x86';
import type { UserContext } from '@rpal/kernel';

/** What the kernel is told as the place to go on after a fault on peer memory: the context, one address further. */
const RECOVERY_OFFSET = 8;

/** The far end of a connection, as `rpal_uds_fdmap` finds it: receiver, its descriptor, and the descriptor's time stamp. */
export interface RpalFd {
  readonly receiver: number;
  readonly fd: number;
  readonly timestamp: number;
}

/** One sender thread: user address of its call context. */
export class LibSender {
  readonly index: number;
  readonly scc: Pointer;
  /** The routine that set the recovery point last: the stack pointer that the kernel puts back belongs to it. */
  recovers: object | null = null;

  constructor(index: number, scc: number) {
    this.index = index;
    this.scc = new Pointer(scc);
  }

  /** Where the kernel diverts the thread that owns `context` when peer memory fails. */
  static recoveryAddress(context: UserContext): number {
    return context.resumeAddress + RECOVERY_OFFSET;
  }
}
