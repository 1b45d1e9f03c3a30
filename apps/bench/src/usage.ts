/** The command was used wrongly: one sentence that says what would be right. Ends with exit code 2 before anything runs. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Exit codes of every command. */
export const ExitCode = {
  OK: 0,
  /** The run failed. */
  FAILED: 1,
  /** Wrong use. */
  USAGE: 2,
  /** Stopped by Ctrl-C; what was printed and written is marked as partial. 128 + SIGINT, as shells have it. */
  INTERRUPTED: 130,
} as const;

/** Parses an option that takes a whole number within bounds. */
export function wholeNumber(flag: string, low: number, high: number, unit: string): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= low && value <= high)) {
      throw new UsageError(`${flag} takes a whole number of ${unit} from ${low} to ${high}, written in digits alone; "${text}" is none`);
    }
    return value;
  };
}

/** Parses an option that takes a number within bounds. */
export function decimalNumber(flag: string, low: number, high: number, unit: string): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= low && value <= high)) {
      throw new UsageError(`${flag} takes a number of ${unit} from ${low} to ${high}, such as ${high - 1}.5; "${text}" is none`);
    }
    return value;
  };
}

/** Parses an option that takes one of several names, in upper or lower case. */
export function oneOf<const T extends string>(flag: string, names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (name === undefined) {
      throw new UsageError(`${flag} takes one of ${names.join(', ').toLowerCase()}; "${text}" is none of them`);
    }
    return name;
  };
}
