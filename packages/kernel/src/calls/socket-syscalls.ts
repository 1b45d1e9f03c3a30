import type { Cpu } from '@rpal/hw-x86';
import { IpcStep, type UnixNamespace, UnixPacketSocket, UnixSocket, UnixStreamSocket } from '@rpal/ipc';
import { AddressFamily, Errno, OpenFlag, SocketOption, SocketType } from '@rpal/uapi';
import type { Kernel } from '../entry/kernel.js';
import { SyscallNumber as Nr } from '../entry/syscall-numbers.js';
import type { SyscallTable } from '../entry/syscall-table.js';
import type { Thread } from '../process/thread.js';
import type { ProgramContext } from '../program/program-context.js';
import { installPair } from './file-syscalls.js';
import { receiveMessage, sendMessage } from './message-syscalls.js';
import { unlinkShared } from './transfer-syscalls.js';

const FLAGS = SocketType.NONBLOCK | SocketType.CLOEXEC;
/** The socket level of getsockopt and setsockopt. */
const SOL_SOCKET = 1;

/** Sockets: AF_UNIX only. */
export function defineSocketCalls(table: SyscallTable, kernel: Kernel): void {
  table.define(Nr.socket, (cpu, thread, { a0, a1 }) => {
    const refused = refuse(a0, a1);
    if (refused < 0) return refused;
    cpu.charge(IpcStep.socketCreate);
    return thread.process.files.install(cpu, makeSocket(kernel.sockets, a1), (a1 & SocketType.CLOEXEC) !== 0);
  });

  table.define(Nr.socketpair, (cpu, thread, regs) => {
    const refused = refuse(regs.a0, regs.a1);
    if (refused < 0) return refused;
    cpu.charge(IpcStep.socketCreate);
    cpu.charge(IpcStep.socketCreate);
    const type = regs.a1 & ~FLAGS;
    const [a, b] =
      type === SocketType.STREAM
        ? UnixStreamSocket.pair(kernel.sockets, regs.a1)
        : UnixPacketSocket.pair(kernel.sockets, type, regs.a1 & FLAGS);
    return installPair(cpu, thread, regs, a, b, regs.a1);
  });

  table.define(Nr.bind, (cpu, thread, { a0, text }) => onSocket(cpu, thread, a0, (socket) => socket.bind(cpu, text)));
  table.define(Nr.listen, (cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.listen(cpu, a1)));
  table.define(Nr.connect, (cpu, thread, { a0, text }) => onSocket(cpu, thread, a0, (socket) => socket.connect(cpu, thread, text)), {
    holds: [0],
  });
  table.define(Nr.accept, (cpu, thread, { a0 }) => accept(cpu, thread, a0, 0), { holds: [0] });
  table.define(Nr.accept4, (cpu, thread, { a0, a3 }) => ((a3 & ~FLAGS) !== 0 ? -Errno.EINVAL : accept(cpu, thread, a0, a3)), {
    holds: [0],
  });
  table.define(
    Nr.sendto,
    (cpu, thread, { a0, a1, a2, a3 }) => onSocket(cpu, thread, a0, (socket) => socket.send(cpu, thread, a1, a2, a3)),
    { holds: [0] },
  );
  table.define(
    Nr.recvfrom,
    (cpu, thread, { a0, a1, a2, a3 }) => onSocket(cpu, thread, a0, (socket) => socket.receive(cpu, thread, a1, a2, a3)),
    { holds: [0] },
  );
  table.define(
    Nr.sendmsg,
    (cpu, thread, regs) =>
      onSocket(cpu, thread, regs.a0, (socket) => sendMessage(cpu, thread, socket, (regs as ProgramContext).header, regs.a2)),
    { holds: [0] },
  );
  table.define(
    Nr.recvmsg,
    (cpu, thread, regs) =>
      onSocket(cpu, thread, regs.a0, (socket) => receiveMessage(cpu, thread, socket, (regs as ProgramContext).header, regs.a2)),
    { holds: [0] },
  );
  table.define(Nr.shutdown, (cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.shutdown(cpu, a1)));

  table.define(Nr.setsockopt, (cpu, thread, { a0, a1, a2, a3 }) =>
    onSocket(cpu, thread, a0, (socket) => (a1 === SOL_SOCKET ? setOption(cpu, socket, a2, a3) : -Errno.EOPNOTSUPP)),
  );
  table.define(Nr.getsockopt, (cpu, thread, { a0, a1, a2 }) =>
    onSocket(cpu, thread, a0, (socket) => (a1 === SOL_SOCKET ? getOption(socket, a2) : -Errno.EOPNOTSUPP)),
  );
  table.define(Nr.unlink, (cpu, _thread, { text }) => {
    cpu.charge(IpcStep.socketBind);
    return text.startsWith('/dev/shm/') ? unlinkShared(kernel, text) : kernel.sockets.names.unlink(text);
  });
}

/** @returns 0 if there are such sockets, or why not */
function refuse(family: number, type: number): number {
  if (family !== AddressFamily.UNIX) return -Errno.EAFNOSUPPORT;
  switch (type & ~FLAGS) {
    case SocketType.STREAM:
    case SocketType.DGRAM:
    case SocketType.SEQPACKET:
      return 0;
    default:
      return (type & ~FLAGS & ~0xf) !== 0 ? -Errno.EINVAL : -Errno.ESOCKTNOSUPPORT;
  }
}

function makeSocket(namespace: UnixNamespace, type: number): UnixSocket {
  const kind = type & ~FLAGS;
  return kind === SocketType.STREAM ? new UnixStreamSocket(namespace, type & FLAGS) : new UnixPacketSocket(namespace, kind, type & FLAGS);
}

/** A call on the socket behind a descriptor. */
function onSocket(cpu: Cpu, thread: Thread, fd: number, call: (socket: UnixSocket) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  if (file === null) return -Errno.EBADF;
  return file instanceof UnixSocket ? call(file) : -Errno.ENOTSOCK;
}

function accept(cpu: Cpu, thread: Thread, fd: number, flags: number): number {
  const { files } = thread.process;
  // The descriptor for the connection is looked for first.
  if (files.full && files.peek(fd) !== null) return -Errno.EMFILE;
  return onSocket(cpu, thread, fd, (socket) =>
    socket.accept(cpu, thread, (on, connection) => {
      connection.flags |= flags & OpenFlag.NONBLOCK;
      return files.install(on, connection, (flags & OpenFlag.CLOEXEC) !== 0);
    }),
  );
}

/** The value is passed in a register instead of memory. */
function setOption(cpu: Cpu, socket: UnixSocket, option: number, value: number): number {
  switch (option) {
    case SocketOption.SNDBUF:
      socket.setSendBuffer(cpu, value);
      return 0;
    case SocketOption.RCVBUF:
      // Unix sockets account what they hold to the sender.
      return 0;
    case SocketOption.PASSCRED:
      socket.passCredentials = value !== 0;
      return 0;
    default:
      return -Errno.ENOPROTOOPT;
  }
}

function getOption(socket: UnixSocket, option: number): number {
  switch (option) {
    case SocketOption.TYPE:
      return socket.type;
    case SocketOption.ERROR:
      return -socket.takeError();
    case SocketOption.SNDBUF:
      return socket.sendBuffer;
    case SocketOption.PASSCRED:
      return socket.passCredentials ? 1 : 0;
    default:
      return -Errno.ENOPROTOOPT;
  }
}
