import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer, TaskState, timeoutSlack, WaitEntry, type WaitQueue } from '@rpal/sched';
import { Poll } from '@rpal/uapi';
import type { File, PollTable } from './file.js';
import { type Caller, type Operation, Step } from './operation.js';
import { FileStep } from './steps.js';

/** A file that a poll looks at, and what it found. */
export class PollItem {
  /** What its descriptor referred to when the call began; null: nothing. */
  readonly file: File | null;
  readonly events: number;
  /** Nothing is asked, and nothing ever found. */
  readonly skipped: boolean;
  found = 0;

  constructor(file: File | null, events: number, skipped: boolean) {
    this.file = file;
    this.events = events;
    this.skipped = skipped;
  }
}

/**
 * poll(2), ppoll(2) and select(2): waits until one of several files has events. It is told of the changes of the files that it began
 * with, and holds these; but after each it looks at what the descriptors refer to by then, as in Linux.
 */
export class PollOperation implements Operation, PollTable {
  readonly #caller: Caller;
  readonly #scheduler: Scheduler;
  readonly #items: readonly PollItem[];
  /** Nanoseconds; negative: for ever. */
  readonly #timeout: number;
  readonly #lookUp: (item: number) => File | null;
  readonly #finish: (cpu: Cpu, ready: number) => number;
  readonly #interrupted: number;
  readonly #timer: SleepTimer;
  readonly #entries: WaitEntry[] = [];
  #watched = 0;
  #registered = false;
  #timedOut: boolean;

  /**
   * @param lookUp what the descriptor of an item refers to now
   * @param finish turns the number of files with events into the result, once nothing is waited for any more
   * @param interrupted the result if a signal comes
   */
  constructor(
    caller: Caller,
    scheduler: Scheduler,
    items: readonly PollItem[],
    timeout: number,
    interrupted: number,
    lookUp: (item: number) => File | null,
    finish: (cpu: Cpu, ready: number) => number,
  ) {
    this.#caller = caller;
    this.#scheduler = scheduler;
    this.#items = items;
    this.#timeout = timeout;
    this.#timedOut = timeout === 0;
    this.#interrupted = interrupted;
    this.#lookUp = lookUp;
    this.#finish = finish;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#timedOut = true;
      scheduler.wakeUp(cpu, caller.task);
    });
    for (const { file } of items) file?.get();
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
    if (ready > 0 || this.#timedOut) return this.#end(cpu, ready);
    if (task.signalPending) {
      this.#end(cpu, 0);
      return this.#interrupted;
    }
    if (this.#timeout > 0 && !this.#timer.armed) this.#timer.start(cpu, this.#timeout, timeoutSlack(task, this.#timeout));
    task.state = TaskState.INTERRUPTIBLE;
    return Step.SLEEP;
  }

  /** do_poll, one pass: registers on the first, as long as nothing has been found. */
  #look(cpu: Cpu): number {
    let ready = 0;
    cpu.charge(FileStep.pollBody);
    for (let i = 0; i < this.#items.length; i++) {
      const item = this.#items[i] as PollItem;
      const file = this.#registered && !item.skipped ? this.#lookUp(i) : item.file;
      if (file === null) {
        item.found = item.skipped ? 0 : Poll.NVAL;
      } else {
        this.#watched = item.events | Poll.ERR | Poll.HUP;
        const table = this.#registered || ready > 0 || this.#timedOut ? null : this;
        item.found = file.poll(cpu, table) & this.#watched;
      }
      if (item.found !== 0) ready++;
    }
    this.#registered = true;
    return ready;
  }

  #end(cpu: Cpu, ready: number): number {
    for (const entry of this.#entries.splice(0)) entry.queue?.remove(cpu, entry);
    this.#timer.stop();
    for (const { file } of this.#items) file?.put(cpu);
    return this.#finish(cpu, ready);
  }
}
