import { TaskState } from '@rpal/sched';
import { signalName } from '@rpal/uapi';
import { nameOf, placeOf, timeText } from './place.js';
import type { Thread } from './thread.js';

/** A thread that waits, as a deadlock reports it. */
export interface WaitingThread {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** What it is doing: `in read(fd 3, buf 0x7ffff7ff0000, count 32)`. */
  readonly place: string;
  /** What would let it go on: `wait queue "pipe readers"`. */
  readonly target: string;
  /** When it began to wait, TSC cycles since boot. */
  readonly since: number;
}

export function waitingOf(thread: Thread): WaitingThread {
  const { name, pid, process, waitingSince } = thread;
  return { name, pid: process.pid, tid: pid, place: placeOf(thread), target: targetOf(thread), since: waitingSince };
}

/** A waiting thread in a clause. @param tscPerNs to tell the time in microseconds, too */
export function waitingText(thread: Thread, tscPerNs: number): string {
  const { place, target, since } = waitingOf(thread);
  return `${nameOf(thread)} ${place}, for ${target}, since ${timeText(since, tscPerNs)}`;
}

function targetOf({ state, waitingOn, process }: Thread): string {
  if (state === TaskState.STOPPED) return `SIGCONT, stopped by ${signalName(process.stopSignal)}`;
  return waitingOn?.describe() ?? 'nothing known';
}
