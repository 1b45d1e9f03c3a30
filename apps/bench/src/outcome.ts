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
