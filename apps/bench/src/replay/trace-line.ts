import { TraceError } from './trace-error.js';
import { numberIn, type Value, ValueReader } from './trace-value.js';

/** A call of the trace, from the line where it begins to that where it ends. */
export interface TracedCall {
  readonly kind: 'call';
  readonly line: number;
  readonly pid: number;
  readonly name: string;
  readonly args: readonly Value[];
  /** Result register: 0 or more, or a negative errno; null: it did not come back ("?"). */
  readonly result: number | null;
  /** It was interrupted, and is to be made again (ERESTARTSYS and the like). */
  readonly restarts: boolean;
  /** As the trace has it, in one line. */
  readonly text: string;
}

/** What happens in a trace, in order. */
export type TraceEvent =
  | { readonly kind: 'begin'; readonly call: TracedCall }
  | { readonly kind: 'end'; readonly line: number; readonly call: TracedCall }
  | { readonly kind: 'signal'; readonly line: number; readonly pid: number; readonly name: string }
  | { readonly kind: 'exit'; readonly line: number; readonly pid: number; readonly status: number }
  | { readonly kind: 'killed'; readonly line: number; readonly pid: number; readonly signal: string };

/** A trace as far as it can be read, and what is wrong with the line where it cannot. */
export interface Trace {
  readonly events: readonly TraceEvent[];
  readonly error: TraceError | null;
}

/** Errno names that strace prints, with their numbers from the text behind "= -1". */
const RESULT = /\)\s*= (-?\d+|0x[0-9a-f]+|\?)(?: ([A-Z][A-Z0-9_]*) \((.*)\))?(?: \((.*)\))?$/;

/** Reads the output of `strace -f -X raw -v -s N`. */
export function readTrace(text: string, errnoOf: (name: string) => number | undefined): Trace {
  const events: TraceEvent[] = [];
  const open = new Map<number, { line: number; head: string; at: number }>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const alive = new Set<number>();
  let only = 1;
  for (let i = 0; i < lines.length; i++) {
    const number = i + 1;
    const line = lines[i] as string;
    if (line.startsWith('#') || line === '') continue;
    try {
      const [, pidText, body] = /^(?:\[pid +)?(\d+)\]? +(.*)$/.exec(line) ?? [undefined, String(only), line];
      const pid = Number(pidText);
      only = pid;
      const exited = /^\+\+\+ exited with (\d+) \+\+\+$/.exec(body as string);
      const killed = /^\+\+\+ killed by (\w+)(?: \(core dumped\))? \+\+\+$/.exec(body as string);
      const signal = /^--- (\w+) (.*)---$/.exec(body as string);
      if (exited !== null) {
        alive.delete(pid);
        open.delete(pid);
        events.push({ kind: 'exit', line: number, pid, status: Number(exited[1]) });
      } else if (killed !== null) {
        alive.delete(pid);
        open.delete(pid);
        events.push({ kind: 'killed', line: number, pid, signal: killed[1] as string });
      } else if (signal !== null) {
        events.push({ kind: 'signal', line: number, pid, name: signal[1] as string });
      } else {
        alive.add(pid);
        const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(body as string) ?? /^(.*)<unfinished \.\.\.>$/.exec(body as string);
        const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(body as string);
        if (unfinished !== null) {
          open.set(pid, { line: number, head: unfinished[1] as string, at: events.length });
          // Its place is kept until it is known how it goes on.
          events.push({ kind: 'signal', line: number, pid, name: '' });
        } else if (resumed !== null) {
          const begun = open.get(pid);
          if (begun === undefined || !begun.head.startsWith(`${resumed[1]}(`)) throw new Error(`process ${pid} has begun no ${resumed[1]}`);
          open.delete(pid);
          // A task that dies in a call does not return from it.
          const rest = (resumed[2] as string).replace(/ *<unfinished \.\.\.>\)/, ')');
          const call = callIn(begun.line, pid, begun.head + rest, errnoOf);
          events[begun.at] = { kind: 'begin', call };
          events.push({ kind: 'end', line: number, call });
        } else {
          const call = callIn(number, pid, body as string, errnoOf);
          events.push({ kind: 'begin', call }, { kind: 'end', line: number, call });
        }
      }
    } catch (error) {
      return { events: events.filter(isKnown), error: new TraceError(number, (error as Error).message) };
    }
  }
  const [first] = open.values();
  const cut = first !== undefined ? `it is cut: "${first.head}" does not end` : `it is cut: process ${[...alive][0]} does not end`;
  return {
    events: events.filter(isKnown),
    error: first !== undefined ? new TraceError(first.line, cut) : alive.size > 0 ? new TraceError(lines.length, cut) : null,
  };
}

/** Calls that were begun and of which nothing more is known are left out. */
function isKnown(event: TraceEvent): boolean {
  return event.kind !== 'signal' || event.name !== '';
}

function callIn(line: number, pid: number, text: string, errnoOf: (name: string) => number | undefined): TracedCall {
  const head = /^(\w+)\(/.exec(text);
  if (head === null) throw new Error('this is not a line of strace');
  const end = RESULT.exec(text);
  if (end === null) throw new Error('it is cut: it has no result');
  const name = head[1] as string;
  const args = new ValueReader(text.slice(head[0].length, end.index)).all();
  // Of a thread's name strace shows what the kernel looks at, and says so.
  const cut = name !== 'prctl' && args.some(hasCut);
  if (cut) throw new Error('a string is cut; record with strace -s 1000000');
  const [, value, word] = end;
  const restarts = value === '?' && (word?.startsWith('ERESTART') ?? false);
  return { kind: 'call', line, pid, name, args, result: resultOf(value as string, word, errnoOf), restarts, text };
}

function resultOf(value: string, word: string | undefined, errnoOf: (name: string) => number | undefined): number | null {
  if (value === '?') return null;
  if (value !== '-1' || word === undefined) return numberIn(value);
  const errno = errnoOf(word);
  if (errno === undefined) throw new Error(`${word} is not an error that is known`);
  return -errno;
}

function hasCut(value: Value): boolean {
  switch (value.kind) {
    case 'bytes':
      return value.cut;
    case 'list':
      return value.items.some(hasCut);
    case 'struct':
      return [...value.fields.values()].some(hasCut);
    default:
      return false;
  }
}
