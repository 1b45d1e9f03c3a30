import type { Cpu } from '@rpal/hw-x86';
import { dropMask, GuestArguments, type Syscall, type Thread, UserBuffer, UserContext, useMask, whenOver } from '@rpal/kernel';
import { Errno, LinuxCall } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { getTime, putTime, Unit } from '../user-memory.js';
import { callMask } from './call-mask.js';

/** Bytes of what the last argument points to: where the mask is, and its size. */
const ARGUMENT = 16;

/** Arguments of a select whose time is a `struct timespec`, and has been read. */
class SelectArguments extends GuestArguments {
  readonly #timeout: number;
  readonly #time: number;

  /** @param timeout ns; negative: none @param time where it was given, and where what is left of it is to be told */
  constructor(registers: UserContext, timeout: number, time: number) {
    super(registers);
    this.#timeout = timeout;
    this.#time = time;
  }

  override timeval(): number {
    return this.#timeout;
  }

  override putTimeLeft(cpu: Cpu, thread: Thread, _register: number, ns: number): number {
    return putTime(cpu, thread, this.#time, ns, Unit.TIMESPEC);
  }
}

class SelectRegisters extends UserContext {
  override readonly args: SelectArguments;

  constructor(from: UserContext, cpu: Cpu, timeout: number) {
    super(from.contexts, cpu, null);
    this.restoreRegisters(from.saveRegisters());
    this.args = new SelectArguments(this, timeout, from.a4);
  }

  override resume(): void {}
}

/** pselect6(2): select with a time in nanoseconds, and under a mask. */
export function defineSelect(calls: Calls): void {
  const { handler: select } = calls.kernel.syscalls.get(LinuxCall.select) as Syscall;
  const buffer = new UserBuffer(ARGUMENT);

  calls.define('pselect6', (cpu, thread, registers) => {
    const { a4: time, a5: argument } = registers;
    if (buffer.clear(ARGUMENT) && argument !== 0 && buffer.load(cpu, thread, argument, ARGUMENT) < 0) return -Errno.EFAULT;
    const [address, bytes] = [buffer.u64(0), buffer.u64(8)];
    const timeout = time === 0 ? -1 : getTime(cpu, thread, time, Unit.TIMESPEC);
    if (time !== 0 && timeout < 0) return timeout;
    const mask = callMask(cpu, thread, address, bytes);
    if (typeof mask === 'number') return mask;
    useMask(thread, mask);
    const result = select(cpu, thread, new SelectRegisters(registers, cpu, timeout));
    return whenOver(cpu, thread, result, (_on, outcome) => dropMask(thread, outcome, -Errno.ERESTARTNOHAND));
  });
}
