import { Errno, LinuxCall } from '@rpal/uapi';
import { CLONES, RECEIVES, shapeOf } from './call-shapes.js';
import { Comparison, type Difference, shown } from './comparison.js';
import { TraceError } from './trace-error.js';
import { numberOf, TraceFiles } from './trace-files.js';
import type { Trace, TracedCall, TraceEvent } from './trace-line.js';
import { AT_ONCE, TracedMachine } from './traced-machine.js';
import type { TracedTask } from './traced-task.js';

/** How long, in nanoseconds of machine time, the player waits for what may sleep, and at most for what is to come. */
const A_WHILE = 1e5;
const PATIENCE = 100e9;
/** Calls that end tasks. */
const EXITS: ReadonlySet<string> = new Set(['exit', 'exit_group']);
const SPECIAL: ReadonlySet<string> = new Set([...CLONES, ...EXITS, 'execve', 'rt_sigreturn', 'brk', 'mmap', 'mremap', 'restart_syscall']);

/** The result of a replay. */
export interface Replay {
  /** Calls that were made and compared. */
  readonly compared: number;
  readonly agreed: number;
  readonly differences: readonly Difference[];
  /** What was not compared, and in how many calls. */
  readonly ignored: ReadonlyMap<string, number>;
  /** Processes and threads. */
  readonly tasks: number;
  /** Where it ended early, and why. */
  readonly error: TraceError | null;
}

/** Replays a trace on a machine of its own. @param directory where the traced program began */
export function replay(trace: Trace, directory: string): Replay {
  return new Player(trace, directory).run();
}

class Player {
  readonly #trace: Trace;
  readonly #machine: TracedMachine;
  readonly #comparison: Comparison;
  /** A call of the trace that goes on with an earlier one, which a signal had interrupted. */
  readonly #continues: Map<TracedCall, TracedCall> = new Map();
  /** Calls that others come between, from their first line to their last. */
  readonly #unfinished: Set<TracedCall>;
  /** Of these, the ones that are made where they come back. */
  readonly #delayed: Set<TracedCall> = new Set();
  /** Calls that could not be made, because the one before has not come back. */
  readonly #skipped: Set<TracedCall> = new Set();

  constructor(trace: Trace, directory: string) {
    this.#trace = trace;
    this.#unfinished = new Set(
      trace.events.flatMap((event) => (event.kind === 'end' && event.line !== event.call.line ? [event.call] : [])),
    );
    const files = new TraceFiles(trace.events, directory);
    const machine = new TracedMachine(trace.events, files.records, directory);
    this.#machine = machine;
    this.#comparison = new Comparison(files, (pid) => machine.modelPid(pid));
  }

  run(): Replay {
    let error = this.#trace.error;
    for (const event of this.#trace.events) {
      const wrong = this.#play(event);
      if (wrong === null) continue;
      error = wrong;
      break;
    }
    const { compared, agreed, differences, ignored } = this.#comparison;
    return { compared, agreed, differences, ignored, tasks: this.#machine.tasks.size, error };
  }

  #play(event: TraceEvent): TraceError | null {
    switch (event.kind) {
      case 'begin':
        return this.#begin(event.call);
      case 'end':
        this.#end(event.call, event.line);
        return null;
      case 'exit':
        this.#ended(
          event,
          `exited with ${event.status}`,
          (task) => task.thread?.process.exit?.signal === 0 && task.thread.process.exit.status === event.status,
        );
        return null;
      case 'killed':
        this.#ended(event, `was killed by ${event.signal}`, (task) => (task.thread?.process.exit?.signal ?? 0) !== 0);
        return null;
      default:
        this.#signal(event.pid);
        return null;
    }
  }

  /** A signal has come in the trace: if it has in the model, it is delivered. That it was is seen at the end of its handler. */
  #signal(pid: number): void {
    const task = this.#machine.tasks.get(pid);
    if (task === undefined || task.ended || !task.parked) return;
    const { depth } = task;
    // Signals of other processes may be on their way.
    this.#machine.give(task, 'signal');
    this.#machine.runUntil(() => task.parked || task.ended, AT_ONCE);
    if (task.depth === depth && task.interrupted === null) this.#machine.runUntil(() => task.depth > depth, A_WHILE / 100);
  }

  #begin(call: TracedCall): TraceError | null {
    const { name, pid } = call;
    // What others sent while it was under way is there when it returns.
    if (
      this.#unfinished.has(call) &&
      RECEIVES.has(name) &&
      call.result !== null &&
      call.result !== -Errno.EINTR &&
      this.#machine.tasks.has(pid)
    ) {
      this.#unfinished.delete(call);
      this.#delayed.add(call);
      return null;
    }
    if (!(name in LinuxCall)) return new TraceError(call.line, `there is no system call ${name} in Linux 6.15`);
    if (!SPECIAL.has(name) && shapeOf(name, numberOf(call.args[1])) === undefined)
      return new TraceError(call.line, `the player does not know the arguments of ${name}`);
    const isThere = SPECIAL.has(name) || this.#machine.has(name);
    if (!isThere) return new TraceError(call.line, `the model has no ${name}`);
    let task = this.#machine.tasks.get(pid);
    if (task === undefined) {
      if (this.#machine.tasks.size > 0) return new TraceError(call.line, `process ${pid} has not been made by any call before`);
      if (name !== 'execve') return new TraceError(call.line, 'a trace begins with an execve');
      task = this.#machine.start(call);
    }
    if (name === 'rt_sigreturn') {
      this.#leaveHandler(task, call);
      return null;
    }
    if (this.#machine.outcomes.has(call)) return null;
    if (task.interrupted !== null && task.interrupted.name === name) {
      this.#continues.set(call, task.interrupted);
      task.interrupted = null;
      return null;
    }
    if (!task.parked) this.#machine.runUntil(() => task.parked || task.ended, AT_ONCE);
    if (!task.parked) {
      this.#skipped.add(call);
      return null;
    }
    if (CLONES.has(name) && call.result !== null && call.result > 0) this.#machine.prepareChild(task, call);
    task.pending.push(call);
    this.#machine.give(task, call);
    this.#machine.runUntil(() => this.#machine.outcomes.has(call) || task.ended, A_WHILE);
    return null;
  }

  #end(call: TracedCall, line: number): void {
    const task = this.#machine.tasks.get(call.pid) as TracedTask;
    if (call.name === 'rt_sigreturn') return;
    if (this.#delayed.delete(call)) this.#begin(call);
    const made = this.#continues.get(call) ?? call;
    if (EXITS.has(call.name)) {
      this.#comparison.count(call, [], new Set());
      return;
    }
    if (call.result === null) {
      // It is interrupted: whether it goes on or fails is seen at the end of the handler.
      if (call.restarts) task.interrupted = made;
      return;
    }
    if (this.#skipped.has(call)) {
      this.#comparison.differ(call, line, `it was not made: ${task.pending.at(-1)?.text ?? 'the call before'} has not come back`);
      return;
    }
    // A handler that waits for its calls keeps the result from the program.
    const isOver = () => this.#machine.outcomes.has(made) || task.ended || (task.depth > 0 && task.parked);
    if (!isOver()) this.#machine.runUntil(isOver, PATIENCE);
    const outcome = this.#machine.outcomes.get(made);
    if (outcome === undefined && task.depth > 0 && task.parked) {
      task.late.push({ call, line });
      return;
    }
    if (outcome === undefined) {
      this.#comparison.differ(
        call,
        line,
        task.ended ? 'the process has ended' : `it does not return; in the trace it returns ${shown(call.result)}`,
      );
      return;
    }
    this.#comparison.compare(task, call, line, outcome);
  }

  /** A signal handler of the trace ends. What it has interrupted comes back, or goes on. */
  #leaveHandler(task: TracedTask, call: TracedCall): void {
    if (task.depth === 0) this.#machine.runUntil(() => task.depth > 0 && task.parked, PATIENCE);
    if (task.depth === 0 || !task.parked) {
      this.#comparison.differ(call, call.line, 'no signal handler is running');
      return;
    }
    const { interrupted } = task;
    this.#machine.give(task, 'return');
    const depth = task.depth;
    this.#machine.runUntil(() => task.depth < depth && task.parked, A_WHILE);
    for (const { call: late, line } of task.late.splice(0)) this.#end(late, line);
    // A call that failed because of the signal has its result in the register that rt_sigreturn restores.
    if (interrupted !== null && call.result === -Errno.EINTR) {
      task.interrupted = null;
      this.#machine.runUntil(() => this.#machine.outcomes.has(interrupted), A_WHILE);
      const result = this.#machine.outcomes.get(interrupted)?.result;
      this.#comparison.count(
        interrupted,
        result === -Errno.EINTR ? [] : [`it returns ${shown(result ?? null)}, in the trace EINTR`],
        new Set(),
        call.line,
      );
    }
  }

  #ended(event: { readonly line: number; readonly pid: number }, how: string, agrees: (task: TracedTask) => boolean): void {
    const task = this.#machine.tasks.get(event.pid);
    if (task === undefined) return;
    if (!task.ended) this.#machine.runUntil(() => task.ended, AT_ONCE);
    if (task.ended && (agrees(task) || (task.thread?.process.threads.length ?? 0) > 0)) return;
    const exit = task.thread?.process.exit ?? null;
    const found = exit === null ? 'goes on' : exit.signal === 0 ? `has exited with ${exit.status}` : `was killed by signal ${exit.signal}`;
    this.#comparison.differences.push({ line: event.line, text: `process ${event.pid} ${how}`, what: `in the model it ${found}` });
  }
}
