import { errnoName } from '@rpal/uapi';

/** A message came back changed, or a call failed: the run is worthless. */
export class BenchmarkFailure extends Error {
  override readonly name = 'BenchmarkFailure';
}

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new BenchmarkFailure(what);
}

/** For messages with a value in the text: `check` would make the text even if all is well, once per message sent. */
export function fail(what: string): never {
  throw new BenchmarkFailure(what);
}

/** Checks that a result is this value. @returns it */
export function expected(call: string, result: number, value: number): number {
  if (result !== value) fail(`${call} came back with ${result < 0 ? errnoName(result) : result}, not ${value}`);
  return result;
}

export function zero(call: string, result: number): void {
  expected(call, result, 0);
}

/** A descriptor, an address or a pid: no error. @returns it */
export function positive(call: string, result: number): number {
  if (result < 0) fail(`${call} failed with ${errnoName(result)}`);
  return result;
}
