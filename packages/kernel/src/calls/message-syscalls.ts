import type { Cpu } from '@rpal/hw-x86';
import { IpcStep, SCM_MAX_FD, SocketMessage, type UnixNamespace, type UnixSocket } from '@rpal/ipc';
import { Errno, MessageFlag, OpenFlag } from '@rpal/uapi';
import { type Credentials, type File, importSegments, UIO_MAXIOV, VfsStep } from '@rpal/vfs';
import type { MessageHeader } from '../process/message-header.js';
import type { ProcessTable } from '../process/process-table.js';
import type { Thread } from '../process/thread.js';
import type { KernelSeams } from '../seams.js';
import { whenOver } from './when-over.js';

/** What messages need from a kernel. */
export interface MessageParts {
  readonly sockets: UnixNamespace;
  readonly processes: ProcessTable;
  readonly seams: KernelSeams;
}

/** sendmsg(2). Of descriptors and credentials, the credentials come first. */
export function sendMessage(
  kernel: MessageParts,
  cpu: Cpu,
  thread: Thread,
  socket: UnixSocket,
  header: MessageHeader,
  flags: number,
): number {
  cpu.charge(VfsStep.messageHeader);
  if (header.segments.length > UIO_MAXIOV) return -Errno.EMSGSIZE;
  const segments = importSegments(header.segments);
  if (typeof segments === 'number') return segments;
  const message = new SocketMessage(segments);
  const refused = socket.refusal();
  if (refused < 0) return refused;
  const { name = null } = header;
  const key = name === null || name === '' ? name : socketKey(kernel, cpu, thread, name);
  if (typeof key === 'number') return key;
  message.name = key;
  message.credentials = header.credentials ?? null;
  const forged = message.credentials === null ? 0 : checkCredentials(kernel.processes, thread, message.credentials);
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
  return whenOver(cpu, thread, socket.send(cpu, thread, 0, message.length, flags), (on, result) => {
    thread.iov = null;
    // Releases what could not be sent.
    for (const file of message.files ?? []) file.put(on);
    return result;
  });
}

/** The key by which sockets are known that a program calls `name`: with a file system, what the path leads to. */
export function socketKey({ seams }: MessageParts, cpu: Cpu, thread: Thread, name: string): string | number {
  const { fileSystem } = seams.slots;
  return fileSystem.filled && !name.startsWith('\0') ? fileSystem.value.socketKey(cpu, thread, name) : name;
}

/**
 * Root may say anything that could be true, others nothing but the truth (Linux: `__scm_send`, `scm_check_creds`).
 * @returns 0, -EINVAL, -EPERM or -ESRCH
 */
function checkCredentials(processes: ProcessTable, { process }: Thread, { pid, uid, gid }: Credentials): number {
  const { credentials: own } = process;
  if (uid < 0 || gid < 0) return -Errno.EINVAL;
  if (own.uid !== 0 && (pid !== own.pid || uid !== own.uid || gid !== own.gid)) return -Errno.EPERM;
  return pid === own.pid || processes.get(pid) !== undefined || processes.thread(pid) !== undefined ? 0 : -Errno.ESRCH;
}

/** recvmsg(2). */
export function receiveMessage(
  kernel: MessageParts,
  cpu: Cpu,
  thread: Thread,
  socket: UnixSocket,
  header: MessageHeader,
  flags: number,
): number {
  cpu.charge(VfsStep.messageHeader);
  if (header.segments.length > UIO_MAXIOV) return -Errno.EMSGSIZE;
  const segments = importSegments(header.segments);
  if (typeof segments === 'number') return segments;
  const message = new SocketMessage(segments);
  thread.iov = message;
  return whenOver(cpu, thread, socket.receive(cpu, thread, 0, message.length, flags), (on, result) => {
    thread.iov = null;
    header.name = message.name;
    header.credentials = message.credentials;
    header.flags = message.flags | (flags & MessageFlag.CMSG_CLOEXEC);
    header.descriptors = [];
    if (message.files !== null)
      install(kernel, on, thread, header, message.files, (flags & MessageFlag.CMSG_CLOEXEC) !== 0 ? OpenFlag.CLOEXEC : 0);
    return result;
  });
}

/** As many descriptors as there is room for; what is left over is closed, and MSG_CTRUNC says so (Linux: `scm_detach_fds`). */
function install(kernel: MessageParts, cpu: Cpu, thread: Thread, header: MessageHeader, files: readonly File[], flags: number): void {
  const descriptors: number[] = [];
  for (const file of files.slice(0, header.room ?? 0)) {
    cpu.charge(IpcStep.scmDescriptor);
    const fd = thread.process.files.install(cpu, file, flags);
    if (fd < 0) break;
    descriptors.push(fd);
  }
  const { puts } = kernel.sockets.inFlight;
  puts.dropAll(files);
  puts.settle(cpu);
  header.descriptors = descriptors;
  if (descriptors.length < files.length) header.flags = (header.flags ?? 0) | MessageFlag.CTRUNC;
}
