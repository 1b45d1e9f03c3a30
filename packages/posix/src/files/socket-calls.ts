import type { Cpu } from '@rpal/hw-x86';
import { UnixPacketSocket, UnixSocket } from '@rpal/ipc';
import { type ProcessCredentials, type SyscallHandler, type Thread, UserBuffer, type UserContext, whenOver } from '@rpal/kernel';
import { Errno, SocketType } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';
import { FAMILY, socketAddress, socketOf } from './socket-names.js';
import { defineSocketOptions } from './socket-options.js';

/** Bytes of `struct sockaddr_storage`. */
const SOCKADDR_STORAGE = 128;
const AF_UNSPEC = 0;

/** Names of sockets and of their peers, and who these are. */
export function defineSocketCalls(calls: Calls): void {
  const buffer = new UserBuffer(SOCKADDR_STORAGE);
  const length = new UserBuffer(4);
  /** Who made the other end, when that was connected or began to listen. */
  const peers = new WeakMap<UnixSocket, ProcessCredentials>();
  const listeners = new WeakMap<UnixSocket, ProcessCredentials>();
  /** Far ends of connections are called as their listener was. */
  const names = new WeakMap<UnixSocket, string>();
  const nameOf = (socket: UnixSocket): string | null => socket.path ?? names.get(socket) ?? null;
  /** An address of no family: a datagram socket is to be connected to nobody any more. */
  const isUnspecified = (cpu: Cpu, thread: Thread, { a1: address, a2: bytes }: UserContext): boolean =>
    (bytes | 0) >= FAMILY &&
    (bytes | 0) <= SOCKADDR_STORAGE &&
    buffer.load(cpu, thread, address, FAMILY) === 0 &&
    buffer.u16(0) === AF_UNSPEC;

  /** move_addr_to_user. */
  const putName = (cpu: Cpu, thread: Thread, address: number, lengthAddress: number, name: string | null): number => {
    if (buffer.load(cpu, thread, lengthAddress, 4) < 0) return -Errno.EFAULT;
    const room = buffer.i32(0);
    if (room < 0) return -Errno.EINVAL;
    const bytes = socketAddress(buffer, name);
    const putBytes = (): boolean => buffer.copy(cpu, thread, address, Math.min(room, bytes)) === 0;
    const putLength = (): boolean => length.set32(0, bytes).store(cpu, thread, lengthAddress, 4) === 0;
    const stored = calls.kernel.later.socketNameLengthFirst ? putLength() && putBytes() : putBytes() && putLength();
    return stored ? 0 : -Errno.EFAULT;
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
        if (socket instanceof UnixPacketSocket && socket.type === SocketType.DGRAM && isUnspecified(cpu, thread, registers)) {
          socket.disconnectPeer(cpu);
          return 0;
        }
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

  defineSocketOptions(calls, { peers, nameOf });
}
