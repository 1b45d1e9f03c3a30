import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer, TaskState, timeoutSlack, WaitEntry, type WaitQueue, type WaitTarget } from '@rpal/sched';
import { Errno, Poll } from '@rpal/uapi';
import type { FdTable } from '../file/fd-table.js';
import type { File, PollTable } from '../file/file.js';
import type { Caller } from '../operation/caller.js';
import { type Operation, Pending } from '../operation/operation.js';
import { VfsStep } from '../steps.js';

/** A descriptor that a poll looks at, and what it found. */
export class PollItem {
  /** Negative: nothing is asked, and nothing ever found. */
  readonly fd: number;
  /** What it referred to when the call began; null: nothing. */
  readonly file: File | null;
  readonly events: number;
  found = 0;

  constructor(fd: number, file: File | null, events: number) {
    this.fd = fd;
    this.file = file;
    this.events = events;
  }
}

/**
 * poll(2), ppoll(2) and select(2): waits until one of several files has events. It is told of the changes of the files that it began
 * with, and holds these; but after each it looks at what the descriptors refer to by then, as in Linux.
 */
export class PollOperation implements Operation, PollTable, WaitTarget {
  readonly #caller: Caller;
  readonly #scheduler: Scheduler;
  readonly #files: FdTable;
  readonly #items: readonly PollItem[];
  /** Events that are found whether or not an item asks for them. */
  readonly #always: number;
  /** Nanoseconds; negative: for ever. */
  readonly #timeout: number;
  readonly #finish: (cpu: Cpu, result: number) => number;
  readonly #timer: SleepTimer;
  readonly #entries: WaitEntry[] = [];
  #watched = 0;
  #registered = false;
  #timing = false;
  #timedOut: boolean;

  /**
   * @param always events that are found whether or not an item asks for them
   * @param timeout ns; negative: for ever
   * @param finish stores what was found, once nothing is waited for any more: passed how many descriptors have events, or
   * -ERESTARTNOHAND if a signal has come; returns the result of the call
   */
  constructor(
    caller: Caller,
    scheduler: Scheduler,
    files: FdTable,
    items: readonly PollItem[],
    always: number,
    timeout: number,
    finish: (cpu: Cpu, result: number) => number,
  ) {
    this.#caller = caller;
    this.#scheduler = scheduler;
    this.#files = files;
    this.#items = items;
    this.#always = always;
    this.#timeout = timeout;
    this.#timedOut = timeout === 0;
    this.#finish = finish;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#timedOut = true;
      scheduler.wakeUp(cpu, caller.task);
    });
    for (const { file } of items) file?.get();
  }

  /** Nanoseconds that it would wait yet; negative: for ever. */
  left(cpu: Cpu): number {
    if (this.#timeout < 0 || !this.#timing) return this.#timeout;
    return Math.max(0, this.#timer.soft - cpu.clock) / cpu.costs.tscPerNs;
  }

  describe(): string {
    const fds = this.#items.flatMap(({ fd }) => (fd < 0 ? [] : [fd]));
    return fds.length === 0 ? 'the end of its timeout' : `events of fd ${fds.join(', ')}`;
  }

  /** A file names a queue that announces its changes (Linux: `__pollwait`). */
  register(cpu: Cpu, queue: WaitQueue): void {
    const events = this.#watched;
    const { task } = this.#caller;
    const entry = new WaitEntry((on, _entry, key, sync) => {
      if (key !== 0 && (key & events) === 0) return 0;
      return this.#scheduler.wakeUp(on, task, undefined, sync) ? 1 : 0;
    }, task);
    this.#entries.push(entry);
    queue.add(cpu, entry);
  }

  step(cpu: Cpu): number {
    const { task } = this.#caller;
    task.state = TaskState.RUNNING;
    const ready = this.#look(cpu);
    if (ready > 0) return this.#end(cpu, ready);
    if (task.signalPending) return this.#end(cpu, -Errno.ERESTARTNOHAND);
    if (this.#timedOut) return this.#end(cpu, 0);
    if (this.#timeout > 0 && !this.#timing) this.#timer.start(cpu, this.#timeout, timeoutSlack(task, this.#timeout));
    this.#timing = this.#timeout > 0;
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this);
    return Pending.SLEEP;
  }

  /** do_poll, one pass: registers on the first, as long as nothing has been found. */
  #look(cpu: Cpu): number {
    let ready = 0;
    cpu.charge(VfsStep.pollBody);
    for (let i = 0; i < this.#items.length; i++) {
      const item = this.#items[i] as PollItem;
      if (item.fd < 0) continue;
      const file = this.#registered ? this.#files.peek(item.fd) : item.file;
      if (file === null) {
        item.found = Poll.NVAL;
      } else {
        this.#watched = item.events | this.#always;
        const table = this.#registered || ready > 0 || this.#timedOut ? null : this;
        item.found = file.poll(cpu, table) & this.#watched;
      }
      if (item.found !== 0) ready++;
    }
    this.#registered = true;
    return ready;
  }

  #end(cpu: Cpu, result: number): number {
    for (const entry of this.#entries.splice(0)) entry.queue?.remove(cpu, entry);
    this.#timer.stop();
    for (const { file } of this.#items) file?.put(cpu);
    return this.#finish(cpu, result);
  }
}
