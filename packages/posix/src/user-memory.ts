import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';

const NS_PER_S = 1e9;

/** Structures on their way to and from user memory; calls are atomic up to their sleep. */
const buffer = new UserBuffer(64);

/** What a `struct itimerspec` or `itimerval` says, nanoseconds. */
export interface TimerSetting {
  readonly value: number;
  readonly interval: number;
}

/** Unit of what follows the seconds in a time, in nanoseconds. */
export const Unit = { TIMESPEC: 1, TIMEVAL: 1000 } as const;

/** A `struct timespec` or `timeval`. @returns nanoseconds, -EFAULT, or -EINVAL for negative seconds or a fraction out of range */
export function getTime(cpu: Cpu, thread: Thread, address: number, unit: number): number {
  return buffer.load(cpu, thread, address, 16) < 0 ? -Errno.EFAULT : timeAt(0, unit);
}

/** @returns 0 or -EFAULT */
export function putTime(cpu: Cpu, thread: Thread, address: number, ns: number, unit: number): number {
  setTime(0, ns, unit);
  return buffer.store(cpu, thread, address, 16) < 0 ? -Errno.EFAULT : 0;
}

/** A `struct itimerspec` or `itimerval`. @returns -EFAULT or -EINVAL if there is no valid one */
export function getSetting(cpu: Cpu, thread: Thread, address: number, unit: number): TimerSetting | number {
  if (buffer.load(cpu, thread, address, 32) < 0) return -Errno.EFAULT;
  const interval = timeAt(0, unit);
  const value = timeAt(16, unit);
  return Math.min(interval, value) < 0 ? -Errno.EINVAL : { value, interval };
}

/** @returns 0 or -EFAULT */
export function putSetting(cpu: Cpu, thread: Thread, address: number, { value, interval }: TimerSetting, unit: number): number {
  setTime(0, interval, unit);
  setTime(16, value, unit);
  return buffer.store(cpu, thread, address, 32) < 0 ? -Errno.EFAULT : 0;
}

/** No time is later, ns. */
const KTIME_MAX: number = 2 ** 63;

function timeAt(offset: number, unit: number): number {
  const seconds = buffer.i64(offset);
  const rest = buffer.i64(offset + 8);
  if (seconds < 0 || rest < 0 || rest * unit >= NS_PER_S) return -Errno.EINVAL;
  return Math.min(seconds * NS_PER_S + rest * unit, KTIME_MAX);
}

function setTime(offset: number, ns: number, unit: number): void {
  buffer.set64(offset, Math.floor(ns / NS_PER_S)).set64(offset + 8, Math.floor((ns % NS_PER_S) / unit));
}

/** A 32-bit word. @returns 0 or -EFAULT */
export function putInt(cpu: Cpu, thread: Thread, address: number, value: number): number {
  return buffer.set32(0, value).store(cpu, thread, address, 4) < 0 ? -Errno.EFAULT : 0;
}

/** A 64-bit word. @returns 0 or -EFAULT */
export function putLong(cpu: Cpu, thread: Thread, address: number, value: number): number {
  return buffer.set64(0, value).store(cpu, thread, address, 8) < 0 ? -Errno.EFAULT : 0;
}

/** A 64-bit word, unsigned, exact below 2^53. @returns -EFAULT if it cannot be read */
export function getLong(cpu: Cpu, thread: Thread, address: number): number {
  return buffer.load(cpu, thread, address, 8) < 0 ? -Errno.EFAULT : buffer.u64(0);
}
