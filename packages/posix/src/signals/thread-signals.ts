import type { Cpu } from '@rpal/hw-x86';
import { sentBy, type Thread, UserBuffer } from '@rpal/kernel';
import { TaskState } from '@rpal/sched';
import { Errno, Signal, SignalCode } from '@rpal/uapi';
import type { Calls } from '../calls.js';

const LAST: number = Signal.RTMAX;
/** Bytes of a `siginfo_t` that mean something. */
const SIGINFO = 48;

/** Signals to one thread: tkill, and rt_tgsigqueueinfo. */
export function defineThreadSignals(calls: Calls): void {
  const { processes, signals } = calls.kernel;
  const buffer = new UserBuffer(SIGINFO);

  /** do_send_specific. @param group the process that it is to belong to; 0: any */
  const target = (caller: Thread, group: number, id: number, signal: number): Thread | number => {
    const thread = processes.thread(id);
    if (thread === undefined || (group > 0 && thread.process.pid !== group)) return -Errno.ESRCH;
    if (signal < 0 || signal > LAST) return -Errno.EINVAL;
    return caller.process.maySignal(thread.process) ? thread : -Errno.EPERM;
  };
  const takes = (thread: Thread, signal: number): boolean => signal !== 0 && thread.state !== TaskState.DEAD;

  calls.define('tkill', (cpu, caller, { a0, a1 }) => {
    const [id, signal] = [a0 | 0, a1 | 0];
    if (id <= 0) return -Errno.EINVAL;
    const thread = target(caller, 0, id, signal);
    if (typeof thread === 'number') return thread;
    if (takes(thread, signal)) signals.send(cpu, thread, signal, sentBy(caller.process.credentials, SignalCode.TKILL));
    return 0;
  });

  calls.define('rt_tgsigqueueinfo', (cpu: Cpu, caller, { a0, a1, a2, a3 }) => {
    const [group, id, signal] = [a0 | 0, a1 | 0, a2 | 0];
    if (buffer.load(cpu, caller, a3, SIGINFO) < 0) return -Errno.EFAULT;
    if (group <= 0 || id <= 0) return -Errno.EINVAL;
    const code = buffer.i32(8);
    if ((code >= 0 || code === SignalCode.TKILL) && id !== caller.pid) return -Errno.EPERM;
    const thread = target(caller, group, id, signal);
    if (typeof thread === 'number') return thread;
    const origin = { code, pid: buffer.i32(16), uid: buffer.i32(20), value: buffer.i32(24) };
    if (takes(thread, signal)) signals.send(cpu, thread, signal, origin);
    return 0;
  });
}
