import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import type { Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, Fcntl, FileLock, Flock, OpenFlag } from '@rpal/uapi';
import { begin, type Caller, type File, OFFSET_END, Pending, RetryOperation, Waiter, type Watcher } from '@rpal/vfs';
import { TmpfsStep } from '../steps.js';
import { END, FileLocks, type LockWaits, type RangeLock } from './file-locks.js';

/** A file that may be locked. */
export interface Lockable extends File {
  readonly tree: { readonly lockWaits: LockWaits; readonly kernel: { readonly scheduler: Scheduler } };
  readonly dentry: { readonly inode: { readonly locks: FileLocks } };
}

/** `struct flock`. */
const BYTES = 32;
const buffer = new UserBuffer(BYTES);
const TYPE = 0;
const WHENCE = 2;
const START = 8;
const LENGTH = 16;
const PID = 24;

/**
 * The locking commands of fcntl(2).
 * @param from what `l_whence` counts from
 * @returns its result; undefined if the command is another one
 */
export function lockCommand(
  cpu: Cpu,
  caller: Caller,
  file: Lockable,
  from: { readonly position: number; readonly size: number },
  command: number,
  argument: number,
): number | undefined {
  switch (command) {
    case Fcntl.GETLK:
    case Fcntl.OFD_GETLK:
      return getLock(cpu, caller, file, from, command === Fcntl.OFD_GETLK, argument);
    case Fcntl.SETLK:
    case Fcntl.SETLKW:
    case Fcntl.OFD_SETLK:
    case Fcntl.OFD_SETLKW:
      return setLock(cpu, caller, file, from, command, argument);
    default:
      return undefined;
  }
}

function getLock(
  cpu: Cpu,
  caller: Caller,
  file: Lockable,
  from: { position: number; size: number },
  ofd: boolean,
  address: number,
): number {
  const thread = caller as Thread;
  if (buffer.load(cpu, thread, address, BYTES) < 0) return -Errno.EFAULT;
  const type = buffer.u16(TYPE);
  if (!ofd && type !== FileLock.RDLCK && type !== FileLock.WRLCK) return -Errno.EINVAL;
  const range = rangeIn(from);
  if (typeof range === 'number') return range;
  if (type !== FileLock.RDLCK && type !== FileLock.WRLCK && type !== FileLock.UNLCK) return -Errno.EINVAL;
  if (ofd && buffer.i32(PID) !== 0) return -Errno.EINVAL;
  cpu.charge(TmpfsStep.lockBody);
  const owner = ofd ? file : thread.process;
  const wanted: RangeLock = { owner, pid: 0, ...range, exclusive: type === FileLock.WRLCK };
  const found = type === FileLock.UNLCK ? null : file.dentry.inode.locks.conflict(wanted);
  if (found === null) {
    buffer.set16(TYPE, FileLock.UNLCK);
  } else {
    buffer.set16(TYPE, found.exclusive ? FileLock.WRLCK : FileLock.RDLCK).set16(WHENCE, 0);
    buffer.set64(START, found.start).set64(LENGTH, found.last === END ? 0 : found.last - found.start + 1);
    buffer.set32(PID, found.pid);
  }
  return buffer.store(cpu, thread, address, BYTES);
}

function setLock(
  cpu: Cpu,
  caller: Caller,
  file: Lockable,
  from: { position: number; size: number },
  command: number,
  address: number,
): number {
  const thread = caller as Thread;
  if (buffer.load(cpu, thread, address, BYTES) < 0) return -Errno.EFAULT;
  const type = buffer.u16(TYPE);
  const range = rangeIn(from);
  if (typeof range === 'number') return range;
  if (type !== FileLock.RDLCK && type !== FileLock.WRLCK && type !== FileLock.UNLCK) return -Errno.EINVAL;
  const mode = file.flags & OpenFlag.ACCMODE;
  if (type === FileLock.RDLCK && mode === OpenFlag.WRONLY) return -Errno.EBADF;
  if (type === FileLock.WRLCK && mode === OpenFlag.RDONLY) return -Errno.EBADF;
  const ofd = command === Fcntl.OFD_SETLK || command === Fcntl.OFD_SETLKW;
  if (ofd && buffer.i32(PID) !== 0) return -Errno.EINVAL;
  cpu.charge(TmpfsStep.lockBody);
  const { locks } = file.dentry.inode;
  const owner = ofd ? file : thread.process;
  if (type === FileLock.UNLCK) {
    locks.drop(cpu, owner, range.start, range.last);
    return 0;
  }
  const wanted: RangeLock = { owner, pid: ofd ? -1 : thread.process.pid, ...range, exclusive: type === FileLock.WRLCK };
  const waits = command === Fcntl.SETLKW || command === Fcntl.OFD_SETLKW;
  return begin(cpu, caller, new RangeWait(caller, file, wanted, waits, ofd ? null : file.tree.lockWaits));
}

/** The range that the structure in the buffer names (Linux: `flock64_to_posix_lock`). */
function rangeIn({ position, size }: { position: number; size: number }): { start: number; last: number } | number {
  const whence = buffer.u16(WHENCE);
  const base = whence === 0 ? 0 : whence === 1 ? position : whence === 2 ? size : Number.NaN;
  if (Number.isNaN(base)) return -Errno.EINVAL;
  const offset = buffer.i64(START);
  if (offset > OFFSET_END - 1 - base) return -Errno.EOVERFLOW;
  const start = base + offset;
  if (start < 0) return -Errno.EINVAL;
  const length = buffer.i64(LENGTH);
  if (length === 0) return { start, last: END };
  if (length > 0) {
    const last = start + length - 1;
    // Up to the last byte that a file can have is up to its end.
    return last >= OFFSET_END ? (last > OFFSET_END ? -Errno.EOVERFLOW : { start, last: END }) : { start, last };
  }
  return start + length < 0 ? -Errno.EINVAL : { start: start + length, last: start - 1 };
}

/** Waits for what excludes a lock to go. */
abstract class Waiting extends RetryOperation {
  protected readonly locks: FileLocks;
  readonly #mayWait: boolean;

  constructor(caller: Caller, scheduler: Scheduler, locks: FileLocks, mayWait: boolean) {
    super(caller, scheduler, Waiter.NONEXCLUSIVE);
    this.locks = locks;
    this.#mayWait = mayWait;
  }

  protected override get queue(): WaitQueue {
    return this.locks.wait;
  }

  protected get refused(): number {
    return this.#mayWait ? Pending.NOTHING_YET : -Errno.EAGAIN;
  }
}

/** F_SETLK and F_SETLKW of a lock that is wanted. */
class RangeWait extends Waiting {
  readonly #wanted: RangeLock;
  /** Where circles are found; null for locks of open files, since nobody knows who will release them. */
  readonly #waits: LockWaits | null;

  constructor(caller: Caller, file: Lockable, wanted: RangeLock, mayWait: boolean, waits: LockWaits | null) {
    super(caller, file.tree.kernel.scheduler, file.dentry.inode.locks, mayWait);
    this.#wanted = wanted;
    this.#waits = mayWait ? waits : null;
  }

  protected override attempt(cpu: Cpu): number {
    const { owner } = this.#wanted;
    this.#waits?.goesOn(owner);
    const excluded = this.locks.conflict(this.#wanted);
    if (excluded === null) {
      this.locks.take(cpu, this.#wanted);
      return 0;
    }
    if (this.#waits?.wouldDeadlock(owner, excluded.owner) === true) return -Errno.EDEADLK;
    this.#waits?.waits(owner, excluded.owner);
    return this.refused;
  }

  protected override interrupted(): number {
    this.#waits?.goesOn(this.#wanted.owner);
    return -Errno.ERESTARTSYS;
  }
}

/** flock(2). @param locks those of the file's inode */
export function flock(cpu: Cpu, caller: Caller, scheduler: Scheduler, file: File, locks: FileLocks, operation: number): number {
  const kind = operation & ~Flock.NONBLOCK;
  cpu.charge(TmpfsStep.lockBody);
  if (kind === Flock.UN) {
    locks.dropWhole(cpu, file);
    return 0;
  }
  const mayWait = (operation & Flock.NONBLOCK) === 0;
  return begin(cpu, caller, new WholeWait(caller, scheduler, file, locks, kind === Flock.EX ? 'exclusive' : 'shared', mayWait));
}

/** Locks of whole files that have no name: of pipes, sockets and the like, by inode. Those of a file go with it. */
export class AnonymousLocks {
  readonly #of = new WeakMap<object, FileLocks>();
  readonly #watched = new WeakSet<File>();

  /** @param inode what stands for it */
  of(file: File, inode: object): FileLocks {
    let locks = this.#of.get(inode);
    if (locks === undefined) {
      locks = new FileLocks();
      this.#of.set(inode, locks);
    }
    if (!this.#watched.has(file)) {
      this.#watched.add(file);
      const held = locks;
      const watcher: Watcher = {
        forgotten(cpu) {
          file.watchers.splice(file.watchers.indexOf(watcher), 1);
          held.dropWhole(cpu, file);
        },
      };
      file.watchers.push(watcher);
    }
    return locks;
  }
}

class WholeWait extends Waiting {
  readonly #file: File;
  readonly #kind: 'exclusive' | 'shared';

  constructor(caller: Caller, scheduler: Scheduler, file: File, locks: FileLocks, kind: 'exclusive' | 'shared', mayWait: boolean) {
    super(caller, scheduler, locks, mayWait);
    this.#file = file;
    this.#kind = kind;
  }

  protected override attempt(cpu: Cpu): number {
    return this.locks.takeWhole(cpu, this.#file, this.#kind) ? 0 : this.refused;
  }
}
