import type { Cpu } from '@rpal/hw-x86';
import { IpcStep, SCM_MAX_FD, SocketMessage, type UnixSocket } from '@rpal/ipc';
import { Errno, MessageFlag } from '@rpal/uapi';
import { type Credentials, type File, type IoVec, type IovIter, type Operation, Pending, UIO_MAXIOV, VfsStep } from '@rpal/vfs';
import { threadWithId } from '../process/find-thread.js';
import type { Thread } from '../process/thread.js';

/** What sendmsg and recvmsg take and give (`struct msghdr` with its control messages), beside registers and memory. */
export interface MessageHeader {
  readonly segments: readonly IoVec[];
  /** Where a datagram is to go; on return of recvmsg, where it came from. */
  name?: string | null;
  /** SCM_RIGHTS: descriptors to send; on return of recvmsg, those that came. */
  descriptors?: number[];
  /** recvmsg: how many descriptors there is room for; none by default. */
  readonly room?: number;
  /**
   * SCM_CREDENTIALS: who sendmsg is to say that the sender is, in place of what the kernel fills in; on return of recvmsg with
   * SO_PASSCRED: who it says sent it.
   */
  credentials?: Credentials | null;
  /** process_vm_readv and process_vm_writev: memory of the other process. */
  readonly remote?: readonly IoVec[];
  /** On return of recvmsg: MSG_TRUNC, MSG_CTRUNC. */
  flags?: number;
}

/** sendmsg(2). Of descriptors and credentials, the credentials come first. */
export function sendMessage(cpu: Cpu, thread: Thread, socket: UnixSocket, header: MessageHeader, flags: number): number {
  cpu.charge(VfsStep.messageHeader);
  if (header.segments.length > UIO_MAXIOV) return -Errno.EMSGSIZE;
  const message = new SocketMessage(header.segments);
  const refused = socket.refusal();
  if (refused < 0) return refused;
  message.name = header.name ?? null;
  message.credentials = header.credentials ?? null;
  const forged = message.credentials === null ? 0 : checkCredentials(thread, message.credentials);
  if (forged < 0) return forged;
  const descriptors = header.descriptors ?? [];
  if (descriptors.length > SCM_MAX_FD) return -Errno.EINVAL;
  const files = descriptors.map((fd) => thread.process.files.peek(fd));
  if (files.some((file) => file === null)) return -Errno.EBADF;
  if (files.length > 0) {
    message.files = (files as File[]).map((file) => file.get());
    for (let i = 0; i < files.length; i++) cpu.charge(IpcStep.scmDescriptor);
  }
  thread.iov = message;
  return whenOver(cpu, thread, message, socket.send(cpu, thread, 0, message.length, flags), (on, result) => {
    // What could not be sent is let go.
    for (const file of message.files ?? []) file.put(on);
    return result;
  });
}

/**
 * Root may say anything that could be true, others nothing but the truth (Linux: `__scm_send`, `scm_check_creds`).
 * @returns 0, -EINVAL, -EPERM or -ESRCH
 */
function checkCredentials({ process }: Thread, { pid, uid, gid }: Credentials): number {
  const { credentials: own, kernel } = process;
  if (uid < 0 || gid < 0) return -Errno.EINVAL;
  if (own.uid !== 0 && (pid !== own.pid || uid !== own.uid || gid !== own.gid)) return -Errno.EPERM;
  return pid === own.pid || kernel.processes.has(pid) || threadWithId(kernel, pid) !== undefined ? 0 : -Errno.ESRCH;
}

/** recvmsg(2). */
export function receiveMessage(cpu: Cpu, thread: Thread, socket: UnixSocket, header: MessageHeader, flags: number): number {
  cpu.charge(VfsStep.messageHeader);
  if (header.segments.length > UIO_MAXIOV) return -Errno.EMSGSIZE;
  const message = new SocketMessage(header.segments);
  thread.iov = message;
  return whenOver(cpu, thread, message, socket.receive(cpu, thread, 0, message.length, flags), (on, result) => {
    header.name = message.name;
    header.credentials = message.credentials;
    header.flags = message.flags;
    header.descriptors = [];
    if (message.files !== null) install(on, thread, header, message.files, (flags & MessageFlag.CMSG_CLOEXEC) !== 0);
    return result;
  });
}

/** As many descriptors as there is room for; what is left over is closed, and MSG_CTRUNC says so (Linux: `scm_detach_fds`). */
function install(cpu: Cpu, thread: Thread, header: MessageHeader, files: readonly File[], closeOnExec: boolean): void {
  const descriptors: number[] = [];
  for (const file of files.slice(0, header.room ?? 0)) {
    cpu.charge(IpcStep.scmDescriptor);
    const fd = thread.process.files.install(cpu, file, closeOnExec);
    if (fd < 0) break;
    descriptors.push(fd);
  }
  const { puts } = thread.process.kernel.sockets.inFlight;
  puts.dropAll(files);
  puts.settle(cpu);
  header.descriptors = descriptors;
  if (descriptors.length < files.length) header.flags = (header.flags ?? 0) | MessageFlag.CTRUNC;
}

/** Sees a call with segments to its end, now or when it has slept. */
export function whenOver(cpu: Cpu, thread: Thread, iov: IovIter, result: number, finish: (cpu: Cpu, result: number) => number): number {
  if (result > Pending.AGAIN) {
    thread.iov = null;
    return finish(cpu, result);
  }
  const inner = thread.operation as Operation;
  thread.operation = {
    step(on) {
      thread.iov = iov;
      const outcome = inner.step(on);
      thread.iov = null;
      return outcome > Pending.AGAIN ? finish(on, outcome) : outcome;
    },
  };
  thread.iov = null;
  return result;
}
