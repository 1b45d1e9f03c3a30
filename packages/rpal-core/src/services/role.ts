import type { EventPoll } from '@rpal/epoll';
import type { CpuSet, SleepTimer, WaitEntry } from '@rpal/sched';
import type { File } from '@rpal/vfs';
import { RpalBug } from '../rpal-bug.js';
import type { SharedMapping } from './shared-mapping.js';
import type { RpalTask } from './thread.js';

/**
 * The record of a registered thread (patch 08: `rpal_sender_data`, `rpal_receiver_data`). The two begin alike and the task
 * has one pointer for either, so a record that was made for one role and is used for the other means what lies at the same
 * place: the call context, and the thread at the other side of a lazy switch.
 */
export class RoleData {
  readonly thread: RpalTask;
  readonly serviceId: number;
  readonly page: SharedMapping;
  /** Physical address of the call context: the SCC of a sender, the RCC of a receiver. */
  readonly context: number;
  freed = false;
  /**
   * For a receiver: cycles that it was charged with and that no sender has been credited with yet. Counted only where claims are checked.
   */
  charged = 0;
  /** Affinity before the CPU was locked. */
  oldAffinity: CpuSet | null = null;
  /** For a sender, the receiver of the present lazy switch; for a receiver, the sender that lazily switched to it. */
  partner: RpalTask | null = null;
  /** Without patch 20's order: the receiver that kernel return has still to unlock. */
  unlockLate: RpalTask | null = null;

  /** The epoll instance of the last RPAL wait. */
  epoll: EventPoll | null = null;
  /**
   * What looking up the descriptor of the last RPAL wait found (Linux: `struct fd`), whether that took a reference, as it does if other tasks
   * share the descriptor table, and whether it has still to be dropped.
   */
  file: File | null = null;
  fileCounted = false;
  fileHeld = false;
  timer: SleepTimer | null = null;
  /** The sleep timer has expired since the wait began. */
  timedOut = false;
  /** What fast epoll wait found wrong with the arguments: a negative errno, or 0. */
  fastError = 0;
  /** Its place in the queue of an epoll instance. A sender's record ends before it. */
  readonly waitEntry: WaitEntry | null;

  /** What the kernel itself knows a sender by; only where it does not believe the sender's memory. */
  senderId = 0;

  constructor(thread: RpalTask, serviceId: number, page: SharedMapping, context: number, waitEntry: WaitEntry | null) {
    this.thread = thread;
    this.serviceId = serviceId;
    this.page = page;
    this.context = context;
    this.waitEntry = waitEntry;
  }

  /** Physical address of the sender call context. */
  get scc(): number {
    return this.context;
  }

  /** Physical address of the receiver call context. */
  get rcc(): number {
    return this.context;
  }

  /** @throws RpalBug for a record that was made for a sender */
  get wait(): WaitEntry {
    const { waitEntry } = this;
    if (waitEntry === null) throw new RpalBug('out of bounds', 8, `thread ${this.thread.pid}: read beyond the end of its rpal_sender_data`);
    return waitEntry;
  }
}
