import type { MessageHeader } from '../process/message-header.js';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { requireHeader, requireText } from './checks.js';
import { ProgramBase } from './program-base.js';

/** Unix sockets. */
export class SocketCalls extends ProgramBase {
  /** socket(AF_UNIX, type, 0). */
  socket(type: number): Call {
    return this.syscall(SyscallNumber.socket, 1, type);
  }

  /** Two connected sockets. @returns the first descriptor; the other is `second` */
  socketpair(type: number): Call {
    return this.syscall(SyscallNumber.socketpair, 1, type);
  }

  bind(fd: number, path: string): Call {
    this.context.text = requireText(this.context, 'bind', path);
    return this.syscall(SyscallNumber.bind, fd);
  }

  listen(fd: number, backlog: number): Call {
    return this.syscall(SyscallNumber.listen, fd, backlog);
  }

  /** accept4(2) if there are flags. */
  accept(fd: number, flags = 0): Call {
    return flags === 0 ? this.syscall(SyscallNumber.accept, fd) : this.syscall(SyscallNumber.accept4, fd, 0, 0, flags);
  }

  connect(fd: number, path: string): Call {
    this.context.text = requireText(this.context, 'connect', path);
    return this.syscall(SyscallNumber.connect, fd);
  }

  send(fd: number, buffer: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.sendto, fd, buffer, count, flags);
  }

  recv(fd: number, buffer: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.recvfrom, fd, buffer, count, flags);
  }

  /** A message with its header: segments, name, descriptors. */
  sendmsg(fd: number, header: MessageHeader, flags = 0): Call {
    this.context.args.header = requireHeader(this.context, 'sendmsg', header);
    return this.syscall(SyscallNumber.sendmsg, fd, 0, flags);
  }

  /** What came besides bytes is left in `header`. */
  recvmsg(fd: number, header: MessageHeader, flags = 0): Call {
    this.context.args.header = requireHeader(this.context, 'recvmsg', header);
    return this.syscall(SyscallNumber.recvmsg, fd, 0, flags);
  }

  /** An option of level SOL_SOCKET: `SocketOption`. */
  setsockopt(fd: number, option: number, value: number): Call {
    return this.syscall(SyscallNumber.setsockopt, fd, 1, option, value, 4);
  }

  /** @returns the value, or a negative errno */
  getsockopt(fd: number, option: number): Call {
    return this.syscall(SyscallNumber.getsockopt, fd, 1, option);
  }

  shutdown(fd: number, how: number): Call {
    return this.syscall(SyscallNumber.shutdown, fd, how);
  }
}
