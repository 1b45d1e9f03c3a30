import type { Cpu } from '@rpal/hw-x86';
import {
  type Process,
  putUsage,
  type Thread,
  UserBuffer,
  usageOf,
  WAIT_CHILD,
  WaitChildOperation,
  type WaitRequest,
  whenOver,
} from '@rpal/kernel';
import { Errno, Signal, SignalCode, WaitOption } from '@rpal/uapi';
import { begin } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { PidFd } from './pidfd.js';

/** The children that waitid waits for (include/uapi/linux/wait.h). */
const IdType = { ALL: 0, PID: 1, PGID: 2, PIDFD: 3 } as const;
/** Options for children of other kinds than the model has: all of its children are meant by any of them. */
const KINDS = 0x2000_0000 | 0x4000_0000 | (0x8000_0000 | 0);
const STOPPED = 0x7f;
const CONTINUED = 0xffff;
/** Bytes of `siginfo_t` that the call fills in. */
const INFO = 28;

/** waitid(2). */
export function defineWaitid(calls: Calls): void {
  const { processes, scheduler } = calls.kernel;
  const buffer = new UserBuffer(INFO);
  const { NOHANG, UNTRACED, EXITED, CONTINUED: GOES_ON, NOWAIT } = WaitOption;

  /** Whatever comes of the call, there is nothing in the structure from before. */
  const told = (cpu: Cpu, thread: Thread, address: number, result: number): number =>
    address !== 0 && buffer.clear(INFO).store(cpu, thread, address, INFO) < 0 ? -Errno.EFAULT : result;

  calls.define(
    'waitid',
    (cpu, thread, { a0, a1, a2, a3, a4 }) => {
      const refused = (errno: number): number => told(cpu, thread, a2, -errno);
      const [type, id] = [a0 | 0, a1 | 0];
      let options = a3 | 0;
      if ((options & ~(NOHANG | UNTRACED | EXITED | GOES_ON | NOWAIT | KINDS)) !== 0) return refused(Errno.EINVAL);
      if ((options & (EXITED | UNTRACED | GOES_ON)) === 0) return refused(Errno.EINVAL);
      let concerns: (child: Process) => boolean = () => true;
      let nonBlocking = false;
      if (type === IdType.PID) {
        if (id <= 0) return refused(Errno.EINVAL);
      } else if (type === IdType.PGID) {
        if (id < 0) return refused(Errno.EINVAL);
        const group = id === 0 ? thread.process.group : id;
        concerns = (child) => child.group === group;
      } else if (type === IdType.PIDFD) {
        if (id < 0) return refused(Errno.EINVAL);
        const file = thread.process.files.lookUp(cpu, id);
        if (!(file instanceof PidFd)) return refused(Errno.EBADF);
        concerns = (child) => child === file.process;
        nonBlocking = file.nonblocking;
        if (nonBlocking) options |= NOHANG;
      } else if (type !== IdType.ALL) {
        return refused(Errno.EINVAL);
      }
      const request: WaitRequest = {
        options,
        pid: type === IdType.PID ? id : 0,
        concerns,
        tell(on, child, status) {
          buffer.clear(INFO);
          if (child !== null) {
            const [code, value] = meaning(status, child);
            buffer.set32(0, Signal.CHLD).set32(8, code).set32(16, child.pid).set32(20, child.credentials.uid).set32(24, value);
            const failed = a4 === 0 ? 0 : putUsage(on, thread, a4, usageOf(child));
            if (failed < 0) return failed;
          }
          if (a2 !== 0 && buffer.store(on, thread, a2, INFO) < 0) return -Errno.EFAULT;
          return child === null && nonBlocking ? -Errno.EAGAIN : 0;
        },
      };
      const operation =
        thread.operations.get(WAIT_CHILD) ?? thread.operations.keep(WAIT_CHILD, new WaitChildOperation(processes, scheduler, thread));
      return whenOver(cpu, thread, begin(cpu, thread, operation.start(cpu, request)), (on, result) =>
        result === -Errno.ECHILD ? told(on, thread, a2, result) : result,
      );
    },
    { missing: 'CLD_DUMPED: nobody writes cores' },
  );
}

/** `si_code` and `si_status` of a status as wait4 has it. */
function meaning(status: number, child: Process): readonly [number, number] {
  if (status === CONTINUED) return [SignalCode.CLD_CONTINUED, Signal.CONT];
  if ((status & 0xff) === STOPPED) return [SignalCode.CLD_STOPPED, status >> 8];
  const signal = child.exit?.signal ?? 0;
  return signal === 0 ? [SignalCode.CLD_EXITED, status >> 8] : [SignalCode.CLD_KILLED, signal];
}
