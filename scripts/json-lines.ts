import { existsSync, readFileSync, truncateSync } from 'node:fs';

/**
 * The values of a log that has one on each line, and none if there is no file. Others will be put behind them: what was being written when
 * the program before ended is cut off.
 */
export function resumedLog<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
  if (whole.length < bytes.length) truncateSync(file, whole.length);
  return whole
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
}
