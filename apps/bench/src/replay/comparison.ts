import { errnoName } from '@rpal/uapi';
import { CLONES, shapeOf } from './call-shapes.js';
import { numberOf, type TraceFiles } from './trace-files.js';
import type { TracedCall } from './trace-line.js';
import type { Outcome, TracedTask } from './traced-task.js';

/** A call whose outcome differs from the trace. */
export interface Difference {
  readonly line: number;
  readonly text: string;
  readonly what: string;
}

/** Holds the outcomes of calls against the trace, and keeps what was found. */
export class Comparison {
  readonly #files: Pick<TraceFiles, 'random' | 'computers'>;
  readonly #modelPid: (pid: number) => number;
  readonly differences: Difference[] = [];
  /** What was not compared, and in how many calls. */
  readonly ignored: Map<string, number> = new Map();
  /** Calls that were made and compared. */
  compared = 0;
  agreed = 0;

  /** @param files reads of random numbers, and of what the computer says of itself @param modelPid the model's number of a process of the trace */
  constructor(files: Pick<TraceFiles, 'random' | 'computers'>, modelPid: (pid: number) => number) {
    this.#files = files;
    this.#modelPid = modelPid;
  }

  /** A call has come back, in the trace and in the model. */
  compare(task: TracedTask, call: TracedCall, line: number, { result, differences, ignored }: Outcome): void {
    const expected = call.result as number;
    const kind = CLONES.has(call.name) ? 'pid' : (shapeOf(call.name, numberOf(call.args[1]))?.result ?? 'number');
    const what = new Set(ignored);
    let agrees = result === expected;
    if (expected >= 0 && result >= 0) {
      if (kind === 'any') {
        agrees = true;
        if (result !== expected) what.add('times, names and numbers of the computer');
      } else if (kind === 'pid') {
        agrees = expected === 0 ? result === 0 : result === this.#modelPid(expected);
        if (expected > 0) what.add('process ids');
      } else if (kind === 'fd' && result !== expected) {
        agrees = true;
        task.descriptors.set(expected, result);
        what.add('numbers of descriptors');
      }
    }
    const isRandom = this.#files.random.has(call);
    const isComputers = this.#files.computers.has(call) && expected >= 0 && result >= 0;
    if (isRandom) what.add('random numbers');
    if (isComputers) what.add('what /proc and /sys say');
    const all =
      agrees || isComputers
        ? isRandom || isComputers
          ? []
          : differences
        : [`it returns ${shown(result)}, in the trace ${shown(expected)}`, ...differences];
    this.count(call, all, what, line);
  }

  /** @param differences none: it agrees */
  count(call: TracedCall, differences: readonly string[], ignored: ReadonlySet<string>, line = call.line): void {
    this.compared++;
    for (const what of ignored) this.ignored.set(what, (this.ignored.get(what) ?? 0) + 1);
    if (differences.length === 0) this.agreed++;
    else this.differences.push({ line, text: call.text, what: differences.join('; ') });
  }

  differ(call: TracedCall, line: number, what: string): void {
    this.count(call, [what], new Set(), line);
  }
}

/** A result for people. */
export function shown(result: number | null): string {
  if (result === null) return 'nothing';
  return result < 0 && result > -4096 ? errnoName(result) : String(result);
}
