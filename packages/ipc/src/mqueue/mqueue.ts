import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import type { PageFrames } from '@rpal/mm';
import { type Handover, type Scheduler, SleepTimer, sleepSlack, type Task, TaskState, WaitQueue, type WaitTarget } from '@rpal/sched';
import { Errno, FileMode, OpenFlag, Poll, Seek } from '@rpal/uapi';
import {
  begin,
  type Caller,
  type Credentials,
  copyIn,
  copyOut,
  type Operation,
  Pending,
  type PollTable,
  PositionedFile,
  putBytes,
  VfsStep,
} from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import { chargeLoadedMessage, chargeStoredMessage } from './message-segments.js';

/** Priorities are below this (MQ_PRIO_MAX). */
export const MQ_PRIO_MAX = 32_768;
/** What a queue has by default, and at most (ipc/mqueue.c: DFLT_*, HARD_*). */
export const MqLimit = { MESSAGES: 10, SIZE: 8192, MESSAGES_MAX: 65_536, SIZE_MAX: 16_777_216 } as const;

/** What a queue's file says its size is to begin with (FILENT_SIZE). */
const FILE_SIZE = 80;

/** A message in a queue: bytes in kernel pages. */
interface Message {
  readonly frames: readonly number[];
  readonly length: number;
  readonly priority: number;
}

/** A task that waits for a message, or with a message for room. */
interface Waiter {
  readonly task: Task;
  message: Message | null;
  /** Another task has done its part for it. */
  done: boolean;
}

/** Who is told of a message that finds the queue empty, and how. */
export interface Notification {
  readonly owner: object;
  readonly pid: number;
  readonly signal: number;
  readonly tell: (cpu: Cpu, sender: Credentials) => void;
}

/** A POSIX message queue (ipc/mqueue.c). */
export class MessageQueue {
  readonly scheduler: Scheduler;
  readonly frames: PageFrames;
  readonly maxMessages: number;
  readonly messageSize: number;
  readonly handover: Handover;
  /** Highest priority first, and of one priority the oldest. */
  readonly messages: Message[] = [];
  readonly receivers: Waiter[] = [];
  readonly senders: Waiter[] = [];
  /** Size of its file, which means nothing, but can be asked for and changed. */
  fileSize: number = FILE_SIZE;
  /** Whoever polls it. */
  readonly wait: WaitQueue = new WaitQueue('pollers of a message queue');
  /** Who is told of a message that finds the queue empty, once (mq_notify). */
  notification: Notification | null = null;

  constructor(scheduler: Scheduler, frames: PageFrames, maxMessages: number, messageSize: number) {
    this.scheduler = scheduler;
    this.handover = scheduler.handovers.open('message queue');
    this.frames = frames;
    this.maxMessages = maxMessages;
    this.messageSize = messageSize;
  }

  get full(): boolean {
    return this.messages.length >= this.maxMessages;
  }

  /** A message reaches the queue: the receiver that has waited longest gets it at once, else it is queued, and told of. */
  deliver(cpu: Cpu, message: Message, sender: Credentials): void {
    this.handover.put(cpu, message.length);
    const receiver = this.receivers.shift();
    if (receiver !== undefined) {
      this.#finish(cpu, receiver, message);
      return;
    }
    cpu.charge(IpcStep.messageInsert);
    this.#insert(message);
    const { notification } = this;
    if (notification !== null && this.messages.length === 1) {
      this.notification = null;
      notification.tell(cpu, sender);
    }
    this.wait.wakeOne(cpu);
  }

  /** Takes the first message; a sender that waits for the room puts its own in. */
  take(cpu: Cpu): Message | null {
    const message = this.messages.shift() ?? null;
    if (message === null) return null;
    cpu.charge(IpcStep.messageTake);
    const sender = this.senders.shift();
    if (sender === undefined) {
      this.wait.wakeOne(cpu);
    } else {
      const next = sender.message as Message;
      this.handover.put(cpu, next.length);
      this.#insert(next);
      this.#finish(cpu, sender, null);
    }
    return message;
  }

  free({ frames }: Message): void {
    for (const frame of frames) this.frames.put(frame);
  }

  #insert(message: Message): void {
    let at = this.messages.length;
    while (at > 0 && (this.messages[at - 1] as Message).priority < message.priority) at--;
    this.messages.splice(at, 0, message);
  }

  #finish(cpu: Cpu, waiter: Waiter, message: Message | null): void {
    waiter.message = message;
    waiter.done = true;
    this.scheduler.wakeUp(cpu, waiter.task);
  }
}

/** An open message queue. */
export class MessageQueueFile extends PositionedFile {
  readonly queue: MessageQueue;

  constructor(queue: MessageQueue, flags: number) {
    super(flags & (OpenFlag.ACCMODE | OpenFlag.NONBLOCK));
    this.queue = queue;
  }

  override get mode(): number {
    return FileMode.REGULAR | 0o600;
  }

  override get canWrite(): boolean {
    return false;
  }

  /** The state of the queue as text, as in the file system of message queues. */
  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if ((this.flags & OpenFlag.ACCMODE) === OpenFlag.WRONLY) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    const { messages, notification } = this.queue;
    const bytes = messages.reduce((sum, message) => sum + message.length, 0);
    const signal = `SIGNO:${`${notification?.signal ?? 0}`.padEnd(5)} NOTIFY_PID:${`${notification?.pid ?? 0}`.padEnd(6)}`;
    const text = `QSIZE:${`${bytes}`.padEnd(10)} NOTIFY:${'0'.padEnd(5)} ${signal}\n`;
    const part = Uint8Array.from(text, (character) => character.charCodeAt(0)).subarray(offset, offset + length);
    if (part.length === 0) return 0;
    const failed = putBytes(cpu, caller, address, part);
    return failed < 0 ? failed : part.length;
  }

  protected override get size(): number {
    return this.queue.fileSize;
  }

  /** All of it is data (Linux: `default_llseek`). */
  override seek(offset: number, whence: number): number {
    if (whence !== Seek.DATA && whence !== Seek.HOLE) return super.seek(offset, whence);
    if (offset >= this.size) return -Errno.ENXIO;
    return super.seek(whence === Seek.DATA ? offset : this.size, Seek.SET);
  }

  override get unread(): number {
    return this.size - this.position;
  }

  override writeAt(): number {
    return (this.flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY ? -Errno.EBADF : -Errno.EINVAL;
  }

  override truncate(_cpu: Cpu, _caller: Caller, size: number): number {
    if ((this.flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY) return -Errno.EINVAL;
    this.queue.fileSize = size;
    return 0;
  }

  /** A closed descriptor ends the notification that its process has asked for. */
  override flush(owner: object | null): void {
    if (this.queue.notification?.owner === owner) this.queue.notification = null;
  }

  /** mq_timedsend. @param priority below `MQ_PRIO_MAX` @param timeout ns from now; negative: none */
  send(cpu: Cpu, caller: Caller, address: number, length: number, priority: number, timeout: number): number {
    if ((this.flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY) return -Errno.EBADF;
    if (length > this.queue.messageSize) return -Errno.EMSGSIZE;
    return begin(cpu, caller, new MessageSend(this, caller, address, length, priority, timeout));
  }

  /** mq_timedreceive. @param priority told the priority of what came: 0, or a negative errno if nothing is to be stored */
  receive(cpu: Cpu, caller: Caller, address: number, length: number, timeout: number, priority: (value: number) => number): number {
    if ((this.flags & OpenFlag.ACCMODE) === OpenFlag.WRONLY) return -Errno.EBADF;
    if (length < this.queue.messageSize) return -Errno.EMSGSIZE;
    return begin(cpu, caller, new MessageReceive(this, caller, address, timeout, priority));
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.filePoll);
    const { queue } = this;
    table?.register(cpu, queue.wait);
    return (queue.messages.length > 0 ? Poll.IN | Poll.RDNORM : 0) | (queue.full ? 0 : Poll.OUT | Poll.WRNORM);
  }
}

/** What sending and receiving have in common: a wait in line until somebody does one's part, the time runs out, or a signal comes. */
abstract class MessageOperation implements Operation, WaitTarget {
  protected readonly file: MessageQueueFile;
  protected readonly caller: Caller;
  readonly #timeout: number;
  readonly #timer: SleepTimer;
  protected waiter: Waiter | null = null;
  #expired = false;

  constructor(file: MessageQueueFile, caller: Caller, timeout: number) {
    this.file = file;
    this.caller = caller;
    this.#timeout = timeout;
    const { scheduler } = file.queue;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#expired = true;
      scheduler.wakeUp(cpu, caller.task);
    });
  }

  /** @returns the result, or null to wait in `line` with `message` */
  protected abstract attempt(cpu: Cpu): number | null;

  protected abstract get line(): Waiter[];

  protected abstract get message(): Message | null;

  /** Somebody has done its part. */
  protected abstract finished(cpu: Cpu, waiter: Waiter): number;

  /** It has given up. */
  protected abandoned(): void {}

  step(cpu: Cpu): number {
    const { task } = this.caller;
    const { waiter } = this;
    if (waiter === null) {
      const result = this.attempt(cpu);
      if (result !== null) return result;
      if (this.file.nonblocking) return this.#leave(-Errno.EAGAIN);
      this.waiter = { task, message: this.message, done: false };
      this.line.push(this.waiter);
      if (this.#timeout >= 0) this.#timer.start(cpu, this.#timeout, sleepSlack(task));
    } else {
      task.state = TaskState.RUNNING;
      if (waiter.done) {
        this.#timer.stop();
        return this.finished(cpu, waiter);
      }
      if (task.signalPending || this.#expired) {
        this.#timer.stop();
        this.line.splice(this.line.indexOf(waiter), 1);
        return this.#leave(this.#expired ? -Errno.ETIMEDOUT : -Errno.ERESTARTSYS);
      }
    }
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this);
    return Pending.SLEEP;
  }

  abstract describe(): string;

  #leave(result: number): number {
    this.abandoned();
    return result;
  }
}

class MessageSend extends MessageOperation {
  readonly #address: number;
  readonly #length: number;
  readonly #priority: number;
  #message: Message | null = null;

  constructor(file: MessageQueueFile, caller: Caller, address: number, length: number, priority: number, timeout: number) {
    super(file, caller, timeout);
    this.#address = address;
    this.#length = length;
    this.#priority = priority;
  }

  override describe(): string {
    return 'room in a message queue';
  }

  protected override get line(): Waiter[] {
    return this.file.queue.senders;
  }

  protected override get message(): Message | null {
    return this.#message;
  }

  protected override attempt(cpu: Cpu): number | null {
    const { queue } = this.file;
    cpu.charge(IpcStep.messageQueueSend);
    const loaded = this.#load(cpu);
    if (typeof loaded === 'number') return loaded;
    this.#message = loaded;
    if (queue.full) return null;
    queue.deliver(cpu, loaded, this.caller.credentials);
    return 0;
  }

  /** load_msg: the bytes of the caller in pages of the kernel. */
  #load(cpu: Cpu): Message | number {
    const { frames } = this.file.queue;
    const message = { frames: [] as number[], length: this.#length, priority: this.#priority };
    let failed = 0;
    for (let done = 0; done < this.#length && failed === 0; done += PAGE_SIZE) {
      const frame = frames.allocate(cpu.socket);
      if (frame < 0) {
        failed = -Errno.ENOMEM;
      } else {
        message.frames.push(frame);
        failed = copyIn(cpu, this.caller, frame * PAGE_SIZE, this.#address + done, Math.min(PAGE_SIZE, this.#length - done));
      }
    }
    chargeLoadedMessage(cpu, this.#length);
    if (failed === 0) return message;
    this.file.queue.free(message);
    return failed;
  }

  protected override finished(): number {
    return 0;
  }

  protected override abandoned(): void {
    if (this.#message !== null) this.file.queue.free(this.#message);
  }
}

class MessageReceive extends MessageOperation {
  readonly #address: number;
  readonly #priority: (value: number) => number;

  constructor(file: MessageQueueFile, caller: Caller, address: number, timeout: number, priority: (value: number) => number) {
    super(file, caller, timeout);
    this.#address = address;
    this.#priority = priority;
  }

  override describe(): string {
    return 'a message in a message queue';
  }

  protected override get line(): Waiter[] {
    return this.file.queue.receivers;
  }

  protected override get message(): null {
    return null;
  }

  protected override attempt(cpu: Cpu): number | null {
    cpu.charge(IpcStep.messageQueueReceive);
    const message = this.file.queue.take(cpu);
    return message === null ? null : this.#store(cpu, message);
  }

  protected override finished(cpu: Cpu, { message }: Waiter): number {
    return this.#store(cpu, message as Message);
  }

  #store(cpu: Cpu, message: Message): number {
    const { frames, length, priority } = message;
    this.file.queue.handover.take(cpu, this.caller.task, length);
    chargeStoredMessage(cpu, length);
    let failed = Math.min(0, this.#priority(priority));
    frames.forEach((frame, i) => {
      const part = Math.min(PAGE_SIZE, length - i * PAGE_SIZE);
      if (failed === 0) failed = copyOut(cpu, this.caller, this.#address + i * PAGE_SIZE, frame * PAGE_SIZE, part);
    });
    this.file.queue.free(message);
    return failed < 0 ? failed : length;
  }
}
