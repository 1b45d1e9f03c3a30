import { SingleBar } from 'cli-progress';
import type { Io } from './io.js';

/** Work that is shorter than this shows nothing, ms. */
const PATIENCE = 2000;
/** Between two pictures of the bar, ms. */
const FRAME = 100;

/**
 * Shows progress and time left on a terminal, and nothing in a pipe; notes Ctrl-C. The times are the host's: none of them reaches a result.
 */
export class Progress {
  readonly #stop = new AbortController();
  readonly #io: Io;
  readonly #began = performance.now();
  readonly #noLonger: () => void;
  #bar: SingleBar | null = null;
  #shown = 0;

  constructor(io: Io) {
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

  /** @param phase what is being done, a few words @param done of `all`, in any unit */
  show(phase: string, done: number, all: number): void {
    const { stderr } = this.#io;
    const now = performance.now();
    if (stderr.isTTY !== true || now - this.#began < PATIENCE || now - this.#shown < FRAME) return;
    this.#shown = now;
    const left = done > 0 ? ((now - this.#began) * (all - done)) / done : Number.NaN;
    if (this.#bar === null) {
      const format = '{bar} {percentage} %  {phase}, {left}';
      const stream = stderr as unknown as NodeJS.WritableStream;
      this.#bar = new SingleBar({ stream, format, barsize: 20, clearOnComplete: true, hideCursor: true });
      this.#bar.start(all, done, { phase, left: timeLeft(left) });
    }
    this.#bar.setTotal(all);
    this.#bar.update(done, { phase, left: timeLeft(left) });
  }

  end(): void {
    this.#bar?.stop();
    this.#noLonger();
  }
}

/** 75,000 ms: `75 s left`. */
function timeLeft(ms: number): string {
  if (Number.isNaN(ms)) return 'beginning';
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}
