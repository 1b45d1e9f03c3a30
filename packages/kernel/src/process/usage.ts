import type { Cpu } from '@rpal/hw-x86';
import { putUser64 } from '@rpal/mm';
import { cpuTime } from '@rpal/sched';
import type { Process } from './process.js';
import type { Thread } from './thread.js';

/** What threads have used (Linux: `struct rusage`, as far as the model counts it). Times in ns. */
export interface Usage {
  user: number;
  system: number;
  voluntary: number;
  involuntary: number;
  minorFaults: number;
}

export function noUsage(): Usage {
  return { user: 0, system: 0, voluntary: 0, involuntary: 0, minorFaults: 0 };
}

/** Adds one sum to another. */
export function addUsage(sum: Usage, other: Usage): void {
  sum.user += other.user;
  sum.system += other.system;
  sum.voluntary += other.voluntary;
  sum.involuntary += other.involuntary;
  sum.minorFaults += other.minorFaults;
}

/** Adds what a thread has used, but for its faults, which are counted for its process. */
export function addThreadUsage(sum: Usage, thread: Thread): void {
  const { user, system } = cpuTime(thread);
  sum.user += user;
  sum.system += system;
  sum.voluntary += thread.voluntarySwitches;
  sum.involuntary += thread.involuntarySwitches;
}

/** What a process has used: its threads, and those that have ended. */
export function usageOf({ ended, threads, mm }: Process): Usage {
  const sum = { ...ended, minorFaults: mm.minorFaults };
  for (const thread of threads) addThreadUsage(sum, thread);
  return sum;
}

/** Offsets in `struct rusage`. */
const Offset = { utime: 0, stime: 16, maxrss: 32, minflt: 64, nvcsw: 128, nivcsw: 136, end: 144 } as const;

/** Writes a `struct rusage`. @returns 0 or -EFAULT */
export function putUsage(cpu: Cpu, { memory }: Thread, address: number, usage: Usage): number {
  const put = (offset: number, value: number): number => putUser64(cpu, memory, address + offset, value);
  const putTime = (offset: number, ns: number): number =>
    put(offset, Math.floor(ns / 1e9)) || put(offset + 8, Math.floor((ns % 1e9) / 1000));
  for (let offset = Offset.maxrss; offset < Offset.end; offset += 8) {
    const failed = put(offset, 0);
    if (failed !== 0) return failed;
  }
  return (
    putTime(Offset.utime, usage.user) ||
    putTime(Offset.stime, usage.system) ||
    put(Offset.minflt, usage.minorFaults) ||
    put(Offset.nvcsw, usage.voluntary) ||
    put(Offset.nivcsw, usage.involuntary)
  );
}
