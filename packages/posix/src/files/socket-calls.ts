import type { Cpu } from '@rpal/hw-x86';
import { SocketState, UnixSocket } from '@rpal/ipc';
import { type ProcessCredentials, type SyscallHandler, type Thread, UserBuffer, whenOver } from '@rpal/kernel';
import { AddressFamily, Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

const SOL_SOCKET = 1;
/** Options of level SOL_SOCKET beside those that the kernel has. */
const Option = { ACCEPTCONN: 30, PEERCRED: 17, PROTOCOL: 38, DOMAIN: 39 } as const;
const OPTIONS_MISSING =
  'LINGER, RCVTIMEO, SNDTIMEO, PEEK_OFF, PEERSEC, PEERGROUPS, PEERPIDFD and options that mean nothing to Unix sockets';
/** Bytes of `struct sockaddr_un` with the longest name, and of `struct ucred`. */
const SOCKADDR = 112;
const UCRED = 12;
/** In place of who nobody is. */
const NOBODY = 0xffff_ffff;

/** Names of sockets and of their peers, and who these are. */
export function defineSocketCalls(calls: Calls): void {
  const buffer = new UserBuffer(SOCKADDR);
  /** Who made the other end, when that was connected or began to listen. */
  const peers = new WeakMap<UnixSocket, ProcessCredentials>();
  const listeners = new WeakMap<UnixSocket, ProcessCredentials>();
  /** Far ends of connections are called as their listener was. */
  const names = new WeakMap<UnixSocket, string>();
  const nameOf = (socket: UnixSocket): string | null => socket.path ?? names.get(socket) ?? null;
  const socketOf = (cpu: Cpu, thread: Thread, fd: number): UnixSocket | number => {
    const file = thread.process.files.lookUp(cpu, fd | 0);
    if (file === null) return -Errno.EBADF;
    return file instanceof UnixSocket ? file : -Errno.ENOTSOCK;
  };

  /** move_addr_to_user. */
  const putName = (cpu: Cpu, thread: Thread, address: number, lengthAddress: number, name: string | null): number => {
    if (buffer.load(cpu, thread, lengthAddress, 4) < 0) return -Errno.EFAULT;
    const room = buffer.i32(0);
    if (room < 0) return -Errno.EINVAL;
    const text = name ?? '';
    // A path has its zero with it; an abstract name begins with one, and has none behind it.
    const length = text === '' ? 2 : 2 + text.length + (text.startsWith('\0') ? 0 : 1);
    buffer.clear(SOCKADDR).set16(0, AddressFamily.UNIX);
    for (let i = 0; i < text.length; i++) buffer.view.setUint8(2 + i, text.charCodeAt(i));
    if (buffer.store(cpu, thread, address, Math.min(room, length)) < 0) return -Errno.EFAULT;
    return buffer.set32(0, length).store(cpu, thread, lengthAddress, 4) < 0 ? -Errno.EFAULT : 0;
  };

  calls.define('getsockname', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.structure);
    const socket = socketOf(cpu, thread, a0);
    return typeof socket === 'number' ? socket : putName(cpu, thread, a1, a2, nameOf(socket));
  });

  calls.define('getpeername', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.structure);
    const socket = socketOf(cpu, thread, a0);
    if (typeof socket === 'number') return socket;
    return socket.peer === null ? -Errno.ENOTCONN : putName(cpu, thread, a1, a2, nameOf(socket.peer));
  });

  calls.extend(
    'socketpair',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const { files, credentials } = thread.process;
        const lowest = files.lowestFree(0);
        const result = inner(cpu, thread, registers);
        // The pair has the two lowest descriptors that were free.
        const first = result >= 0 && lowest >= 0 ? files.peek(lowest) : null;
        if (first instanceof UnixSocket && first.peer !== null) {
          peers.set(first, credentials);
          peers.set(first.peer, credentials);
        }
        return result;
      },
  );

  calls.extend(
    'listen',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const result = inner(cpu, thread, registers);
        const socket = result === 0 ? socketOf(cpu, thread, registers.a0) : 0;
        if (typeof socket !== 'number') listeners.set(socket, thread.process.credentials);
        return result;
      },
  );

  calls.extend(
    'connect',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const socket = socketOf(cpu, thread, registers.a0);
        if (typeof socket === 'number') return inner(cpu, thread, registers);
        return whenOver(cpu, thread, inner(cpu, thread, registers), (_on, result) => {
          const { peer } = socket;
          if (result === 0 && peer !== null && peer.listener !== null) {
            const theirs = listeners.get(peer.listener);
            if (theirs !== undefined) peers.set(socket, theirs);
            peers.set(peer, thread.process.credentials);
            if (peer.listener.path !== null) names.set(peer, peer.listener.path);
          }
          return result;
        });
      },
  );

  calls.extend('setsockopt', (inner: SyscallHandler): SyscallHandler => inner, { missing: OPTIONS_MISSING });

  calls.extend(
    'getsockopt',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const { args, a0, a1, a2, a3, a4 } = registers;
        const option = a2 | 0;
        const known = option === Option.PEERCRED || option === Option.ACCEPTCONN || option === Option.PROTOCOL || option === Option.DOMAIN;
        if ((a1 | 0) !== SOL_SOCKET || !known) return inner(cpu, thread, registers);
        const socket = socketOf(cpu, thread, a0);
        if (typeof socket === 'number') return socket;
        if (option !== Option.PEERCRED) {
          const room = args.optionRoom(cpu, thread, a4);
          if (room < 0) return room;
          const value =
            option === Option.ACCEPTCONN
              ? Number(socket.state === SocketState.LISTENING)
              : option === Option.DOMAIN
                ? AddressFamily.UNIX
                : 0;
          return args.putOption(cpu, thread, a3, a4, value);
        }
        if (buffer.load(cpu, thread, a4, 4) < 0) return -Errno.EFAULT;
        const room = buffer.i32(0);
        if (room < 0) return -Errno.EINVAL;
        const { pid, euid, egid } = peers.get(socket) ?? { pid: 0, euid: NOBODY, egid: NOBODY };
        const length = Math.min(room, UCRED);
        buffer.set32(0, pid).set32(4, euid).set32(8, egid);
        if (buffer.store(cpu, thread, a3, length) < 0) return -Errno.EFAULT;
        return buffer.set32(0, length).store(cpu, thread, a4, 4) < 0 ? -Errno.EFAULT : 0;
      },
    { missing: OPTIONS_MISSING },
  );
}
