import { type Cpu, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { exitMm, type MmStruct } from '@rpal/mm';
import { copyPiece } from '@rpal/posix';
import { Errno } from '@rpal/uapi';
import { begin, type Operation, OperationKind, Pending } from '@rpal/vfs';

/** Which way a message goes, as the caller sees it. */
export const Way = { FROM: false, TO: true } as const;

const COPY = new OperationKind<CopyOperation>('copy between processes');

/**
 * Copies `bytes`, 1 or more, between the caller's memory and another address space, page by page; others have their turn in between.
 * @returns what has been copied, -EFAULT if nothing was, or a `Pending`
 */
export function copyBetween(cpu: Cpu, thread: Thread, near: number, remote: MmStruct, far: number, bytes: number, way: boolean): number {
  const { operations } = thread;
  const operation = operations.get(COPY) ?? operations.keep(COPY, new CopyOperation(thread));
  return begin(cpu, thread, operation.start(near, remote, far, bytes, way));
}

/** A copy on its way. It holds the other address space (Linux: `mmget`), which stays whole until then whatever becomes of its process. */
class CopyOperation implements Operation {
  readonly #thread: Thread;
  #remote: MmStruct | null = null;
  #near = 0;
  #far = 0;
  #bytes = 0;
  #done = 0;
  #way: boolean = Way.FROM;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  start(near: number, remote: MmStruct, far: number, bytes: number, way: boolean): this {
    remote.users++;
    this.#remote = remote;
    this.#near = near;
    this.#far = far;
    this.#bytes = bytes;
    this.#done = 0;
    this.#way = way;
    return this;
  }

  /** One page, or what of it lies within one page on both sides. */
  step(cpu: Cpu): number {
    // Who is to be killed pins no further pages (Linux: `fatal_signal_pending` in get_user_pages).
    if (this.#thread.killPending) return this.#end(cpu, -Errno.EINTR);
    const near = this.#near + this.#done;
    const far = this.#far + this.#done;
    const bytes = Math.min(this.#bytes - this.#done, PAGE_SIZE - (near & PAGE_MASK), PAGE_SIZE - (far & PAGE_MASK));
    if (copyPiece(cpu, this.#thread.memory, near, this.#remote as MmStruct, far, bytes, this.#way) < 0)
      return this.#end(cpu, -Errno.EFAULT);
    this.#done += bytes;
    return this.#done < this.#bytes ? Pending.AGAIN : this.#end(cpu, 0);
  }

  /** @param error what the call fails with if nothing has been copied */
  #end(cpu: Cpu, error: number): number {
    const remote = this.#remote as MmStruct;
    this.#remote = null;
    if (--remote.users === 0) exitMm(cpu, remote);
    return this.#done > 0 ? this.#done : error;
  }
}
