import type { RpalOptions } from '@rpal/rpal-core';
import { Errno } from '@rpal/uapi';

/** A figure to be drawn as a bar. */
export interface Bar {
  readonly label: string;
  readonly cycles: number;
}

/** What an experiment found, in lines to read. */
export interface Answer {
  /** What was done. */
  readonly done: string;
  /** What happened: results, addresses, cycles. */
  readonly happened: readonly string[];
  /** What follows, in one sentence that is chosen by what happened. */
  readonly verdict: string;
  /** Cycles that are worth a picture. */
  readonly bars?: readonly Bar[];
}

/** A question about RPAL, and the experiment that answers it. */
export interface Question {
  readonly who: string;
  readonly question: string;
  /** Runs on fresh machines; the options decide which defects of the series are repaired. */
  readonly ask: (options: RpalOptions) => Answer;
}

export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

/** A system call's result: a number, or the name of the error. */
export function errno(result: number): string {
  if (result >= 0) return String(result);
  return Object.entries(Errno).find(([, number]) => number === -result)?.[0] ?? String(result);
}
