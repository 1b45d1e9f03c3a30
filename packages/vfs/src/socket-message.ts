import type { Cpu } from '@rpal/hw-x86';
import { copyFromUser, copyToUser, type MmStruct } from '@rpal/mm';
import type { File } from './file.js';

/** Who sent a message (Linux: `struct ucred`). */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** The sender of a message that was sent before anybody wanted to know: process 0, the overflow user and group. */
export const NOBODY: Credentials = { pid: 0, uid: 65_534, gid: 65_534 };

/** What a receive from a stream says of a sender where there was no message: nothing but zeros. */
export const UNSET: Credentials = { pid: 0, uid: 0, gid: 0 };

/** A piece of user memory (Linux: `struct iovec`). */
export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** Most segments of one call (UIO_MAXIOV), and most descriptors in one message (SCM_MAX_FD). */
export const UIO_MAXIOV = 1024;
export const SCM_MAX_FD = 253;

/** The kernel's side of a message header (Linux: `struct msghdr`, `struct scm_cookie`) while its call runs. */
export class SocketMessage {
  readonly segments: readonly Segment[];
  /** Bytes of all segments. */
  readonly length: number;
  /** Where it is to go; null: to the peer. On return of a receive: where it came from. */
  name: string | null = null;
  /** Descriptors to be sent, until they have been; or received. */
  files: File[] | null = null;
  /** Whom a send says that it is from, if not from the caller; on return of a receive: whom it is from. */
  credentials: Credentials | null = null;
  /** On return of a receive: MSG_TRUNC. */
  flags = 0;

  constructor(segments: readonly Segment[]) {
    this.segments = segments;
    this.length = segments.reduce((sum, { length }) => sum + length, 0);
  }

  /** From `offset` in the segments to physical `to`. @returns 0 or -EFAULT */
  copyIn(cpu: Cpu, memory: MmStruct, to: number, offset: number, length: number): number {
    return this.#walk(offset, length, (address, done, part) => copyFromUser(cpu, memory, to + done, address, part));
  }

  /** From physical `from` to `offset` in the segments. @returns 0 or -EFAULT */
  copyOut(cpu: Cpu, memory: MmStruct, offset: number, from: number, length: number): number {
    return this.#walk(offset, length, (address, done, part) => copyToUser(cpu, memory, address, from + done, part));
  }

  #walk(offset: number, length: number, copy: (address: number, done: number, part: number) => number): number {
    let start = 0;
    let done = 0;
    for (const segment of this.segments) {
      const within = offset + done - start;
      if (within < segment.length && done < length) {
        const part = Math.min(segment.length - within, length - done);
        const failed = copy(segment.address + within, done, part);
        if (failed < 0) return failed;
        done += part;
      }
      start += segment.length;
    }
    return 0;
  }
}
