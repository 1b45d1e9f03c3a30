import type { MessageQueueAttributes } from '@rpal/ipc';
import { type Call, ProgramBase, requireText } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** POSIX message queues. @public for who registers the family without the plugin */
export class MessageQueueCalls extends ProgramBase {
  /** mq_open. @param name begins with a slash and has no other @param attributes of a queue that is made */
  mqOpen(name: string, flags: number, attributes: MessageQueueAttributes | null = null): Call {
    this.context.text = requireText(this.context, 'mqOpen', name);
    this.context.args.attributes = attributes;
    return this.syscall(LinuxCall.mq_open, 0, flags);
  }

  mqUnlink(name: string): Call {
    this.context.text = requireText(this.context, 'mqUnlink', name);
    return this.syscall(LinuxCall.mq_unlink);
  }

  /** @param timeout nanoseconds from now; negative: for ever */
  mqSend(fd: number, buffer: number, length: number, priority = 0, timeout = -1): Call {
    return this.syscall(LinuxCall.mq_timedsend, fd, buffer, length, priority, timeout);
  }

  /** @param timeout nanoseconds from now; negative: for ever @returns the length of the message; its priority is `second` */
  mqReceive(fd: number, buffer: number, length: number, timeout = -1): Call {
    return this.syscall(LinuxCall.mq_timedreceive, fd, buffer, length, 0, timeout);
  }

  /** Asks for a signal when a message comes to the empty queue. @param signal 0: not any more */
  mqNotify(fd: number, signal: number, value = 0): Call {
    return this.syscall(LinuxCall.mq_notify, fd, signal, value);
  }
}
