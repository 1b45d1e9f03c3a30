import { callText } from './call-text.js';
import type { Thread } from './thread.js';
import { NO_CALL } from './user-context.js';

/** What a thread is doing, for reports: `in write(fd 3, buf 0x7ffff7ff0000, count 32)`, or in user mode after such a call. */
export function placeOf({ frame: { user, iret }, process: { kernel } }: Thread): string {
  if (user === null) return 'before its first instruction';
  if (!iret) return `in ${callText(user, kernel.syscalls)}`;
  return user.nr === NO_CALL ? 'in user mode, before any system call' : `in user mode, after ${callText(user, kernel.syscalls)}`;
}

/** A thread for reports: `server (process 1)`, with its own number if it is not the first of its process. */
export function nameOf({ name, pid, process }: Thread): string {
  return pid === process.pid ? `${name} (process ${pid})` : `${name} (process ${process.pid}, thread ${pid})`;
}

/** A moment for reports: `77889218210 TSC cycles (33864877.483 us)`. */
export function timeText(time: number, tscPerNs: number): string {
  return `${time} TSC cycles (${(time / tscPerNs / 1000).toFixed(3)} us)`;
}
