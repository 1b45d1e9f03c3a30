import type { Cpu } from '@rpal/hw-x86';
import { accessOk, copyFromUser, copyToUser, type MmStruct } from '@rpal/mm';
import { Errno } from '@rpal/uapi';

/** A piece of user memory (Linux: `struct iovec`). */
export interface IoVec {
  readonly address: number;
  readonly length: number;
}

/** Most bytes that one call moves: the rest of a longer one is not looked at. */
export const MAX_RW_COUNT = 0x7fff_f000;

/** Most pieces of one call (UIO_MAXIOV). */
export const UIO_MAXIOV = 1024;

/**
 * The segments of a call as it uses them (Linux: `import_iovec`): all together at most `MAX_RW_COUNT` bytes, all in user memory.
 * @returns -EINVAL if there are too many or one has a negative length, -EFAULT
 */
export function importSegments(given: readonly IoVec[]): readonly IoVec[] | number {
  if (given.length > UIO_MAXIOV || given.some(({ length }) => !(length >= 0 && length < 2 ** 63))) return -Errno.EINVAL;
  // The only one is cut to what is moved before anybody looks where it ends.
  if (given.length === 1 && given[0] !== undefined) {
    const segment = { address: given[0].address, length: Math.min(given[0].length, MAX_RW_COUNT) };
    return accessOk(segment.address, segment.length) ? [segment] : -Errno.EFAULT;
  }
  let left = MAX_RW_COUNT;
  const segments: IoVec[] = [];
  for (const { address, length } of given) {
    if (!accessOk(address, length)) return -Errno.EFAULT;
    const part = Math.min(length, left);
    left -= part;
    segments.push({ address, length: part });
  }
  return segments;
}

/** The pieces of user memory that one call reads or fills, as one range of bytes (Linux: `struct iov_iter`). */
export class IovIter {
  readonly segments: readonly IoVec[];
  /** Bytes of all segments. */
  readonly length: number;

  constructor(segments: readonly IoVec[]) {
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
