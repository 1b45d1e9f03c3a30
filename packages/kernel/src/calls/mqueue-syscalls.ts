import type { Cpu } from '@rpal/hw-x86';
import { MessageQueue, MessageQueueFile, MQ_PRIO_MAX, MqLimit } from '@rpal/ipc';
import { Errno, OpenFlag, Signal } from '@rpal/uapi';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import type { KernelParts } from '../kernel-parts.js';
import { FOREVER, type MessageQueueAttributes, type SignalValue } from '../process/call-arguments.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import { signalProcess } from '../signals/signal.js';
import { KernelStep } from '../steps.js';
import { whenOver } from './when-over.js';

/** Bytes of all queues of a user together (RLIMIT_MSGQUEUE), and what one message takes besides its own. */
const BYTES_MAX = 819_200;
const OVERHEAD = 96;

/** POSIX message queues. */
export function defineMessageQueueCalls(table: SyscallTable, kernel: KernelParts): void {
  table.define(Nr.mq_open, (cpu, thread, { args, a0, a1, a3 }) => {
    cpu.charge(KernelStep.openFile);
    const name = args.string(cpu, thread, a0);
    if (typeof name === 'number') return name;
    const attributes = args.queueAttributes(cpu, thread, a3);
    return typeof attributes === 'number' ? attributes : open(kernel, cpu, thread, name, a1, attributes);
  });

  table.define(Nr.mq_unlink, (cpu, thread, { args, a0 }) => {
    const name = args.string(cpu, thread, a0);
    if (typeof name === 'number') return name;
    return kernel.messageQueues.delete(name) ? 0 : -Errno.ENOENT;
  });

  // A wrong priority, or signal, is found before a wrong descriptor.
  table.define(
    Nr.mq_timedsend,
    (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
      if (a3 < 0 || a3 >= MQ_PRIO_MAX) return -Errno.EINVAL;
      const timeout = args.deadline(cpu, thread, a4);
      return timeout < FOREVER ? timeout : onQueue(cpu, thread, a0, (file) => file.send(cpu, thread, a1, a2, a3, timeout));
    },
    { holds: [0] },
  );

  table.define(
    Nr.mq_timedreceive,
    (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
      const timeout = args.deadline(cpu, thread, a4);
      if (timeout < FOREVER) return timeout;
      let failed = 0;
      const result = onQueue(cpu, thread, a0, (file) =>
        file.receive(cpu, thread, a1, a2, timeout, (priority) => {
          failed = args.putWord(cpu, thread, a3, priority);
        }),
      );
      return whenOver(cpu, thread, result, (_on, length) => (failed < 0 ? failed : length));
    },
    { holds: [0] },
  );

  // Signal 0 takes the caller's registration back.
  table.define(Nr.mq_notify, (cpu, thread, { args, a0, a1, a2 }) => {
    const told: SignalValue = { signal: 0, value: 0 };
    const failed = args.notification(cpu, thread, a1, a2, told);
    if (failed < 0) return failed;
    const { signal, value } = told;
    if (signal < 0 || signal > Signal.RTMAX) return -Errno.EINVAL;
    return onQueue(cpu, thread, a0, ({ queue }) => {
      const owner = thread.process;
      if (signal === 0) {
        if (queue.notification?.owner === owner) queue.notification = null;
        return 0;
      }
      if (queue.notification !== null) return -Errno.EBUSY;
      const tell = (on: Cpu) => owner.exit === null && signalProcess(kernel, on, owner, signal, value);
      queue.notification = { owner, pid: owner.pid, signal, tell };
      return 0;
    });
  });
}

function open(
  kernel: KernelParts,
  cpu: Cpu,
  thread: Thread,
  name: string,
  flags: number,
  attributes: MessageQueueAttributes | null,
): number {
  if (!/^\/[^/]+$/.test(name)) return name === '/' ? -Errno.ENOENT : name.startsWith('/') ? -Errno.EACCES : -Errno.EINVAL;
  const { files } = thread.process;
  let queue: MessageQueue | number | undefined = kernel.messageQueues.get(name);
  if (queue === undefined) {
    if ((flags & OpenFlag.CREAT) === 0) return -Errno.ENOENT;
    queue = create(kernel, attributes ?? { maxMessages: MqLimit.MESSAGES, messageSize: MqLimit.SIZE });
    if (typeof queue === 'number') return queue;
    kernel.messageQueues.set(name, queue);
  } else if ((flags & OpenFlag.CREAT) !== 0 && (flags & OpenFlag.EXCL) !== 0) {
    return -Errno.EEXIST;
  }
  return files.install(cpu, new MessageQueueFile(queue, flags), true);
}

function create(kernel: KernelParts, { maxMessages, messageSize }: MessageQueueAttributes): MessageQueue | number {
  if (!(maxMessages > 0) || !(messageSize > 0) || maxMessages > MqLimit.MESSAGES_MAX || messageSize > MqLimit.SIZE_MAX)
    return -Errno.EINVAL;
  let bytes = maxMessages * (messageSize + OVERHEAD);
  for (const other of kernel.messageQueues.values()) bytes += other.maxMessages * (other.messageSize + OVERHEAD);
  return bytes > BYTES_MAX ? -Errno.EMFILE : new MessageQueue(kernel.scheduler, kernel.memory.frames, maxMessages, messageSize);
}

function onQueue(cpu: Cpu, thread: Thread, fd: number, call: (file: MessageQueueFile) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  return file instanceof MessageQueueFile ? call(file) : -Errno.EBADF;
}
