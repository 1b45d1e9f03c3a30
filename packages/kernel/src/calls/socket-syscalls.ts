import type { Cpu } from '@rpal/hw-x86';
import { IpcStep, type NamedMemory, type UnixNamespace, UnixPacketSocket, UnixSocket, UnixStreamSocket } from '@rpal/ipc';
import { accessOk } from '@rpal/mm';
import { AddressFamily, Errno, OpenFlag, SocketOption, SocketType } from '@rpal/uapi';
import { importedLength } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import type { MessageHeader } from '../process/message-header.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { KernelStep } from '../steps.js';
import { installPair } from './file-syscalls.js';
import { type MessageParts, receiveMessage, sendMessage, socketKey } from './message-syscalls.js';
import { whenOver } from './when-over.js';

const FLAGS = SocketType.NONBLOCK | SocketType.CLOEXEC;
const TYPE_MASK = 0xf;
const SOCK_RAW = 3;
/** Set by the kernel alone, for programs of 32 bits. */
const MSG_CMSG_COMPAT = 1 << 31;
/** Numbers of types and of address families are below these (SOCK_MAX, NPROTO). */
const TYPES = 11;
const FAMILIES = 46;
/** The socket level of getsockopt and setsockopt. */
const SOL_SOCKET = 1;

/** What the calls need from a kernel. */
export interface SocketCallParts extends MessageParts {
  readonly sharedMemory: NamedMemory;
}

/** Sockets: AF_UNIX only. */
export function defineSocketCalls(table: SyscallTable, kernel: SocketCallParts): void {
  table.define(
    Nr.socket,
    (cpu, thread, { a0, a1, a2 }) => {
      const refused = refuse(a0 | 0, a1 | 0, a2 | 0);
      if (refused < 0) return refused;
      cpu.charge(IpcStep.socketCreate);
      return thread.process.files.install(cpu, makeSocket(kernel.sockets, a1), a1);
    },
    { missing: 'AF_UNIX only' },
  );

  table.define(Nr.socketpair, (cpu, thread, regs) => {
    if ((regs.a1 & ~(FLAGS | TYPE_MASK)) !== 0) return -Errno.EINVAL;
    const announced = announcePair(cpu, thread, regs, regs.a3);
    if (announced < 0) return announced;
    const refused = refuse(regs.a0 | 0, regs.a1 | 0, regs.a2 | 0);
    if (refused < 0) return refused;
    cpu.charge(IpcStep.socketCreate);
    cpu.charge(IpcStep.socketCreate);
    const type = kindOf(regs.a1);
    const [a, b] =
      type === SocketType.STREAM
        ? UnixStreamSocket.pair(kernel.sockets, regs.a1)
        : UnixPacketSocket.pair(kernel.sockets, type, regs.a1 & FLAGS);
    return installPair(cpu, thread, regs, regs.a3, a, b, regs.a1);
  });

  table.define(Nr.bind, (cpu, thread, { args, a0, a1, a2 }) => {
    return onSocket(cpu, thread, a0, (socket) => {
      const name = args.socketName(cpu, thread, a1, a2);
      if (typeof name === 'number') return name;
      return name === null ? -Errno.EINVAL : bind(kernel, cpu, thread, socket, name);
    });
  });
  table.define(Nr.listen, (cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.listen(cpu, a1 | 0)));
  table.define(
    Nr.connect,
    (cpu, thread, { args, a0, a1, a2 }) => {
      // The address is copied before the descriptor is checked.
      if (thread.process.files.peek(a0) === null) return -Errno.EBADF;
      const name = args.socketName(cpu, thread, a1, a2);
      if (typeof name === 'number') return name;
      return onSocket(cpu, thread, a0, (socket) => {
        if (name === null || name === '') return -Errno.EINVAL;
        const key = socketKey(kernel, cpu, thread, name);
        return typeof key === 'number' ? key : socket.connect(cpu, thread, key);
      });
    },
    { holds: [0] },
  );
  table.define(Nr.accept, (cpu, thread, regs) => accept(cpu, thread, regs, 0), { holds: [0] });
  table.define(
    Nr.accept4,
    (cpu, thread, regs) => {
      if (thread.process.files.peek(regs.a0) === null) return -Errno.EBADF;
      return (regs.a3 & ~FLAGS) !== 0 ? -Errno.EINVAL : accept(cpu, thread, regs, regs.a3 | 0);
    },
    { holds: [0] },
  );
  table.define(
    Nr.sendto,
    (cpu, thread, { args, a0, a1, a2, a3, a4, a5 }) => {
      // The buffer is looked at before the descriptor.
      const length = importedLength(a2);
      if (!accessOk(a1, length)) return -Errno.EFAULT;
      const flags = a3 | 0;
      return onSocket(cpu, thread, a0, (socket) => {
        if (a4 === 0) return socket.send(cpu, thread, a1, length, flags);
        const name = args.socketName(cpu, thread, a4, a5);
        if (typeof name === 'number') return name;
        const header: MessageHeader = { segments: [{ address: a1, length }] };
        return sendMessage(kernel, cpu, thread, socket, (a5 | 0) === 0 ? header : { ...header, name: name ?? '' }, flags);
      });
    },
    { holds: [0] },
  );
  table.define(
    Nr.recvfrom,
    (cpu, thread, { args, a0, a1, a2, a3, a4, a5 }) => {
      const length = importedLength(a2);
      if (!accessOk(a1, length)) return -Errno.EFAULT;
      const flags = a3 | 0;
      if (a4 === 0) return onSocket(cpu, thread, a0, (socket) => socket.receive(cpu, thread, a1, length, flags));
      const header: MessageHeader = { segments: [{ address: a1, length }] };
      return onSocket(cpu, thread, a0, (socket) => {
        const result = receiveMessage(kernel, cpu, thread, socket, header, flags);
        return whenOver(cpu, thread, result, (on, bytes) => {
          const failed = bytes < 0 ? bytes : args.putSocketName(on, thread, a4, a5, header.name ?? null);
          return failed < 0 ? failed : bytes;
        });
      });
    },
    { holds: [0] },
  );
  table.define(
    Nr.sendmsg,
    (cpu, thread, { args, a0, a1, a2 }) =>
      (a2 & MSG_CMSG_COMPAT) !== 0
        ? -Errno.EINVAL
        : onSocket(cpu, thread, a0, (socket) => {
            const header = args.message(cpu, thread, a1);
            return typeof header === 'number' ? header : sendMessage(kernel, cpu, thread, socket, header, a2 | 0);
          }),
    { holds: [0] },
  );
  table.define(
    Nr.recvmsg,
    (cpu, thread, { args, a0, a1, a2 }) =>
      (a2 & MSG_CMSG_COMPAT) !== 0
        ? -Errno.EINVAL
        : onSocket(cpu, thread, a0, (socket) => {
            const header = args.message(cpu, thread, a1);
            if (typeof header === 'number') return header;
            const result = receiveMessage(kernel, cpu, thread, socket, header, a2 | 0);
            return whenOver(cpu, thread, result, (on, bytes) => {
              const failed = bytes < 0 ? bytes : args.putMessage(on, thread, a1, header);
              return failed < 0 ? failed : bytes;
            });
          }),
    { holds: [0] },
  );
  table.define(Nr.shutdown, (cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.shutdown(cpu, a1 | 0)));

  table.define(Nr.setsockopt, (cpu, thread, { args, a0, a1, a2, a3, a4 }) =>
    onSocket(cpu, thread, a0, (socket) => {
      cpu.charge(KernelStep.socketOption);
      if ((a4 | 0) < 0) return -Errno.EINVAL;
      if ((a1 | 0) !== SOL_SOCKET) return -Errno.EOPNOTSUPP;
      if ((a4 | 0) < 4) return -Errno.EINVAL;
      const value = args.word(cpu, thread, a3);
      return value < 0 ? value : setOption(cpu, socket, a2 | 0, value | 0);
    }),
  );
  table.define(Nr.getsockopt, (cpu, thread, { args, a0, a1, a2, a3, a4 }) =>
    onSocket(cpu, thread, a0, (socket) => {
      cpu.charge(KernelStep.socketOption);
      if ((a1 | 0) !== SOL_SOCKET) return -Errno.EOPNOTSUPP;
      const room = args.optionRoom(cpu, thread, a4);
      if (room < 0) return room;
      const value = getOption(socket, a2 | 0);
      return value < 0 ? value : args.putOption(cpu, thread, a3, a4, value);
    }),
  );
  table.define(Nr.unlink, (cpu, thread, { args, a0 }) => {
    const path = args.string(cpu, thread, a0);
    if (typeof path === 'number') return path;
    const { fileSystem } = kernel.seams.slots;
    if (fileSystem.filled) return fileSystem.value.unlink(cpu, thread, path);
    cpu.charge(IpcStep.socketBind);
    return path.startsWith('/dev/shm/') ? kernel.sharedMemory.unlink(path) : kernel.sockets.names.unlink(path);
  });
}

/** @returns 0 if there are such sockets, or why not */
function refuse(family: number, type: number, protocol: number): number {
  if ((type & ~(FLAGS | TYPE_MASK)) !== 0) return -Errno.EINVAL;
  if (family < 0 || family >= FAMILIES) return -Errno.EAFNOSUPPORT;
  if ((type & TYPE_MASK) >= TYPES) return -Errno.EINVAL;
  if (family !== AddressFamily.UNIX) return -Errno.EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== AddressFamily.UNIX) return -Errno.EPROTONOSUPPORT;
  switch (kindOf(type)) {
    case SocketType.STREAM:
    case SocketType.DGRAM:
    case SocketType.SEQPACKET:
      return 0;
    default:
      return -Errno.ESOCKTNOSUPPORT;
  }
}

/** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET: raw Unix sockets are datagram sockets. */
function kindOf(type: number): number {
  const kind = type & TYPE_MASK;
  return kind === SOCK_RAW ? SocketType.DGRAM : kind;
}

/** socketpair stores its descriptors before it makes the sockets. @returns 0, -EMFILE or -EFAULT */
function announcePair(cpu: Cpu, thread: Thread, { args }: UserContext, address: number): number {
  const { files } = thread.process;
  const first = files.lowestFree(0);
  const second = first < 0 ? first : files.lowestFree(first + 1);
  return second < 0 ? second : Math.min(0, args.putPair(cpu, thread, address, first, second));
}

function makeSocket(namespace: UnixNamespace, type: number): UnixSocket {
  const kind = kindOf(type);
  return kind === SocketType.STREAM ? new UnixStreamSocket(namespace, type & FLAGS) : new UnixPacketSocket(namespace, kind, type & FLAGS);
}

/** A call on the socket behind a descriptor. */
function onSocket(cpu: Cpu, thread: Thread, fd: number, call: (socket: UnixSocket) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  if (file === null) return -Errno.EBADF;
  return file instanceof UnixSocket ? call(file) : -Errno.ENOTSOCK;
}

/** bind(2): abstract names are the sockets' own, paths those of the file system if there is one. */
function bind({ seams }: SocketCallParts, cpu: Cpu, thread: Thread, socket: UnixSocket, name: string): number {
  const { fileSystem } = seams.slots;
  return fileSystem.filled && name !== '' && !name.startsWith('\0')
    ? fileSystem.value.bindSocket(cpu, thread, socket, name)
    : socket.bind(cpu, name);
}

function accept(cpu: Cpu, thread: Thread, { args, a0: fd, a1, a2 }: UserContext, flags: number): number {
  const { files } = thread.process;
  // The descriptor for the connection is looked for first.
  if (files.full && files.peek(fd) !== null) return -Errno.EMFILE;
  return onSocket(cpu, thread, fd, (socket) =>
    socket.accept(cpu, thread, (on, connection) => {
      connection.flags |= flags & OpenFlag.NONBLOCK;
      const made = files.install(on, connection, flags);
      const failed = made < 0 ? made : args.putSocketName(on, thread, a1, a2, connection.peer?.path ?? '');
      if (failed < 0 && made >= 0) files.close(on, made);
      return failed < 0 ? failed : made;
    }),
  );
}

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
