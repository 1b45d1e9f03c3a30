import type { Cpu } from '@rpal/hw-x86';
import { PipeEnd, splice, spliceFromSocket, spliceToSocket, tee, UnixStreamSocket, vmsplice } from '@rpal/ipc';
import { type SyscallHandler, type Thread, whenOver } from '@rpal/kernel';
import { getUser32 } from '@rpal/mm';
import { Errno, LinuxCall, OpenFlag, SPLICE_F_ALL, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { type File, IovIter, importedLength, importSegments } from '@rpal/vfs';
import type { Calls } from '../calls.js';

/** Calls that move data between files without copying it: one of the two is a pipe. */
export function defineSpliceCalls(calls: Calls): void {
  // A file system may have been there first.
  if (calls.kernel.syscalls.get(LinuxCall.splice) !== undefined) calls.extend('splice', spliceBetween, { holds: [0, 2] });
  else
    calls.define(
      'splice',
      spliceBetween(() => -Errno.EINVAL),
      {
        holds: [0, 2],
        signature: 'fd_in - fd_out - length flags*',
        missing: 'files other than pipes and Unix stream sockets',
      },
    );
  calls.define(
    'tee',
    (cpu, thread, { a0, a1, a2, a3 }) => {
      if ((a3 & ~SPLICE_F_ALL) !== 0) return -Errno.EINVAL;
      return betweenFiles(cpu, thread, a0, a1, a2, (from, to) => {
        if (!isReadable(from) || !isWritable(to)) return -Errno.EBADF;
        if (!(from instanceof PipeEnd) || !(to instanceof PipeEnd)) return -Errno.EINVAL;
        return tee(cpu, thread, from, to, importedLength(a2), a3);
      });
    },
    { holds: [0, 1], signature: 'fd_in fd_out length flags*' },
  );
  calls.define(
    'vmsplice',
    (cpu, thread, { args, a0, a1, a2, a3 }) => {
      if ((a3 & ~SPLICE_F_ALL) !== 0) return -Errno.EINVAL;
      const file = thread.process.files.lookUp(cpu, a0);
      if (file === null) return -Errno.EBADF;
      const given = args.segments(cpu, thread, a1, a2);
      const segments = typeof given === 'number' ? given : importSegments(given);
      if (typeof segments === 'number') return segments;
      const memory = new IovIter(segments);
      if (memory.length === 0) return 0;
      if (!(file instanceof PipeEnd)) return -Errno.EBADF;
      if (file.writing) return vmsplice(cpu, thread, file, segments, a3);
      thread.iov = memory;
      // Its flags decide, not those of the file.
      const waits = (a3 & SPLICE_F_NONBLOCK) === 0 ? 'yes' : 'no';
      return whenOver(cpu, thread, file.readAs(cpu, thread, 0, memory.length, waits), (_on, outcome) => {
        thread.iov = null;
        return outcome;
      });
    },
    { holds: [0], signature: 'fd - nr_segs flags*' },
  );
}

/** splice between pipes, or between a pipe and a Unix stream socket. @param others what it does between other files */
function spliceBetween(others: SyscallHandler): SyscallHandler {
  return (cpu, thread, registers) => {
    const { a0, a1, a2, a3, a4, a5 } = registers;
    if (a4 !== 0 && (a5 & ~SPLICE_F_ALL) !== 0) return -Errno.EINVAL;
    return betweenFiles(cpu, thread, a0, a2, a4, (from, to) => {
      const offset = (address: number): number => (address === 0 ? 0 : Math.min(0, getUser32(cpu, thread.memory, address)));
      // Pipes have no offsets.
      if ((from instanceof PipeEnd && a1 !== 0) || (to instanceof PipeEnd && a3 !== 0)) return -Errno.ESPIPE;
      const failed = offset(a3) || offset(a1);
      if (failed < 0) return failed;
      if (!isReadable(from) || !isWritable(to)) return -Errno.EBADF;
      const length = importedLength(a4);
      if (from instanceof PipeEnd && to instanceof PipeEnd) return splice(cpu, thread, from, to, length, a5);
      const plain = a4 >= 0 && a1 === 0 && a3 === 0;
      if (plain && from instanceof PipeEnd && to instanceof UnixStreamSocket) return spliceToSocket(cpu, thread, from, to, length, a5);
      if (plain && from instanceof UnixStreamSocket && to instanceof PipeEnd) return spliceFromSocket(cpu, thread, from, to, length, a5);
      return others(cpu, thread, registers);
    });
  };
}

function isReadable({ flags }: File): boolean {
  return (flags & OpenFlag.ACCMODE) !== OpenFlag.WRONLY;
}

function isWritable({ flags }: File): boolean {
  return (flags & OpenFlag.ACCMODE) !== OpenFlag.RDONLY;
}

/** From one file to another, if both are open. Nothing is moved in any case. */
function betweenFiles(
  cpu: Cpu,
  thread: Thread,
  fdFrom: number,
  fdTo: number,
  length: number,
  call: (from: File, to: File) => number,
): number {
  if (length === 0) return 0;
  const from = thread.process.files.lookUp(cpu, fdFrom);
  const to = thread.process.files.lookUp(cpu, fdTo);
  return from === null || to === null ? -Errno.EBADF : call(from, to);
}
