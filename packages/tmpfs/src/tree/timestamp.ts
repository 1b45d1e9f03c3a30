import type { Cpu } from '@rpal/hw-x86';

/** A time of a file: seconds and nanoseconds since 1970 (Linux: `struct timespec64`). */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const NS_PER_SECOND = 1e9;

/** The clock of files: that of the machine. It began at `boot`, in seconds since 1970. */
export class FileClock {
  readonly boot: number;

  constructor(boot: number) {
    this.boot = boot;
  }

  now(cpu: Cpu): Timestamp {
    const ns = Math.floor(cpu.clock / cpu.costs.tscPerNs);
    return { seconds: this.boot + Math.floor(ns / NS_PER_SECOND), nanoseconds: ns % NS_PER_SECOND };
  }
}

/** Is `a` before `b`, or the same time? */
export function notAfter(a: Timestamp, b: Timestamp): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds <= b.nanoseconds);
}
