import type { Cpu } from '@rpal/hw-x86';
import { type SignalBits, type Thread, UserBuffer } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';

/** Bytes of `sigset_t`. */
const SIGSET = 8;
const buffer = new UserBuffer(SIGSET);

/** The mask that a call brings along, in memory (Linux: `set_user_sigmask`). @returns null: none; -EINVAL, -EFAULT */
export function callMask(cpu: Cpu, thread: Thread, address: number, bytes: number): SignalBits | null | number {
  if (address === 0) return null;
  if (bytes !== SIGSET) return -Errno.EINVAL;
  if (buffer.load(cpu, thread, address, SIGSET) < 0) return -Errno.EFAULT;
  return { low: buffer.i32(0), high: buffer.i32(4) };
}
