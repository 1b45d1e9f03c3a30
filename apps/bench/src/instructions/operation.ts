import { type CpuProfile, defaultProfile, instructionsOf, type LedgerEntry } from '@rpal/hw-x86';
import { createMachine, done, executable, type Program } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { tmpfs } from '@rpal/tmpfs';
import { Signal } from '@rpal/uapi';
import { BenchmarkFailure } from '../outcome.js';

/** Part of an operation: calls and accesses to memory of one program. */
export type Part = () => Iterable<void, unknown>;

/** What is repeated: only `body` is counted. */
export interface Repeated {
  readonly before?: Part;
  readonly body: Part;
  readonly after?: Part;
}

/** What is repeated, or how it is made ready. */
export type Preparation = Generator<void, Repeated> | Repeated;

/** What comes of a preparation. */
export function* prepared(preparation: Preparation): Generator<void, Repeated> {
  return 'body' in preparation ? preparation : yield* preparation;
}

/** An operation that the kernel has been counted at, as a program of the model. */
export interface Operation {
  /** As in the counts. */
  readonly name: string;
  /** Makes what the operation works on. */
  readonly prepare: (p: Program) => Preparation;
}

/** Two parts, one before the other: the second undoes the first. */
export type Halves = readonly [Part, Part];

/** Two operations, one before the other, on what `make` makes: each is counted. */
export function twoHalves(first: string, second: string, make: (p: Program) => Generator<void, Halves> | Halves): Operation[] {
  const half = (name: string, counted: (halves: Halves) => Repeated): Operation => ({
    name,
    *prepare(p) {
      const made = make(p);
      return counted('next' in made ? yield* made : made);
    },
  });
  return [half(first, ([body, after]) => ({ body, after })), half(second, ([before, body]) => ({ before, body }))];
}

/** Several parts, one after the other. */
export function all(...parts: readonly Part[]): Part {
  return function* () {
    for (const part of parts) yield* part();
  };
}

/** Memory of so many bytes, each page of which has been written. */
export function* touched(p: Program, bytes: number): Generator<void, number> {
  const address = done('mmap', yield* p.allocate(bytes));
  for (let at = 0; at < bytes; at += 4096) yield* p.store8(address + at, 1);
  return address;
}

/** How often an operation is repeated before, and while it is counted: pages and objects that are kept for the next are there by then. */
const WARM_UP = 4;
const TIMES = 5;

/** One CPU of a server: the counts are of one, too. */
function oneCpuOf(server: CpuProfile): CpuProfile {
  return { ...server, topology: { sockets: 1, coresPerSocket: 1, threadsPerCore: 1, coresPerCache: 1, memoryPerSocket: 1 } };
}

/** Instructions of what a ledger has booked. */
function instructions(entries: readonly LedgerEntry[], profile: CpuProfile): number {
  return entries.reduce((sum, { step, count }) => sum + count * instructionsOf(step, profile)[1], 0);
}

/** Instructions that the model books for one execution, as the median of five. @throws BenchmarkFailure if the program did not come to its end */
export function booked(operation: Operation, server: CpuProfile = defaultProfile): number {
  const profile = oneCpuOf(server);
  const counts: number[] = [];
  run(operation, profile, (entries) => counts.push(instructions(entries, profile)));
  return counts.sort((a, b) => a - b)[TIMES >> 1] as number;
}

/** Repeats an operation, and says what each execution has booked. */
function run({ name, prepare }: Operation, profile: CpuProfile, each: (entries: readonly LedgerEntry[]) => void): void {
  const machine = createMachine({ profile, plugins: [posix(), tmpfs()] });
  let counted = 0;
  machine.spawn(
    executable(name, function* (p) {
      const { before, body, after } = yield* prepared(prepare(p));
      const { ownLedger } = p.context.cpu;
      for (let i = 0; i < WARM_UP + TIMES; i++) {
        if (before !== undefined) yield* before();
        ownLedger.clear();
        yield* body();
        if (i >= WARM_UP) each(ownLedger.entries);
        counted = i + 1;
        if (after !== undefined) yield* after();
      }
      // All of its group end, those that still wait included.
      yield* p.kill(0, Signal.KILL);
    }),
  );
  machine.run({ deaths: 'report' });
  if (counted < WARM_UP + TIMES) throw new BenchmarkFailure(`${name}: the program of the model ended before it was counted`);
}
