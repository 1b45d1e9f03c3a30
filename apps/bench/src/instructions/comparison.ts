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
  [/^mremap: 64 touched/, 'a page of a long run takes 75, and 100 where an area grows, whose price the model takes'],
  [/^mlock: /, 'every touched page goes to the list of those that cannot be evicted (mlock_folio_batch); the model has no such lists'],
  [/^getuid/, "booked as getpid, which goes through the task's pid"],
  [/^arch_prctl/, 'has no step of its own: entry, dispatch and return are booked'],
  [/^an unknown call/, 'dispatch is booked, and the table of calls is not reached'],
  [/^timerfd: create/, 'booked as an eventfd, which has a number of its own as well (ida_alloc)'],
  [/^close of nothing/, 'the look at a descriptor that is free (file_close_fd) is not booked'],
  [/^(send|recv) of/, 'booked as write and read, which come to the socket through vfs_write and vfs_read'],
  [/^ioctl: FIONREAD/, 'the way through the socket (sock_ioctl, sock_do_ioctl, unix_inq_len) is not booked'],
  [/^signal: kill of oneself, ignored/, 'the look-up of the pid and the lock of the signals are booked with a signal that is queued'],
  [
    /^tmpfs: pread of 1 B/,
    'the counted file is larger, so that its pages lie one level deeper in the tree, and a byte is copied by a loop',
  ],
  [
    /^tmpfs: pwrite of (1|32|1024) B, new/,
    'the rest of the page is cleared, by a loop on the counted CPU, which has no fast short string stores',
  ],
  [/^\/dev\/zero/, 'a page is cleared by a loop on the counted CPU, which has no fast short string stores'],
  [
    /^tmpfs: ftruncate/,
    "pages that wait in the CPU's batch for the lists of the reclaim are moved there first (lru_add_drain_cpu); the model has none",
  ],
  [
    /^tmpfs: pwrite of 262144 B over/,
    'each page first touches all that is left of the source (fault_in_readable), which grows with the square',
  ],
  [
    /^tmpfs: (open|stat), ENOENT/,
    'a name that is not there gets a dentry, which is thrown away again (d_alloc_parallel, d_add, __dentry_kill)',
  ],
  [/^tmpfs: lseek SEEK_DATA/, 'the search through the page cache (mapping_seek_hole_data) is not booked'],
  [/^tmpfs: fsync/, 'the call of noop_fsync is not booked'],
  [/^tmpfs: rename/, 'the order of the names of a directory, a maple tree (simple_offset_rename), is not booked'],
  [/^tmpfs: readlink/, 'the copy of the target and its check (readlink_copy, __check_object_size) are not booked'],
  [/^tmpfs: utimensat/, 'booked as a change of mode, which has more hooks'],
  [/^tmpfs: getdents64 of 0 names/, "the time of access (touch_atime) and the search for the directory's end are not booked"],
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
