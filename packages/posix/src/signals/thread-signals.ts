import type { Cpu } from '@rpal/hw-x86';
import { GuestArguments, sentBy, signalTarget, takesSignal } from '@rpal/kernel';
import { Errno, SignalCode } from '@rpal/uapi';
import type { Calls } from '../calls.js';

/** Signals to one thread: tkill, and rt_tgsigqueueinfo. */
export function defineThreadSignals(calls: Calls): void {
  const { processes, signals } = calls.kernel;
  const told = { signal: 0, code: 0, pid: 0, uid: 0, value: 0, valueHigh: 0 };

  calls.define('tkill', (cpu, caller, { a0, a1 }) => {
    const [id, signal] = [a0 | 0, a1 | 0];
    if (id <= 0) return -Errno.EINVAL;
    const thread = signalTarget(processes, caller, 0, id, signal);
    if (typeof thread === 'number') return thread;
    if (takesSignal(thread, signal)) signals.send(cpu, thread, signal, sentBy(caller.process.credentials, SignalCode.TKILL));
    return 0;
  });

  calls.define('rt_tgsigqueueinfo', (cpu: Cpu, caller, registers) => {
    const { a0, a1, a2, a3 } = registers;
    const [group, id, signal] = [a0 | 0, a1 | 0, a2 | 0];
    const failed = new GuestArguments(registers).signalValue(cpu, caller, a3, signal, told);
    if (failed < 0) return failed;
    if (group <= 0 || id <= 0) return -Errno.EINVAL;
    const { code, pid, uid, value, valueHigh } = told;
    if ((code >= 0 || code === SignalCode.TKILL) && id !== caller.pid) return -Errno.EPERM;
    const thread = signalTarget(processes, caller, group, id, signal);
    if (typeof thread === 'number') return thread;
    if (takesSignal(thread, signal)) signals.send(cpu, thread, signal, { code, pid, uid, value, valueHigh });
    return 0;
  });
}
