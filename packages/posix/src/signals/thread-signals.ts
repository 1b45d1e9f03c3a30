import type { Cpu } from '@rpal/hw-x86';
import { sentBy, signalTarget, takesSignal, UserBuffer } from '@rpal/kernel';
import { Errno, SignalCode } from '@rpal/uapi';
import type { Calls } from '../calls.js';

/** Bytes of a `siginfo_t` that mean something. */
const SIGINFO = 48;

/** Signals to one thread: tkill, and rt_tgsigqueueinfo. */
export function defineThreadSignals(calls: Calls): void {
  const { processes, signals } = calls.kernel;
  const buffer = new UserBuffer(SIGINFO);

  calls.define('tkill', (cpu, caller, { a0, a1 }) => {
    const [id, signal] = [a0 | 0, a1 | 0];
    if (id <= 0) return -Errno.EINVAL;
    const thread = signalTarget(processes, caller, 0, id, signal);
    if (typeof thread === 'number') return thread;
    if (takesSignal(thread, signal)) signals.send(cpu, thread, signal, sentBy(caller.process.credentials, SignalCode.TKILL));
    return 0;
  });

  calls.define('rt_tgsigqueueinfo', (cpu: Cpu, caller, { a0, a1, a2, a3 }) => {
    const [group, id, signal] = [a0 | 0, a1 | 0, a2 | 0];
    if (buffer.load(cpu, caller, a3, SIGINFO) < 0) return -Errno.EFAULT;
    if (group <= 0 || id <= 0) return -Errno.EINVAL;
    const code = buffer.i32(8);
    if ((code >= 0 || code === SignalCode.TKILL) && id !== caller.pid) return -Errno.EPERM;
    const thread = signalTarget(processes, caller, group, id, signal);
    if (typeof thread === 'number') return thread;
    const origin = { code, pid: buffer.i32(16), uid: buffer.i32(20), value: buffer.i32(24), valueHigh: buffer.i32(28) };
    if (takesSignal(thread, signal)) signals.send(cpu, thread, signal, origin);
    return 0;
  });
}
