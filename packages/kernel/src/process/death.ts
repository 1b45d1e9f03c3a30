import type { Cpu } from '@rpal/hw-x86';
import { signalCodeName, signalName } from '@rpal/uapi';
import { placeOf, timeText } from './place.js';
import type { Thread } from './thread.js';

/** How a process died of a signal: who, of what, where and when. */
export interface Death {
  readonly name: string;
  readonly pid: number;
  /** The thread that took the signal. */
  readonly tid: number;
  readonly signal: number;
  /** `si_code` and fault address that came with the signal of an exception; else 0. */
  readonly code: number;
  readonly address: number;
  /** Number of the CPU. */
  readonly cpu: number;
  /** TSC cycles since boot. */
  readonly time: number;
  /** What the thread was doing: `in write(fd 3, buf 0x7ffff7ff0000, count 32)`, or in user mode after such a call. */
  readonly place: string;
}

/** Deaths of processes of which no process has been told: neither is there a parent, nor did one wait. */
export class Deaths {
  /** In the order in which they came to light. */
  readonly unheard: Death[] = [];
  /** Called with each of them. */
  onUnheard: (death: Death) => void = () => {};

  report(death: Death): void {
    this.unheard.push(death);
    this.onUnheard(death);
  }
}

export function deathOf(cpu: Cpu, thread: Thread, signal: number): Death {
  const { process } = thread;
  const faulted = signal === thread.faultSignal;
  return {
    name: process.name,
    pid: process.pid,
    tid: thread.pid,
    signal,
    code: faulted ? thread.faultCode : 0,
    address: faulted ? thread.faultAddress : 0,
    cpu: cpu.id,
    time: cpu.clock,
    place: placeOf(thread),
  };
}

/** A death in a sentence. @param tscPerNs to tell the time in microseconds, too */
export function deathText(death: Death, tscPerNs: number): string {
  const { name, pid, tid, signal, code, address, cpu, time, place } = death;
  const thread = tid === pid ? '' : `, thread ${tid}`;
  const fault = code === 0 ? '' : ` (${signalCodeName(signal, code)} at address 0x${address.toString(16)})`;
  return `${name} (process ${pid}${thread}) died of ${signalName(signal)}${fault} on CPU ${cpu} at ${timeText(time, tscPerNs)}, ${place}`;
}
