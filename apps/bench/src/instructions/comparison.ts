import { callOperations } from './call-operations.js';
import counts from './counts.json' with { type: 'json' };
import { fileOperations } from './file-operations.js';
import { memoryOperations } from './memory-operations.js';
import { booked, type Operation } from './operation.js';
import { processOperations } from './process-operations.js';
import { schedOperations } from './sched-operations.js';
import { transferOperations } from './transfer-operations.js';
import { tripOperations } from './trip-operations.js';
import { vmOperations } from './vm-operations.js';

/** What the counts are of: the release of the kernel. */
export const COUNTED_KERNEL: string = counts.kernel;

/** An operation as it was counted, and as the model books it. */
export interface Compared {
  readonly name: string;
  /** Instructions, the median of the executions. */
  readonly counted: number;
  readonly fewest: number;
  readonly most: number;
  readonly booked: number;
  /** Of the booked instructions from the counted ones. */
  readonly relativeError: number;
  /** Why they differ by more than a tenth, where that is known; null: they do not, or it is not. */
  readonly why: string | null;
}

/** Programs of the model for operations that were counted, in the order in which they are shown. */
export const operations: readonly Operation[] = [
  ...transferOperations,
  ...tripOperations,
  ...vmOperations,
  ...memoryOperations,
  ...schedOperations,
  ...processOperations,
  ...callOperations,
  ...fileOperations,
];

/** A difference that is not a fault of the price, or that has a name. */
const REASONS: readonly (readonly [operations: RegExp, why: string])[] = [
  [/^pipe: .*(8192|16384) B/, 'a pipe of 6.15 keeps two pages for the next writes, one of 6.12 keeps one'],
  [/^madvise DONTNEED: 512 untouched/, '6.15 has given the table back (since 6.14), 6.12 looks at its entries'],
  [/^stream: round trip of 262144 B/, 'sender and receiver take turns more often on 6.12'],
];

const within = (error: number): boolean => Math.abs(error) <= 0.1;
const countOf = new Map(counts.operations.map((row) => [row[0] as string, row.slice(1) as number[]]));

/** Runs an operation on the model, and sets what it books beside what was counted; null if it was not. */
export function compared(operation: Operation): Compared | null {
  const count = countOf.get(operation.name);
  if (count === undefined) return null;
  const [counted, fewest, most] = count as [number, number, number];
  const instructions = booked(operation);
  const relativeError = instructions / counted - 1;
  const why = within(relativeError) ? null : (REASONS.find(([pattern]) => pattern.test(operation.name))?.[1] ?? null);
  return { name: operation.name, counted, fewest, most, booked: instructions, relativeError, why };
}

/** How many agree to within a tenth. */
export function agreeing(rows: readonly Compared[]): number {
  return rows.filter(({ relativeError }) => within(relativeError)).length;
}
