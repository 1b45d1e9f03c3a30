import type { Syscall, UserContext } from '@rpal/kernel';
import { Errno, LinuxCall } from '@rpal/uapi';
import type { CallName, Calls } from '../calls.js';

/** Flags of close_range. */
const CLOSE_RANGE_UNSHARE = 2;
const CLOSE_RANGE_CLOEXEC = 4;

/** Calls that a later one has taken the place of, and those that do to many descriptors what others do to one. */
export function defineOlderCalls(calls: Calls): void {
  const { syscalls } = calls.kernel;

  /** A call that is another one without its flags, which are in a register of that. */
  const withoutFlags = (name: CallName, of: number, register: 'a1' | 'a3'): void => {
    const { handler, signature } = syscalls.get(of) as Syscall;
    calls.define(
      name,
      (cpu, thread, registers: UserContext) => {
        const { [register]: kept } = registers;
        registers[register] = 0;
        const result = handler(cpu, thread, registers);
        registers[register] = kept;
        return result;
      },
      signature === null ? {} : { signature },
    );
  };
  withoutFlags('pipe', LinuxCall.pipe2, 'a1');
  withoutFlags('eventfd', LinuxCall.eventfd2, 'a1');
  withoutFlags('signalfd', LinuxCall.signalfd4, 'a3');

  calls.define(
    'close_range',
    (cpu, { process }, { a0, a1, a2 }) => {
      const [first, last, flags] = [a0 >>> 0, a1 >>> 0, a2 >>> 0];
      if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -Errno.EINVAL;
      if ((flags & CLOSE_RANGE_UNSHARE) !== 0) process.unshareFiles();
      const { files } = process;
      for (let fd = first; fd <= last && fd < files.end; fd++) {
        if (files.peek(fd) === null) continue;
        if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) files.setCloseOnExec(fd);
        else files.close(cpu, fd);
      }
      return 0;
    },
    { missing: 'threads have one table with their process: UNSHARE makes one for all of them' },
  );
}
