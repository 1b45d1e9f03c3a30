import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { IpcStep, MemFd, MessageQueueFile, PipeEnd, UnixSocket } from '@rpal/ipc';
import { type SyscallExtension, type Thread, UserBuffer, whenOver } from '@rpal/kernel';
import { type MmStruct, unsigned } from '@rpal/mm';
import { Errno, FileMode, OpenFlag, Seek, SPLICE_F_ALL, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { type File, IovIter, MAX_RW_COUNT, OFFSET_END, VfsStep } from '@rpal/vfs';
import { NullFile } from '../open/device-file.js';
import { mayRead, mayWrite } from '../open/open-inode.js';
import { RegularFile } from '../open/regular-file.js';
import { TmpfsStep } from '../steps.js';
import type { FileTree } from '../tree/file-tree.js';
import type { Define } from './call-table.js';

/** The size below which files are without O_LARGEFILE. */
const SMALL_FILE = 2 ** 31 - 1;
const offsets = new UserBuffer(8);

/** Calls that move bytes between files without the program's memory. */
export function defineTransferCalls(define: Define, tree: FileTree): void {
  define('sendfile', (cpu, thread, { a0, a1, a2, a3 }) => sendFile(cpu, tree, thread, a0 | 0, a1 | 0, a2, a3), {
    holds: [0, 1],
    missing: 'pages are copied into pipes and sockets, not passed',
  });
  define('copy_file_range', (cpu, thread, { a0, a1, a2, a3, a4, a5 }) => copyRange(cpu, thread, a0 | 0, a1, a2 | 0, a3, a4, a5 | 0));
}

/** splice(2) between pipes and regular files; all others are the kernel's. */
export function spliceOfFiles(tree: FileTree): SyscallExtension {
  return (inner) => (cpu, thread, registers) => {
    const { a0, a1, a2, a3, a4, a5 } = registers;
    const { files } = thread.process;
    const from = files.peek(a0 | 0);
    const to = files.peek(a2 | 0);
    const nonblocking = (a5 & SPLICE_F_NONBLOCK) !== 0;
    const into = from instanceof MemFd && to instanceof PipeEnd;
    if (!into && !(from instanceof PipeEnd && to instanceof MemFd)) return inner(cpu, thread, registers);
    if (a4 === 0) return 0;
    if ((a5 & ~SPLICE_F_ALL) !== 0) return -Errno.EINVAL;
    const length = unsigned(a4);
    return into
      ? intoPipe(cpu, tree, thread, from, a1, to, a3, length, nonblocking)
      : outOfPipe(cpu, tree, thread, from as PipeEnd, a1, to as MemFd, a3, length);
  };
}

/** The bytes of a file in place of a program's memory: what a pipe or a socket is given, or gives. */
class FileIov extends IovIter {
  readonly #tree: FileTree;
  readonly #thread: Thread;
  readonly #file: MemFd;
  readonly #offset: number;

  constructor(tree: FileTree, thread: Thread, file: MemFd, offset: number, length: number) {
    super([{ address: 0, length }]);
    this.#tree = tree;
    this.#thread = thread;
    this.#file = file;
    this.#offset = offset;
  }

  override copyIn(_cpu: Cpu, _memory: MmStruct, to: number, offset: number, length: number): number {
    const bytes = new Uint8Array(length);
    this.#file.file.load(this.#offset + offset, bytes);
    this.#tree.kernel.platform.memory.store(to, bytes);
    return 0;
  }

  override copyOut(cpu: Cpu, _memory: MmStruct, offset: number, from: number, length: number): number {
    const bytes = new Uint8Array(length);
    this.#tree.kernel.platform.memory.load(from, bytes);
    return Math.min(0, this.#file.storeBytes(cpu, this.#thread, bytes, this.#offset + offset));
  }
}

/** A file with a name has been read. */
function accessed(cpu: Cpu, file: MemFd): void {
  if (file instanceof RegularFile) file.tree.accessed(cpu, file.inode);
}

/** Runs a read or write of another file with a file's bytes for memory. */
function withBytes(cpu: Cpu, thread: Thread, iov: IovIter, move: () => number, finish: (cpu: Cpu, result: number) => number): number {
  thread.iov = iov;
  return whenOver(cpu, thread, move(), (on, result) => {
    thread.iov = null;
    return finish(on, result);
  });
}

/** An offset that a call is given by pointer: it is used, and moved, in place of the file's own. */
function offsetAt(cpu: Cpu, thread: Thread, address: number): number {
  if (offsets.load(cpu, thread, address, 8) < 0) return -Errno.EFAULT;
  const offset = offsets.i64(0);
  return offset < 0 ? -Errno.EINVAL : offset;
}

function moveOffset(cpu: Cpu, thread: Thread, file: File, address: number, offset: number): number {
  if (address === 0) {
    file.seek(offset, Seek.SET);
    return 0;
  }
  return offsets.set64(0, offset).store(cpu, thread, address, 8) < 0 ? -Errno.EFAULT : 0;
}

/** sendfile(2). */
function sendFile(cpu: Cpu, tree: FileTree, thread: Thread, outFd: number, inFd: number, address: number, wanted: number): number {
  const { files } = thread.process;
  const given = address === 0 ? 0 : offsetAt(cpu, thread, address);
  if (given === -Errno.EFAULT) return given;
  const from = files.lookUp(cpu, inFd);
  if (from === null || !mayRead(from)) return -Errno.EBADF;
  if (address !== 0 && !from.positioned) return -Errno.ESPIPE;
  if (given < 0 || wanted < 0 || given + wanted >= OFFSET_END) return -Errno.EINVAL;
  const to = files.lookUp(cpu, outFd);
  if (to === null || !mayWrite(to)) return -Errno.EBADF;
  // The file system of message queues knows no larger files.
  if ((from instanceof MessageQueueFile || to instanceof MessageQueueFile) && given >= SMALL_FILE) return -Errno.EOVERFLOW;
  if ((to.flags & OpenFlag.APPEND) !== 0 && !(to instanceof PipeEnd)) return -Errno.EINVAL;
  // Something must be left where it was if it cannot be sent: what has no position is refused.
  if (!(to instanceof PipeEnd) && from.seek(0, Seek.CUR) === -Errno.ESPIPE) return -Errno.EINVAL;
  if (wanted === 0) return 0;
  if (!(from instanceof MemFd)) return -Errno.EINVAL;
  const offset = address === 0 ? from.seek(0, Seek.CUR) : given;
  const length = Math.min(wanted, MAX_RW_COUNT, Math.max(0, from.file.size - offset));
  cpu.charge(IpcStep.memfdAccess);
  if (length === 0) return 0;
  const over = (on: Cpu, result: number): number => {
    if (result <= 0) return result;
    accessed(on, from);
    const failed = moveOffset(on, thread, from, address, offset + result);
    return failed < 0 ? failed : result;
  };
  if (to instanceof MemFd) {
    const at = to.seek(0, Seek.CUR);
    const copied = copyBytes(cpu, from, offset, to, at, length, thread);
    if (copied > 0) to.seek(at + copied, Seek.SET);
    return over(cpu, copied);
  }
  if (to instanceof NullFile) return over(cpu, to.write(cpu, thread, 0, length));
  if (!(to instanceof PipeEnd) && !(to instanceof UnixSocket)) return -Errno.EINVAL;
  return withBytes(cpu, thread, new FileIov(tree, thread, from, offset, length), () => to.write(cpu, thread, 0, length), over);
}

/** copy_file_range(2). */
function copyRange(
  cpu: Cpu,
  thread: Thread,
  inFd: number,
  inAddress: number,
  outFd: number,
  outAddress: number,
  wanted: number,
  flags: number,
): number {
  const { files } = thread.process;
  const from = files.lookUp(cpu, inFd);
  const to = files.lookUp(cpu, outFd);
  if (from === null || to === null) return -Errno.EBADF;
  const inOffset = inAddress === 0 ? from.seek(0, Seek.CUR) : offsetAt(cpu, thread, inAddress);
  const outOffset = outAddress === 0 ? to.seek(0, Seek.CUR) : offsetAt(cpu, thread, outAddress);
  if (inOffset === -Errno.EFAULT || outOffset === -Errno.EFAULT) return -Errno.EFAULT;
  if (flags !== 0) return -Errno.EINVAL;
  const isDirectory = (file: File) => (file.mode & FileMode.TYPE) === FileMode.DIRECTORY;
  if (isDirectory(from) || isDirectory(to)) return -Errno.EISDIR;
  const isRegular = (file: File) => (file.mode & FileMode.TYPE) === FileMode.REGULAR;
  if (!isRegular(from) || !isRegular(to)) return -Errno.EINVAL;
  if (!mayRead(from) || !mayWrite(to) || (to.flags & OpenFlag.APPEND) !== 0) return -Errno.EBADF;
  // Files with names and those of memfd_create are of two file systems.
  if (!(from instanceof MemFd) || !(to instanceof MemFd) || from instanceof RegularFile !== to instanceof RegularFile) return -Errno.EXDEV;
  if (inOffset < 0 || outOffset < 0) return -Errno.EINVAL;
  // The length is unsigned, and so is the sum.
  const count = unsigned(wanted);
  if (Math.max(inOffset, outOffset) + count >= 2 ** 64) return -Errno.EOVERFLOW;
  const length = Math.min(count, MAX_RW_COUNT, Math.max(0, from.file.size - inOffset));
  if (from.file === to.file && inOffset < outOffset + length && outOffset < inOffset + length) return -Errno.EINVAL;
  if (length === 0) return 0;
  const copied = copyBytes(cpu, from, inOffset, to, outOffset, length, thread);
  if (copied <= 0) return copied;
  accessed(cpu, from);
  const failed = Math.min(
    moveOffset(cpu, thread, from, inAddress, inOffset + copied),
    moveOffset(cpu, thread, to, outAddress, outOffset + copied),
  );
  return failed < 0 ? failed : copied;
}

/** Bytes from file to file, page by page. */
function copyBytes(cpu: Cpu, from: MemFd, inOffset: number, to: MemFd, outOffset: number, length: number, thread: Thread): number {
  const page = new Uint8Array(PAGE_SIZE);
  for (let done = 0; done < length; ) {
    const part = Math.min(length - done, PAGE_SIZE - ((outOffset + done) % PAGE_SIZE));
    const bytes = page.subarray(0, part);
    from.file.load(inOffset + done, bytes);
    const stored = to.storeBytes(cpu, thread, bytes, outOffset + done);
    if (stored < 0) return done > 0 ? done : stored;
    done += part;
  }
  cpu.chargeBytes(VfsStep.copyFromUser, length);
  return length;
}

/** splice(2) of a file's bytes into a pipe: as much as there is room for, and at least something. */
function intoPipe(
  cpu: Cpu,
  tree: FileTree,
  thread: Thread,
  from: MemFd,
  inAddress: number,
  to: PipeEnd,
  outAddress: number,
  wanted: number,
  nonblocking: boolean,
): number {
  if (outAddress !== 0) return -Errno.ESPIPE;
  const offset = inAddress === 0 ? from.seek(0, Seek.CUR) : offsetAt(cpu, thread, inAddress);
  if (offset === -Errno.EFAULT) return offset;
  if (!mayRead(from) || !to.writing) return -Errno.EBADF;
  if (offset < 0 || offset + wanted >= OFFSET_END) return -Errno.EINVAL;
  const { slots, buffers } = to.pipe;
  const room = Math.max(1, slots - buffers.length) * PAGE_SIZE;
  const length = Math.min(wanted, room, Math.max(0, from.file.size - offset));
  cpu.charge(TmpfsStep.deviceAccess);
  if (length === 0) return 0;
  if (to.pipe.full && (nonblocking || to.nonblocking)) return -Errno.EAGAIN;
  return withBytes(
    cpu,
    thread,
    new FileIov(tree, thread, from, offset, length),
    () => to.write(cpu, thread, 0, length),
    (on, result) => {
      if (result <= 0) return result;
      const failed = moveOffset(on, thread, from, inAddress, offset + result);
      return failed < 0 ? failed : result;
    },
  );
}

/** splice(2) of a pipe's bytes into a file. */
function outOfPipe(
  cpu: Cpu,
  tree: FileTree,
  thread: Thread,
  from: PipeEnd,
  inAddress: number,
  to: MemFd,
  outAddress: number,
  wanted: number,
): number {
  if (inAddress !== 0) return -Errno.ESPIPE;
  const offset = outAddress === 0 ? to.seek(0, Seek.CUR) : offsetAt(cpu, thread, outAddress);
  if (offset === -Errno.EFAULT) return offset;
  if (from.writing || !mayWrite(to)) return -Errno.EBADF;
  if ((to.flags & OpenFlag.APPEND) !== 0 || offset < 0 || offset + wanted >= OFFSET_END) return -Errno.EINVAL;
  return withBytes(
    cpu,
    thread,
    new FileIov(tree, thread, to, offset, Math.min(wanted, MAX_RW_COUNT)),
    () => from.read(cpu, thread, 0, Math.min(wanted, MAX_RW_COUNT)),
    (on, result) => {
      if (result <= 0) return result;
      const failed = moveOffset(on, thread, to, outAddress, offset + result);
      return failed < 0 ? failed : result;
    },
  );
}
