/** A line of a trace that cannot be replayed, and why. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  /** Number of the line, from 1 on. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
