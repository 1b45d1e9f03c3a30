import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { mmap } from '@rpal/mm';
import type { WaitQueue } from '@rpal/sched';
import { Errno, Fcntl, FileMode, OpenFlag, Poll } from '@rpal/uapi';
import type { Caller, Credentials } from '../operation/caller.js';
import { VfsStep } from '../steps.js';

/**
 * How `poll` registers with the queues that announce a file's changes. Each queue that the file names gets an entry of
 * the caller's choosing; without a table nothing is registered.
 */
export interface PollTable {
  register(cpu: Cpu, queue: WaitQueue): void;
}

/** Who watches a file without holding it. */
export interface Watcher {
  /** The file's last reference is gone: the watcher takes itself off the file's list. */
  forgotten(cpu: Cpu): void;
}

/** What poll says of a file without a poll method (Linux: `DEFAULT_POLLMASK`). */
const ALWAYS_READY = Poll.IN | Poll.OUT | Poll.RDNORM | Poll.WRNORM;

/** An open file description (Linux: `struct file`). */
export abstract class File {
  /** As F_GETFL tells them: how it was opened, and what F_SETFL may set. */
  flags: number;
  /** It was opened with O_PATH: a place in the tree, and not a file that anything could be done with (Linux: FMODE_PATH). */
  readonly isPath: boolean;
  /** Descriptors and calls in progress that hold it. */
  count = 0;
  /** Who opened it (Linux: `f_cred`); null before it has a descriptor. */
  opener: Credentials | null = null;
  /** Who watches it: epoll's items. */
  readonly watchers: Watcher[] = [];

  constructor(flags: number) {
    this.flags = flags;
    this.isPath = (flags & OpenFlag.PATH) !== 0;
  }

  get nonblocking(): boolean {
    return (this.flags & OpenFlag.NONBLOCK) !== 0;
  }

  /** Type and permissions of its inode (`st_mode`): what an anonymous inode has, unless it is more than that. */
  get mode(): number {
    return 0o600;
  }

  /** It stands for something of the kernel, and is no file of a file system (Linux: `IS_ANON_FILE`). */
  get isAnonymous(): boolean {
    return (this.mode & FileMode.TYPE) === 0;
  }

  /** Present events; registers with `table` if given. A file that cannot be waited for is always ready. */
  poll(_cpu: Cpu, _table: PollTable | null): number {
    return this.pollable ? 0 : ALWAYS_READY;
  }

  /** True if epoll may watch it (has a poll method). */
  get pollable(): boolean {
    return true;
  }

  /** fcntl may set O_DIRECT on it. */
  get takesDirect(): boolean {
    return false;
  }

  /** It has a read method (Linux: FMODE_CAN_READ). */
  get canRead(): boolean {
    return true;
  }

  /** It has a write method (Linux: FMODE_CAN_WRITE). */
  get canWrite(): boolean {
    return true;
  }

  /** Its reads fill `caller.iov` if that is set, so readv is one call (Linux: `read_iter`). Others are called once per segment. */
  get readsIov(): boolean {
    return false;
  }

  /** Its writes take `caller.iov` if that is set, so writev is one call (Linux: `write_iter`). */
  get writesIov(): boolean {
    return false;
  }

  /** read(2). @returns bytes, a negative errno, or `Pending.OPERATION` */
  read(_cpu: Cpu, _caller: Caller, _address: number, _length: number): number {
    return -Errno.EINVAL;
  }

  /** write(2), likewise. */
  write(_cpu: Cpu, _caller: Caller, _address: number, _length: number): number {
    return -Errno.EINVAL;
  }

  /** It has positions: pread and pwrite are for it (Linux: FMODE_PREAD). */
  get positioned(): boolean {
    return false;
  }

  /** pread(2). Files that stand for something else than bytes in a row have no positions. */
  readAt(_cpu: Cpu, _caller: Caller, _address: number, _length: number, _offset: number): number {
    return -Errno.ESPIPE;
  }

  /** pwrite(2), likewise. */
  writeAt(_cpu: Cpu, _caller: Caller, _address: number, _length: number, _offset: number): number {
    return -Errno.ESPIPE;
  }

  /** ftruncate(2). @returns 0 or a negative errno */
  truncate(_cpu: Cpu, _caller: Caller, _size: number): number {
    return -Errno.EINVAL;
  }

  /** ioctl(2). */
  ioctl(_cpu: Cpu, _caller: Caller, _command: number, _argument: number): number {
    return -Errno.ENOTTY;
  }

  /** Commands of fcntl(2) that only some kinds of files know. */
  fcntl(_cpu: Cpu, _caller: Caller, command: number, _argument: number): number {
    return command === Fcntl.SETPIPE_SZ || command === Fcntl.GETPIPE_SZ ? -Errno.EBADF : -Errno.EINVAL;
  }

  /** Bytes that could be read now (FIONREAD); negative errno if the question makes no sense. */
  get unread(): number {
    return -Errno.ENOTTY;
  }

  /** Bytes sent that nobody has read (TIOCOUTQ); negative errno likewise. */
  get unsent(): number {
    return -Errno.ENOTTY;
  }

  /** lseek(2), for files with a position. */
  seek(_offset: number, _whence: number): number {
    return -Errno.ESPIPE;
  }

  /** What /proc/PID/fdinfo says of it beyond position and flags, as lines. */
  get description(): string {
    return '';
  }

  /** mmap(2) of the file. Whether it was opened for that is asked before whether it can be mapped. @returns the address or a negative errno */
  mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number, offset: number): number {
    const mode = this.flags & OpenFlag.ACCMODE;
    const object = {
      name: '',
      readable: mode !== OpenFlag.WRONLY,
      writable: mode !== OpenFlag.RDONLY,
      mappable: false,
      frame: () => -1,
    };
    return mmap(cpu, caller.memory, hint, length, prot, flags, { object, offset: offset / PAGE_SIZE });
  }

  /** A descriptor for it is closed, by process `owner`, though others may remain. */
  flush(_owner: object | null): void {}

  /** The last reference is gone. */
  release(_cpu: Cpu): void {}

  get(): this {
    this.count++;
    return this;
  }

  /** Drops a reference; the last one takes the file out of every epoll and releases it. */
  put(cpu: Cpu): void {
    if (--this.count > 0) return;
    this.destroy(cpu);
  }

  /** Drops a reference. @returns true if it was the last one: `destroy` must follow */
  drop(): boolean {
    return --this.count === 0;
  }

  /** What follows the last reference. */
  destroy(cpu: Cpu): void {
    cpu.charge(VfsStep.fileRelease);
    for (let last = this.watchers.at(-1); last !== undefined; last = this.watchers.at(-1)) last.forgotten(cpu);
    this.release(cpu);
  }
}
