import type { Cpu } from '@rpal/hw-x86';
import { MessageQueueFile, MessageQueueNamespace, MQ_PRIO_MAX } from '@rpal/ipc';
import { Capability, FOREVER, KernelStep, NO_NOTIFICATION, type SignalValue, sentBy, type Thread, UserBuffer } from '@rpal/kernel';
import { Errno, OpenFlag, Rlimit, Signal, SignalCode } from '@rpal/uapi';
import type { Credentials } from '@rpal/vfs';
import type { Calls } from '../calls.js';

/** POSIX message queues. */
export function defineMessageQueueCalls(calls: Calls): void {
  const { scheduler, memory, signals } = calls.kernel;
  const messageQueues = new MessageQueueNamespace(scheduler, memory.frames);

  calls.define(
    'mq_open',
    (cpu, thread, { args, a0, a1, a3 }) => {
      cpu.charge(KernelStep.openFile);
      const attributes = args.queueAttributes(cpu, thread, a3);
      if (typeof attributes === 'number') return attributes;
      const name = args.queueName(cpu, thread, a0);
      const { limits, files } = thread.process;
      // What is wrong with a name that could be read comes behind the descriptor.
      if (files.full && (typeof name === 'string' || name === -Errno.EACCES)) return -Errno.EMFILE;
      if (typeof name === 'number') return name;
      const extent = thread.process.capable(Capability.SYS_RESOURCE) ? 'any' : 'usual';
      const file = messageQueues.open(name, a1 | 0, attributes, { bytes: limits.of(Rlimit.MSGQUEUE), extent });
      return typeof file === 'number' ? file : files.install(cpu, file, OpenFlag.CLOEXEC);
    },
    { signature: 'name$ flags*', missing: 'rights: every process may open every queue' },
  );

  calls.define(
    'mq_unlink',
    (cpu, thread, { args, a0 }) => {
      const name = args.queueName(cpu, thread, a0);
      if (typeof name === 'number') return name;
      return messageQueues.unlink(name);
    },
    { signature: 'name$' },
  );

  // A wrong priority, or signal, is found before a wrong descriptor.
  calls.define(
    'mq_timedsend',
    (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
      const timeout = args.deadline(cpu, thread, a4);
      if (timeout < FOREVER) return timeout;
      const priority = a3 >>> 0;
      if (priority >= MQ_PRIO_MAX) return -Errno.EINVAL;
      return onQueue(cpu, thread, a0, (file) => file.send(cpu, thread, a1, unsignedSize(a2), priority, timeout));
    },
    { holds: [0], signature: 'mqd buf* length priority timeout_ns' },
  );

  calls.define(
    'mq_timedreceive',
    (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
      const timeout = args.deadline(cpu, thread, a4);
      if (timeout < FOREVER) return timeout;
      return onQueue(cpu, thread, a0, (file) =>
        file.receive(cpu, thread, a1, unsignedSize(a2), timeout, (priority) => args.putWord(cpu, thread, a3, priority)),
      );
    },
    { holds: [0], signature: 'mqd buf* length - timeout_ns' },
  );

  calls.define(
    'mq_notify',
    (cpu, thread, { args, a0, a1, a2 }) => {
      const told: SignalValue = { signal: 0, value: 0, valueHigh: 0 };
      const failed = args.notification(cpu, thread, a1, a2, told);
      if (failed < 0) return failed;
      const { signal, value, valueHigh } = told;
      if (signal !== NO_NOTIFICATION && (signal < 0 || signal > Signal.RTMAX)) return -Errno.EINVAL;
      return onQueue(cpu, thread, a0, ({ queue }) => {
        const owner = thread.process;
        if (signal === NO_NOTIFICATION) {
          if (queue.notification?.owner === owner) queue.notification = null;
          return 0;
        }
        if (queue.notification !== null) return -Errno.EBUSY;
        const tell = (on: Cpu, sender: Credentials) => {
          if (owner.exit === null && signal !== 0)
            signals.sendToProcess(on, owner, signal, sentBy(sender, SignalCode.MESGQ, value, valueHigh));
        };
        queue.notification = { owner, pid: owner.pid, signal, tell };
        return 0;
      });
    },
    { signature: 'mqd sig:signal value' },
  );

  const attributes = new UserBuffer(MQ_ATTR);
  calls.define('mq_getsetattr', (cpu, thread, { a0, a1, a2 }) => {
    if (a1 !== 0 && attributes.load(cpu, thread, a1, MQ_ATTR) < 0) return -Errno.EFAULT;
    const flags = a1 === 0 ? 0 : attributes.i64(0);
    if (flags !== 0 && flags !== OpenFlag.NONBLOCK) return -Errno.EINVAL;
    return onQueue(cpu, thread, a0, (file) => {
      const { maxMessages, messageSize, messages } = file.queue;
      attributes
        .clear(MQ_ATTR)
        .set64(0, file.flags & OpenFlag.NONBLOCK)
        .set64(8, maxMessages)
        .set64(16, messageSize)
        .set64(24, messages.length);
      if (a1 !== 0) file.flags = (file.flags & ~OpenFlag.NONBLOCK) | flags;
      return a2 !== 0 && attributes.store(cpu, thread, a2, MQ_ATTR) < 0 ? -Errno.EFAULT : 0;
    });
  });
}

/** Bytes of a `struct mq_attr`. */
const MQ_ATTR = 64;

/** The size is unsigned: a negative register is larger than any message. */
function unsignedSize(size: number): number {
  return size < 0 ? Number.POSITIVE_INFINITY : size;
}

function onQueue(cpu: Cpu, thread: Thread, fd: number, call: (file: MessageQueueFile) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  return file instanceof MessageQueueFile ? call(file) : -Errno.EBADF;
}
