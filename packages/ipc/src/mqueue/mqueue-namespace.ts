import type { PageFrames } from '@rpal/mm';
import type { Scheduler } from '@rpal/sched';
import { Errno, OpenFlag } from '@rpal/uapi';
import { MessageQueue, MessageQueueFile, MqLimit } from './mqueue.js';

/** What mq_open makes a queue with (`struct mq_attr`). */
export interface MessageQueueAttributes {
  readonly maxMessages: number;
  /** Bytes that a message may have. */
  readonly messageSize: number;
}

/** What a message takes besides its own bytes. */
const OVERHEAD = 96;

/** How large a new queue may be. */
export interface QueueLimits {
  /** RLIMIT_MSGQUEUE: bytes of all queues. */
  readonly bytes: number;
  /** `usual`: as many messages, and as long ones, as a queue has if nothing is said (fs.mqueue.msg_max, msgsize_max). */
  readonly extent: 'usual' | 'any';
}

/** The message queues of a machine by name (Linux: the mqueue file system of an IPC namespace). */
export class MessageQueueNamespace {
  readonly #scheduler: Scheduler;
  readonly #frames: PageFrames;
  readonly #queues = new Map<string, MessageQueue>();

  constructor(scheduler: Scheduler, frames: PageFrames) {
    this.#scheduler = scheduler;
    this.#frames = frames;
  }

  /**
   * mq_open(2). @param name without the slash that the C library takes off @param attributes of a queue that is made; null: the defaults
   * @returns a file, or a negative errno
   */
  open(name: string, flags: number, attributes: MessageQueueAttributes | null, limits: QueueLimits): MessageQueueFile | number {
    const refused = refuseName(name);
    if (refused < 0) return refused;
    let queue: MessageQueue | number | undefined = this.#queues.get(name);
    if (queue === undefined) {
      if ((flags & OpenFlag.CREAT) === 0) return -Errno.ENOENT;
      queue = this.#create(attributes ?? { maxMessages: MqLimit.MESSAGES, messageSize: MqLimit.SIZE }, limits);
      if (typeof queue === 'number') return queue;
      this.#queues.set(name, queue);
    } else if ((flags & OpenFlag.CREAT) !== 0 && (flags & OpenFlag.EXCL) !== 0) {
      return -Errno.EEXIST;
    } else if ((flags & OpenFlag.ACCMODE) === OpenFlag.ACCMODE) {
      return -Errno.EINVAL;
    }
    return new MessageQueueFile(queue, flags);
  }

  /** mq_unlink(2): the queue goes with its last descriptor. @returns 0 or a negative errno */
  unlink(name: string): number {
    return refuseName(name) || (this.#queues.delete(name) ? 0 : -Errno.ENOENT);
  }

  #create({ maxMessages, messageSize }: MessageQueueAttributes, { bytes: limit, extent }: QueueLimits): MessageQueue | number {
    const [messages, size] = extent === 'any' ? [MqLimit.MESSAGES_MAX, MqLimit.SIZE_MAX] : [MqLimit.MESSAGES, MqLimit.SIZE];
    if (!(maxMessages > 0) || !(messageSize > 0) || maxMessages > messages || messageSize > size) return -Errno.EINVAL;
    let bytes = maxMessages * (messageSize + OVERHEAD);
    for (const other of this.#queues.values()) bytes += other.maxMessages * (other.messageSize + OVERHEAD);
    return bytes > limit ? -Errno.EMFILE : new MessageQueue(this.#scheduler, this.#frames, maxMessages, messageSize);
  }
}

/** Longest name of a file (NAME_MAX). */
const NAME_MAX = 255;

/** Queues are files of one directory. @returns 0, -ENOENT, -EACCES or -ENAMETOOLONG */
function refuseName(name: string): number {
  if (name === '') return -Errno.ENOENT;
  if (name.includes('/') || name === '.' || name === '..') return -Errno.EACCES;
  return name.length > NAME_MAX ? -Errno.ENAMETOOLONG : 0;
}
