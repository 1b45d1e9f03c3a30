import type { RpalOptions } from '@rpal/rpal-core';

/** What an experiment found, in lines to read. */
export interface Answer {
  /** What was done. */
  readonly done: string;
  /** What happened: results, addresses, cycles. */
  readonly happened: readonly string[];
  /** What follows, in one sentence that is chosen by what happened. */
  readonly verdict: string;
}

/** A question that somebody asked about RPAL, and the experiment that answers it. */
export interface Question {
  readonly who: string;
  readonly question: string;
  /** Runs on fresh machines; the options decide which defects of the series are repaired. Missing: not answered yet. */
  readonly ask?: (options: RpalOptions) => Answer;
}

export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
