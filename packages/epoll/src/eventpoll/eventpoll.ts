import type { FirstAnswerHook } from '@rpal/bus';
import { type Cpu, PAGE_MASK, PAGE_SIZE, SpinLock, Touch, taggedNumber } from '@rpal/hw-x86';
import { putUser32, userPage } from '@rpal/mm';
import { type Handover, type Scheduler, SleepTimer, TaskState, timeoutSlack, WaitEntry, WaitQueue, Wake } from '@rpal/sched';
import { EPOLL_EVENT_SIZE, Epoll, Errno, OpenFlag, Poll, Seek } from '@rpal/uapi';
import { begin, type Caller, File, type Operation, OperationKind, Pending, type PollTable, VfsStep, type Watcher } from '@rpal/vfs';
import { EpollStep } from '../steps.js';
import { BusyPoll } from './busy-poll.js';
import { closesLoop, tooManyPaths, type WatchGraph } from './nesting.js';
import { type ReadyItem, ReadyList } from './ready-list.js';

/** Interest bits that modify how events are reported, not which. */
const PRIVATE_BITS = Epoll.WAKEUP | Epoll.ONESHOT | Epoll.ET | Epoll.EXCLUSIVE;
/** What may be asked for together with EPOLLEXCLUSIVE. */
const EXCLUSIVE_OK_BITS = Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | Epoll.WAKEUP | Epoll.ET | Epoll.EXCLUSIVE;
/** Largest `maxevents` (fs/eventpoll.c: EP_MAX_EVENTS). */
export const MAX_EVENTS: number = Math.floor(0x7fff_ffff / EPOLL_EVENT_SIZE);

/** A watched file (Linux: `struct epitem`). */
export class EpItem implements PollTable, Watcher, ReadyItem {
  readonly epoll: EventPoll;
  readonly file: File;
  readonly fd: number;
  /** Interest mask with its modifiers; a one-shot item that has fired keeps only these. */
  events: number;
  dataLow: number;
  dataHigh: number;
  ready = false;
  next: this | null = null;
  readonly entries: WaitEntry[] = [];

  constructor(epoll: EventPoll, file: File, fd: number, events: number, dataLow: number, dataHigh: number) {
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
    this.events = events;
    this.dataLow = dataLow;
    this.dataHigh = dataHigh;
  }

  /** ep_ptable_queue_proc: the file names a queue that announces its changes. */
  register(cpu: Cpu, queue: WaitQueue): void {
    const entry = new PollEntry(this);
    entry.exclusive = (this.events & Epoll.EXCLUSIVE) !== 0;
    this.entries.push(entry);
    queue.add(cpu, entry);
  }

  forgotten(cpu: Cpu): void {
    this.epoll.forget(cpu, this);
  }
}

/** Rules of epoll that differ between Linux releases; the defaults are 6.15's. */
export interface EpollRules {
  /** An event that comes with a synchronous wake-up wakes epoll waiters synchronously, too (since 6.13). True by default. */
  readonly synchronousWakeUps?: boolean;
  /**
   * The limit on nesting counts the instances above the one that is added to as well as those below what is added (since 6.17,
   * and in stable kernels since August 2025). False by default: 6.15 counts downwards only.
   */
  readonly nestingCountsUpwards?: boolean;
  /** Files that one user may watch in all (fs.epoll.max_user_watches); one more is ENOSPC. No limit by default. */
  readonly maxUserWatches?: number;
}

/** Asked when an epoll_wait begins; see the hook of that name. */
export type EpollWaitHook = FirstAnswerHook<[cpu: Cpu, caller: Caller, epoll: EventPoll, timeout: number], Operation>;

/** What the epoll instances of one machine share. */
export class EventPolls {
  readonly scheduler: Scheduler;
  readonly epollWait: EpollWaitHook;
  readonly synchronousWakeUps: boolean;
  readonly nestingLimit: 'down' | 'both';
  readonly maxUserWatches: number;
  /** Files that are watched now. */
  watches = 0;

  constructor(scheduler: Scheduler, epollWait: EpollWaitHook, rules: EpollRules = {}) {
    this.scheduler = scheduler;
    this.epollWait = epollWait;
    this.synchronousWakeUps = rules.synchronousWakeUps ?? true;
    this.nestingLimit = rules.nestingCountsUpwards === true ? 'both' : 'down';
    this.maxUserWatches = rules.maxUserWatches ?? Number.POSITIVE_INFINITY;
  }
}

/** The wait-queue entry of an epoll item: whoever walks a file's queue can see which epoll watches it (Linux: `eppoll_entry`). */
export class PollEntry extends WaitEntry {
  readonly item: EpItem;

  constructor(item: EpItem) {
    super((cpu, _entry, key, sync) => item.epoll.callback(cpu, item, key, sync));
    this.item = item;
  }
}

/** An epoll instance (fs/eventpoll.c). */
export class EventPoll extends File {
  readonly polls: EventPolls;
  readonly lock: SpinLock = new SpinLock(2, 'ready list of an epoll');
  /** Tasks in epoll_wait. */
  readonly wait: WaitQueue = new WaitQueue('epoll');
  /** Those who poll the instance itself. */
  readonly pollWait: WaitQueue = new WaitQueue('pollers of an epoll file');
  readonly #items = new Map<File, Map<number, EpItem>>();
  readonly #ready = new ReadyList<EpItem>();
  readonly handover: Handover;
  #busyPoll: BusyPoll | null = null;

  constructor(polls: EventPolls) {
    super(OpenFlag.RDWR);
    this.polls = polls;
    this.handover = polls.scheduler.handovers.open('epoll');
  }

  get eventsAvailable(): boolean {
    return this.#ready.available;
  }

  get readyListEmpty(): boolean {
    return this.#ready.empty;
  }

  item(file: File, fd: number): EpItem | undefined {
    return this.#items.get(file)?.get(fd);
  }

  get items(): readonly EpItem[] {
    return [...this.#items.values()].flatMap((byFd) => [...byFd.values()]);
  }

  /** epoll_ctl. `file` is what `fd` refers to. */
  control(cpu: Cpu, operation: number, file: File, fd: number, events: number, dataLow: number, dataHigh: number): number {
    if (!file.pollable) return -Errno.EPERM;
    if (file === this) return -Errno.EINVAL;
    if ((events & Epoll.EXCLUSIVE) !== 0 && operation !== Epoll.CTL_DEL) {
      if (operation === Epoll.CTL_MOD || file instanceof EventPoll || (events & ~EXCLUSIVE_OK_BITS) !== 0) return -Errno.EINVAL;
    }
    if (operation === Epoll.CTL_ADD && file instanceof EventPoll && closesLoop(GRAPH, this, file, this.polls.nestingLimit))
      return -Errno.ELOOP;
    const item = this.item(file, fd);
    switch (operation) {
      case Epoll.CTL_ADD:
        if (item !== undefined) return -Errno.EEXIST;
        return this.#insert(cpu, file, fd, events | Poll.ERR | Poll.HUP, dataLow, dataHigh);
      case Epoll.CTL_DEL:
        if (item === undefined) return -Errno.ENOENT;
        cpu.charge(EpollStep.epollDelete);
        this.forget(cpu, item);
        return 0;
      case Epoll.CTL_MOD:
        if (item === undefined) return -Errno.ENOENT;
        if ((item.events & Epoll.EXCLUSIVE) !== 0) return -Errno.EINVAL;
        return this.#modify(cpu, item, events | Poll.ERR | Poll.HUP, dataLow, dataHigh);
      default:
        return -Errno.EINVAL;
    }
  }

  #insert(cpu: Cpu, file: File, fd: number, events: number, dataLow: number, dataHigh: number): number {
    if (this.polls.watches >= this.polls.maxUserWatches) return -Errno.ENOSPC;
    cpu.charge(EpollStep.epollAdd);
    // Paths can only become too many where epolls are nested, or a file has several watchers.
    const check = file instanceof EventPoll || file.watchers.length > 0 || this.watchers.length > 0;
    const item = new EpItem(this, file, fd, events, dataLow, dataHigh);
    this.polls.watches++;
    let byFd = this.#items.get(file);
    if (byFd === undefined) {
      byFd = new Map();
      this.#items.set(file, byFd);
    }
    byFd.set(fd, item);
    file.watchers.push(item);
    if (check && tooManyPaths(GRAPH, file)) {
      this.forget(cpu, item);
      return -Errno.EINVAL;
    }
    if ((file.poll(cpu, item) & item.events) !== 0) this.#makeReady(cpu, item);
    return 0;
  }

  #modify(cpu: Cpu, item: EpItem, events: number, dataLow: number, dataHigh: number): number {
    cpu.charge(EpollStep.epollModify);
    item.events = events;
    item.dataLow = dataLow;
    item.dataHigh = dataHigh;
    if ((item.file.poll(cpu, null) & events) !== 0) this.#makeReady(cpu, item);
    return 0;
  }

  #makeReady(cpu: Cpu, item: EpItem): void {
    if (item.ready) return;
    this.lock.acquire(cpu);
    this.#ready.add(item);
    this.handover.put(cpu, 0);
    this.wait.wakeOne(cpu);
    this.lock.release(cpu);
    this.pollWait.wakeOne(cpu, Poll.IN);
  }

  /** Stops watching (Linux: `ep_remove`). */
  forget(cpu: Cpu, item: EpItem): void {
    for (const entry of item.entries) entry.queue?.remove(cpu, entry);
    this.polls.watches--;
    const byFd = this.#items.get(item.file);
    byFd?.delete(item.fd);
    if (byFd?.size === 0) this.#items.delete(item.file);
    const { watchers } = item.file;
    watchers.splice(watchers.indexOf(item), 1);
    if (item.ready) this.#ready.remove(item);
  }

  /** A watched file has changed (Linux: `ep_poll_callback`). @returns 1 if an exclusive wake-up was used up */
  callback(cpu: Cpu, item: EpItem, key: number, sync: boolean): number {
    // A one-shot item that has fired is disarmed; and the change must be one that the item asked for.
    if ((item.events & ~PRIVATE_BITS) === 0 || (key !== 0 && (key & item.events) === 0)) {
      cpu.charge(EpollStep.pollCallbackFiltered);
      return 0;
    }
    cpu.charge(EpollStep.pollCallback);
    this.lock.acquire(cpu);
    this.#ready.add(item);
    this.handover.put(cpu, 0);
    let exclusiveWake = 0;
    if (this.wait.active) {
      if ((item.events & Epoll.EXCLUSIVE) !== 0) exclusiveWake = usesUp(key, item.events);
      this.wait.walk(cpu, sync && this.polls.synchronousWakeUps ? Wake.ONE_SYNC : Wake.ONE);
    }
    this.lock.release(cpu);
    this.pollWait.wakeOne(cpu, Poll.IN);
    return (item.events & Epoll.EXCLUSIVE) !== 0 ? exclusiveWake : 1;
  }

  /**
   * Delivers ready events to user memory at `address` (Linux: `ep_send_events`).
   * @returns how many (0: what was on the list was not ready any more), or -EFAULT if not even one could be stored
   */
  sendEvents(cpu: Cpu, caller: Caller, address: number, maximum: number): number {
    this.lock.touch(cpu);
    cpu.charge(EpollStep.epollSendEvents);
    let item = this.#ready.startScan();
    let count = 0;
    let failed = 0;
    let levelFirst: EpItem | null = null;
    let levelLast: EpItem | null = null;
    while (item !== null && count < maximum) {
      const next: EpItem | null = item.next;
      item.next = null;
      item.ready = false;
      const events = item.file.poll(cpu, null) & item.events;
      if (events !== 0) {
        this.handover.take(cpu, caller.task, 0);
        failed = storeEvent(cpu, caller, address + count * EPOLL_EVENT_SIZE, events, item);
        if (failed < 0) {
          item.next = next;
          item.ready = true;
          break;
        }
        count++;
        if ((item.events & Epoll.ONESHOT) !== 0) {
          item.events &= PRIVATE_BITS;
        } else if ((item.events & Epoll.ET) === 0) {
          // Level-triggered: it stays on the list, behind the others, until a look finds nothing.
          item.ready = true;
          if (levelLast === null) levelFirst = item;
          else levelLast.next = item;
          levelLast = item;
        }
      }
      item = next;
    }
    this.#doneScan(cpu, item, levelFirst);
    return count === 0 && failed < 0 ? failed : count;
  }

  /** ep_done_scan: what was not looked at stays first, then what came meanwhile, then level-triggered items. */
  #doneScan(cpu: Cpu, rest: EpItem | null, level: EpItem | null): void {
    this.#ready.endScan(rest, level);
    if (!this.#ready.empty) this.wait.wakeOne(cpu);
  }

  /** epoll_wait. @param timeout milliseconds; negative waits for ever */
  waitForEvents(cpu: Cpu, caller: Caller, address: number, maximum: number, timeout: number): number {
    if (maximum <= 0 || maximum > MAX_EVENTS) return -Errno.EINVAL;
    const { epollWait, scheduler } = this.polls;
    if (epollWait.tapped) {
      const operation = epollWait.call(cpu, caller, this, timeout);
      if (operation !== undefined) return begin(cpu, caller, operation);
    }
    const operation = caller.operations.get(EPOLL_WAIT) ?? caller.operations.keep(EPOLL_WAIT, new WaitOperation(scheduler, caller));
    return begin(cpu, caller, operation.start(this, address, maximum, timeout));
  }

  /** Readable if an item is; items on the list that turn out not to be ready leave it (Linux: `__ep_eventpoll_poll`). */
  override poll(cpu: Cpu, table: PollTable | null): number {
    table?.register(cpu, this.pollWait);
    if (this.#ready.scanning) return 0;
    let item = this.#ready.startScan();
    while (item !== null && (item.file.poll(cpu, null) & item.events) === 0) {
      const next: EpItem | null = item.next;
      item.next = null;
      item.ready = false;
      item = next;
    }
    const found = item !== null;
    this.#doneScan(cpu, item, null);
    return found ? Poll.IN | Poll.RDNORM : 0;
  }

  /** One line per item (Linux: `ep_show_fdinfo`). There is no file system: inode and device are 0. */
  override get description(): string {
    const line = ({ fd, events, dataHigh, dataLow, file }: EpItem) => {
      const [high, low] = [(dataHigh >>> 0).toString(16), (dataLow >>> 0).toString(16)];
      const data = dataHigh === 0 ? low : `${high}${low.padStart(8, '0')}`;
      const position = Math.max(0, file.seek(0, Seek.CUR));
      return `tfd: ${`${fd}`.padStart(8)} events: ${(events >>> 0).toString(16).padStart(8)} data: ${data.padStart(16)}  pos:${position} ino:0 sdev:0\n`;
    };
    return this.items.map(line).join('');
  }

  override get canRead(): boolean {
    return false;
  }

  override get canWrite(): boolean {
    return false;
  }

  /** noop_llseek: stays where it is. */
  override seek(): number {
    return 0;
  }

  /** Its only commands are those of busy polling. */
  override ioctl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    this.#busyPoll ??= new BusyPoll();
    return this.#busyPoll.ioctl(cpu, caller, command, argument);
  }

  override get unread(): number {
    return -Errno.EINVAL;
  }

  override get unsent(): number {
    return -Errno.EINVAL;
  }

  override release(cpu: Cpu): void {
    cpu.charge(VfsStep.anonRelease);
    for (const item of this.items) this.forget(cpu, item);
  }
}

/** The epolls of a machine as a graph. */
const GRAPH: WatchGraph<File, EventPoll> = {
  isEpoll: (file) => file instanceof EventPoll,
  *watched(epoll) {
    for (const { file } of epoll.items) yield file;
  },
  *watching({ watchers }) {
    for (const watcher of watchers) if (watcher instanceof EpItem) yield watcher.epoll;
  },
};

/** Does this change use up the wake-up of an exclusive item? */
function usesUp(key: number, events: number): number {
  const change = key & (Poll.IN | Poll.OUT);
  return change === 0 || (change !== (Poll.IN | Poll.OUT) && (events & change) !== 0) ? 1 : 0;
}

/** Writes one `struct epoll_event`: 32-bit events, then 64-bit data, packed. @returns 0 or -EFAULT */
function storeEvent(cpu: Cpu, caller: Caller, address: number, events: number, item: EpItem): number {
  const { memory } = caller;
  // The record is 4-byte aligned at best: three words, the last two of which are stored together.
  if (putUser32(cpu, memory, address, events) < 0) return -Errno.EFAULT;
  if ((address & PAGE_MASK) > PAGE_SIZE - EPOLL_EVENT_SIZE && userPage(cpu, memory, address + EPOLL_EVENT_SIZE - 1, Touch.STORE) < 0)
    return -Errno.EFAULT;
  return putUser32(cpu, memory, address + 4, item.dataLow) || putUser32(cpu, memory, address + 8, item.dataHigh);
}

/** ep_poll. */
export class WaitOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  readonly #timer: SleepTimer;
  #epoll!: EventPoll;
  #address: number = taggedNumber();
  #maximum = 0;
  #timeout = 0;
  /** The timer has been started by this call. */
  #timing = false;
  #timedOut = false;
  #available = false;
  #state = 0;

  constructor(scheduler: Scheduler, caller: Caller) {
    this.#caller = caller;
    // ep_autoremove_wake_function: off the queue in any case, so that no second wake-up is spent on this task.
    this.#entry = new WaitEntry((cpu, entry, _key, sync) => {
      const woken = scheduler.wakeUp(cpu, caller.task, undefined, sync);
      entry.queue?.unlink(entry);
      return woken ? 1 : 0;
    }, caller.task);
    this.#entry.exclusive = true;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#timedOut = true;
      scheduler.wakeUp(cpu, caller.task);
    });
  }

  start(epoll: EventPoll, address: number, maximum: number, timeout: number): this {
    this.#epoll = epoll;
    this.#address = address;
    this.#maximum = maximum;
    this.#timeout = timeout;
    this.#timing = false;
    this.#timedOut = timeout === 0;
    this.#state = 0;
    return this;
  }

  step(cpu: Cpu): number {
    const epoll = this.#epoll;
    const { task } = this.#caller;
    switch (this.#state) {
      case 0:
        cpu.charge(EpollStep.epollWaitBody);
        this.#available = epoll.eventsAvailable;
        this.#state = 1;
        return Pending.AGAIN;
      case 1: {
        if (this.#available) {
          const count = epoll.sendEvents(cpu, this.#caller, this.#address, this.#maximum);
          if (count !== 0) return count;
        }
        if (this.#timedOut) return 0;
        if (task.signalPending) return -Errno.EINTR;
        this.#state = 2;
        return Pending.AGAIN;
      }
      case 2:
        return this.#prepare(cpu);
      default:
        return this.#afterSleep(cpu);
    }
  }

  /** Under the epoll lock: state, then a last look, then the queue. */
  #prepare(cpu: Cpu): number {
    const epoll = this.#epoll;
    const { task } = this.#caller;
    cpu.charge(EpollStep.epollBlock);
    epoll.lock.acquire(cpu);
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, epoll.wait);
    this.#available = epoll.eventsAvailable;
    if (!this.#available) epoll.wait.addFirst(cpu, this.#entry);
    epoll.lock.release(cpu);
    this.#state = 3;
    if (this.#available) return Pending.AGAIN;
    if (this.#timeout > 0) this.#startTimer(cpu);
    return Pending.SLEEP;
  }

  /** The time that is left is counted from the first sleep on, however often it is woken for nothing. */
  #startTimer(cpu: Cpu): void {
    const ns = this.#timeout * 1e6;
    const slack = timeoutSlack(this.#caller.task, ns);
    if (this.#timing) this.#timer.resume(cpu, slack);
    else this.#timer.start(cpu, ns, slack);
    this.#timing = true;
  }

  #afterSleep(cpu: Cpu): number {
    const epoll = this.#epoll;
    this.#caller.task.state = TaskState.RUNNING;
    this.#available = true;
    if (this.#entry.queue !== null) {
      // Still queued: nobody woke us for an event, so there is one only if the time has not run out.
      if (this.#timedOut) this.#available = false;
      epoll.wait.remove(cpu, this.#entry);
    }
    if (this.#timing && this.#available) this.#timer.stop();
    this.#state = 1;
    return Pending.AGAIN;
  }
}

/** The `WaitOperation` of each task. */
export const EPOLL_WAIT: OperationKind<WaitOperation> = new OperationKind('epoll wait');
