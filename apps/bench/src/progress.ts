import type { Io } from './io.js';
import { COLUMNS } from './report/columns.js';

/** Between two pictures of the bar, ms. */
const FRAME = 100;
/** Of the bar, characters. */
const LENGTH = 20;

/** Is told how far work has come, and says whether it should end. */
export interface Watcher {
  /** @param phase what is being done, a few words @param done of `all`, in any unit; `all` is null where nobody knows */
  show(phase: string, done: number, all: number | null): void;
  readonly interrupted: boolean;
}

/**
 * Shows how far work has come on a terminal, with the time that is left, and nothing in a pipe; notes Ctrl-C.
 * The times are the host's: nothing of them reaches a result.
 */
export class Progress implements Watcher {
  readonly #stop = new AbortController();
  readonly #io: Pick<Io, 'stderr' | 'patience'>;
  readonly #began = performance.now();
  readonly #noLonger: () => void;
  #shown: number | null = null;

  constructor(io: Pick<Io, 'stderr' | 'patience' | 'onInterrupt'>) {
    this.#io = io;
    this.#noLonger = io.onInterrupt(() => this.#stop.abort());
  }

  /** Whether the user has pressed Ctrl-C. */
  get interrupted(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Aborted when the user presses Ctrl-C. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  show(phase: string, done: number, all: number | null): void {
    const { stderr, patience } = this.#io;
    const now = performance.now();
    const passed = now - this.#began;
    if (stderr.isTTY !== true || passed < patience || now - (this.#shown ?? Number.NEGATIVE_INFINITY) < FRAME) return;
    this.#shown = now;
    // The line stays on one row.
    const width = Math.min(stderr.columns ?? COLUMNS, COLUMNS) - 1;
    stderr.write(`\r\x1b[K${lineOf(phase, done, all, passed).slice(0, width)}`);
  }

  end(): void {
    if (this.#shown !== null) this.#io.stderr.write('\r\x1b[K');
    this.#noLonger();
  }
}

/** @param passed ms since the work began */
function lineOf(phase: string, done: number, all: number | null, passed: number): string {
  if (all === null) return `${phase}, ${time(passed)} so far`;
  const share = Math.min(1, done / Math.max(1, all));
  const full = Math.round(LENGTH * share);
  const left = done > 0 ? `${time((passed * (1 - share)) / share)} left` : 'beginning';
  const percent = `${Math.floor(100 * share)}`.padStart(3);
  return `[${'='.repeat(full)}${'-'.repeat(LENGTH - full)}] ${percent} %  ${phase}, ${left}`;
}

/** 75,000 ms: `75 s`. */
function time(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
