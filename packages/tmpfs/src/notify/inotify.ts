import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { type Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, Inotify, OpenFlag, Poll } from '@rpal/uapi';
import { begin, type Caller, File, Pending, type PollTable, RetryOperation, VfsStep, Waiter } from '@rpal/vfs';
import { TmpfsStep } from '../steps.js';
import type { Inode, InodeWatcher } from '../tree/inode.js';

/** Events that a queue may hold (fs.inotify.max_queued_events). */
const MAX_QUEUED = 16_384;
/** `struct inotify_event` up to the name: wd, mask, cookie, len. */
const HEADER = 16;
const NAME_MAX = 255;
const READABLE = Poll.IN | Poll.RDNORM;
/** What a watch may ask for besides events. */
const WATCH_EVENTS = Inotify.ALL_EVENTS | Inotify.UNMOUNT;

/** An event that waits to be read. */
interface Event {
  readonly watch: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
}

/** An inode that an inotify file watches (Linux: `struct inotify_inode_mark`). */
class Watch implements InodeWatcher {
  readonly number: number;
  readonly inode: Inode;
  mask: number;
  readonly #file: InotifyFile;

  constructor(file: InotifyFile, number: number, inode: Inode, mask: number) {
    this.#file = file;
    this.number = number;
    this.inode = inode;
    this.mask = mask;
  }

  event(cpu: Cpu, mask: number, cookie: number, name: string, removed: boolean): void {
    if ((this.mask & mask & WATCH_EVENTS) === 0) return;
    if (removed && (this.mask & Inotify.EXCL_UNLINK) !== 0) return;
    // When a directory itself moves or goes, the event does not say that it is a directory.
    const own = (mask & (Inotify.MOVE_SELF | Inotify.DELETE_SELF)) !== 0;
    this.#file.queue(cpu, { watch: this.number, mask: own ? mask & ~Inotify.ISDIR : mask, cookie, name });
    if ((this.mask & Inotify.ONESHOT) !== 0) this.#file.end(cpu, this);
  }

  inodeGone(cpu: Cpu): void {
    this.#file.end(cpu, this);
  }
}

/** An inotify instance (fs/notify/inotify): watches, and events in a row. */
export class InotifyFile extends File {
  readonly scheduler: Scheduler;
  readonly wait: WaitQueue = new WaitQueue('inotify events');
  readonly events: Event[] = [];
  readonly #watches: Map<number, Watch> = new Map();
  #nextWatch = 1;
  #overflown = false;

  constructor(scheduler: Scheduler, flags: number) {
    super(OpenFlag.RDONLY | (flags & OpenFlag.NONBLOCK));
    this.scheduler = scheduler;
  }

  override get canWrite(): boolean {
    return false;
  }

  /** There are no positions, and going to one is no error (Linux: `noop_llseek`). */
  override seek(): number {
    return 0;
  }

  override write(): number {
    return -Errno.EBADF;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return begin(cpu, caller, new ReadEvents(caller, this, address, length));
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.filePoll);
    table?.register(cpu, this.wait);
    return this.events.length > 0 ? READABLE : 0;
  }

  override get unread(): number {
    return this.events.reduce((sum, event) => sum + bytesOf(event), 0);
  }

  /** inotify_add_watch. @returns the number of the watch, a new one or that of the same inode; or a negative errno */
  watch(inode: Inode, mask: number): number {
    const present = [...this.#watches.values()].find((watch) => watch.inode === inode);
    if (present !== undefined) {
      if ((mask & Inotify.MASK_CREATE) !== 0) return -Errno.EEXIST;
      present.mask = (mask & Inotify.MASK_ADD) !== 0 ? present.mask | mask : mask;
      return present.number;
    }
    const watch = new Watch(this, this.#nextWatch++, inode, mask);
    this.#watches.set(watch.number, watch);
    inode.watchers ??= [];
    inode.watchers.push(watch);
    return watch.number;
  }

  /** inotify_rm_watch. @returns 0 or -EINVAL */
  unwatch(cpu: Cpu, number: number): number {
    const watch = this.#watches.get(number);
    if (watch === undefined) return -Errno.EINVAL;
    this.end(cpu, watch);
    return 0;
  }

  /** A watch ends, and IN_IGNORED says so. */
  end(cpu: Cpu, watch: Watch): void {
    if (!this.#watches.delete(watch.number)) return;
    forget(watch);
    this.queue(cpu, { watch: watch.number, mask: Inotify.IGNORED, cookie: 0, name: '' });
  }

  /** An event comes. One that equals the last is dropped; one too many becomes IN_Q_OVERFLOW, once. */
  queue(cpu: Cpu, event: Event): void {
    const last = this.events.at(-1);
    if (last !== undefined && same(last, event)) return;
    if (this.events.length >= MAX_QUEUED) {
      if (this.#overflown) return;
      this.#overflown = true;
      this.events.push({ watch: -1, mask: Inotify.Q_OVERFLOW, cookie: 0, name: '' });
    } else {
      this.events.push(event);
    }
    this.wait.wakeAll(cpu, READABLE);
  }

  take(): Event {
    const event = this.events.shift() as Event;
    if (event.mask === Inotify.Q_OVERFLOW) this.#overflown = false;
    return event;
  }

  override release(): void {
    for (const watch of this.#watches.values()) forget(watch);
    this.#watches.clear();
  }
}

function forget(watch: Watch): void {
  const { watchers } = watch.inode;
  watchers?.splice(watchers.indexOf(watch), 1);
}

function same(a: Event, b: Event): boolean {
  return a.mask === b.mask && a.watch === b.watch && a.name === b.name && a.cookie === b.cookie;
}

/** A name is padded with zeroes to a multiple of the header, one at least. */
function bytesOf({ name }: Event): number {
  return HEADER + (name === '' ? 0 : Math.ceil((name.length + 1) / HEADER) * HEADER);
}

/** read(2): as many whole events as there is room for. */
class ReadEvents extends RetryOperation {
  readonly #file: InotifyFile;
  readonly #address: number;
  readonly #length: number;
  readonly #record = new UserBuffer(HEADER + NAME_MAX + HEADER);

  constructor(caller: Caller, file: InotifyFile, address: number, length: number) {
    super(caller, file.scheduler, Waiter.NONEXCLUSIVE);
    this.#file = file;
    this.#address = address;
    this.#length = length;
  }

  protected override get queue(): WaitQueue {
    return this.#file.wait;
  }

  protected override attempt(cpu: Cpu): number {
    const file = this.#file;
    if (file.events.length === 0) return file.nonblocking ? -Errno.EAGAIN : Pending.NOTHING_YET;
    let done = 0;
    while (file.events.length > 0) {
      const length = bytesOf(file.events[0] as Event);
      if (done + length > this.#length) return done > 0 ? done : -Errno.EINVAL;
      cpu.charge(TmpfsStep.notifyEvent);
      if (this.#put(cpu, file.take(), done, length) < 0) return -Errno.EFAULT;
      done += length;
    }
    return done;
  }

  #put(cpu: Cpu, { watch, mask, cookie, name }: Event, at: number, length: number): number {
    const record = this.#record.clear(length);
    record.set32(0, watch).set32(4, mask).set32(8, cookie);
    record.set32(12, length - HEADER);
    for (let i = 0; i < name.length; i++) record.view.setUint8(HEADER + i, name.charCodeAt(i));
    return record.store(cpu, this.caller as Thread, this.#address + at, length);
  }
}
