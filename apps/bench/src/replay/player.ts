import { definePlugin } from '@rpal/bus';
import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type Program, recalculatePending, type SignalBits, type Thread } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { TaskState } from '@rpal/sched';
import { tmpfs, treeOf } from '@rpal/tmpfs';
import { Errno, errnoName, LinuxCall, OpenFlag, Signal } from '@rpal/uapi';
import { Pending } from '@rpal/vfs';
import { ReplayArguments, type Substitutes } from './arguments.js';
import { shapeOf } from './call-shapes.js';
import { SCRATCH_BYTES, Scratch } from './guest-memory.js';
import { perform } from './perform.js';
import { TraceError } from './trace-error.js';
import { numberOf, TraceFiles, textOf } from './trace-files.js';
import type { Trace, TracedCall, TraceEvent } from './trace-line.js';
import { addressOf } from './traced-memory.js';
import { type Command, type Outcome, TracedTask } from './traced-task.js';

/** Four CPUs of the model's first server: enough for what traces do at a time. */
const SERVER = profiles[0] as CpuProfile;
/** The player's own call: a thread asks what to do next. */
const NEXT = 4000;
/** All signals but those that cannot be blocked. */
const ALL = { low: ~((1 << (Signal.KILL - 1)) | (1 << (Signal.STOP - 1))), high: -1 };
/** How long, in nanoseconds of machine time, a call may take that comes back at once in the trace, and one that does not. */
const AT_ONCE = 50e6;
const A_WHILE = 1e5;
const PATIENCE = 100e9;
/** A switch is over after a few steps of so many TSC cycles. */
const SWITCH_STEP = 500;
const SWITCH_STEPS = 100;

/** Calls that make tasks, that end them, and that give them another program. */
const CLONES: ReadonlySet<string> = new Set(['clone', 'clone3', 'fork', 'vfork']);
const EXITS: ReadonlySet<string> = new Set(['exit', 'exit_group']);
const SPECIAL: ReadonlySet<string> = new Set([...CLONES, ...EXITS, 'execve', 'rt_sigreturn', 'brk', 'mmap', 'mremap', 'restart_syscall']);

/** Calls that wait for what others send. */
const RECEIVES: ReadonlySet<string> = new Set([
  'read',
  'readv',
  'recvfrom',
  'recvmsg',
  'accept',
  'accept4',
  'poll',
  'ppoll',
  'epoll_wait',
  'epoll_pwait',
]);

/** Calls in which threads of a program sleep, and that do not touch their mask of signals. */
const SLEEPS: ReadonlySet<string> = new Set(['futex', ...RECEIVES]);

/** A call whose outcome differs from the trace. */
export interface Difference {
  readonly line: number;
  readonly text: string;
  readonly what: string;
}

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
  readonly #machine: Machine;
  readonly #directory: string;
  readonly #tasks: Map<number, TracedTask> = new Map();
  readonly #byThread: WeakMap<Thread, TracedTask> = new WeakMap();
  readonly #outcomes: Map<TracedCall, Outcome> = new Map();
  /** A call of the trace that goes on with an earlier one, which a signal had interrupted. */
  readonly #continues: Map<TracedCall, TracedCall> = new Map();
  /** Calls that others come between, from their first line to their last. */
  readonly #unfinished: Set<TracedCall>;
  /** Of these, the ones that are made where they come back. */
  readonly #delayed: Set<TracedCall> = new Set();
  /** Calls that could not be made, because the one before has not come back. */
  readonly #skipped: Set<TracedCall> = new Set();
  readonly #differences: Difference[] = [];
  readonly #ignored: Map<string, number> = new Map();
  /** Calls that are under way while others come, and that no signal interrupts in the trace. */
  readonly #undisturbed: ReadonlySet<TracedCall>;
  /** Reads of random numbers. */
  readonly #random: ReadonlySet<TracedCall>;
  /** Reads of what the computer says of itself. */
  readonly #computers: ReadonlySet<TracedCall>;
  #compared = 0;
  #agreed = 0;

  constructor(trace: Trace, directory: string) {
    this.#trace = trace;
    this.#directory = directory;
    this.#unfinished = new Set(
      trace.events.flatMap((event) => (event.kind === 'end' && event.line !== event.call.line ? [event.call] : [])),
    );
    this.#undisturbed = undisturbed(trace.events);
    const files = new TraceFiles(trace.events, directory);
    this.#random = files.random;
    this.#computers = files.computers;
    const next = definePlugin({
      name: 'rpal-bench replay-strace',
      version: '1.0.0',
      setup: ({ plugin, syscalls }) => syscalls.define(NEXT, (cpu, thread) => this.#next(cpu, thread), { name: 'next', plugin }),
    });
    this.#machine = createMachine({
      profile: { ...SERVER, topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 8 } },
      plugins: [posix(), tmpfs({ files: files.records }), next()],
      idle: 'poll',
      epollNestingCountsUpwards: true,
      unixCloseSkipsEmptyMessage: true,
      unixConnectInheritsOptions: true,
    });
  }

  run(): Replay {
    let error = this.#trace.error;
    for (const event of this.#trace.events) {
      const wrong = this.#play(event);
      if (wrong === null) continue;
      error = wrong;
      break;
    }
    return {
      compared: this.#compared,
      agreed: this.#agreed,
      differences: this.#differences,
      ignored: this.#ignored,
      tasks: this.#tasks.size,
      error,
    };
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
    const task = this.#tasks.get(pid);
    if (task === undefined || task.ended || !task.parked) return;
    const { depth } = task;
    // Signals of other processes may be on their way.
    this.#give(task, 'signal');
    this.#runUntil(() => task.parked || task.ended, AT_ONCE);
    if (task.depth === depth && task.interrupted === null) this.#runUntil(() => task.depth > depth, A_WHILE / 100);
  }

  #begin(call: TracedCall): TraceError | null {
    const { name, pid } = call;
    // What others sent while it was under way is there when it returns.
    if (this.#unfinished.has(call) && RECEIVES.has(name) && call.result !== null && call.result !== -Errno.EINTR && this.#tasks.has(pid)) {
      this.#unfinished.delete(call);
      this.#delayed.add(call);
      return null;
    }
    if (!(name in LinuxCall)) return new TraceError(call.line, `there is no system call ${name} in Linux 6.15`);
    if (!SPECIAL.has(name) && shapeOf(name, numberOf(call.args[1])) === undefined)
      return new TraceError(call.line, `the player does not know the arguments of ${name}`);
    const isThere = SPECIAL.has(name) || this.#machine.kernel.syscalls.get(LinuxCall[name as keyof typeof LinuxCall]) !== undefined;
    if (!isThere) return new TraceError(call.line, `the model has no ${name}`);
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      if (this.#tasks.size > 0) return new TraceError(call.line, `process ${pid} has not been made by any call before`);
      if (name !== 'execve') return new TraceError(call.line, 'a trace begins with an execve');
      task = this.#start(call);
    }
    if (name === 'rt_sigreturn') {
      this.#leaveHandler(task, call);
      return null;
    }
    if (this.#outcomes.has(call)) return null;
    if (task.interrupted !== null && task.interrupted.name === name) {
      this.#continues.set(call, task.interrupted);
      task.interrupted = null;
      return null;
    }
    if (!task.parked) this.#runUntil(() => task.parked || task.ended, AT_ONCE);
    if (!task.parked) {
      this.#skipped.add(call);
      return null;
    }
    if (CLONES.has(name) && call.result !== null && call.result > 0) this.#prepareChild(task, call);
    task.pending.push(call);
    this.#give(task, call);
    this.#runUntil(() => this.#outcomes.has(call) || task.ended, A_WHILE);
    return null;
  }

  #end(call: TracedCall, line: number): void {
    const task = this.#tasks.get(call.pid) as TracedTask;
    if (call.name === 'rt_sigreturn') return;
    if (this.#delayed.delete(call)) this.#begin(call);
    const made = this.#continues.get(call) ?? call;
    if (EXITS.has(call.name)) {
      this.#count(call, [], new Set());
      return;
    }
    if (call.result === null) {
      // It is interrupted: whether it goes on or fails is seen at the end of the handler.
      if (call.restarts) task.interrupted = made;
      return;
    }
    if (this.#skipped.has(call)) {
      this.#differ(call, line, `it was not made: ${task.pending.at(-1)?.text ?? 'the call before'} has not come back`);
      return;
    }
    // A handler that waits for its calls keeps the result from the program.
    const isOver = () => this.#outcomes.has(made) || task.ended || (task.depth > 0 && task.parked);
    if (!isOver()) this.#runUntil(isOver, PATIENCE);
    const outcome = this.#outcomes.get(made);
    if (outcome === undefined && task.depth > 0 && task.parked) {
      task.late.push({ call, line });
      return;
    }
    if (outcome === undefined) {
      this.#differ(call, line, task.ended ? 'the process has ended' : `it does not return; in the trace it returns ${shown(call.result)}`);
      return;
    }
    this.#compare(task, call, line, outcome);
  }

  #compare(task: TracedTask, call: TracedCall, line: number, { result, differences, ignored }: Outcome): void {
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
    const isRandom = this.#random.has(call);
    const isComputers = this.#computers.has(call) && expected >= 0 && result >= 0;
    if (isRandom) what.add('random numbers');
    if (isComputers) what.add('what /proc and /sys say');
    const all =
      agrees || isComputers
        ? isRandom || isComputers
          ? []
          : differences
        : [`it returns ${shown(result)}, in the trace ${shown(expected)}`, ...differences];
    this.#count(call, all, what, line);
  }

  #count(call: TracedCall, differences: readonly string[], ignored: ReadonlySet<string>, line = call.line): void {
    this.#compared++;
    for (const what of ignored) this.#ignored.set(what, (this.#ignored.get(what) ?? 0) + 1);
    if (differences.length === 0) this.#agreed++;
    else this.#differences.push({ line, text: call.text, what: differences.join('; ') });
  }

  #differ(call: TracedCall, line: number, what: string): void {
    this.#count(call, [what], new Set(), line);
  }

  /** A signal handler of the trace ends. What it has interrupted comes back, or goes on. */
  #leaveHandler(task: TracedTask, call: TracedCall): void {
    if (task.depth === 0) this.#runUntil(() => task.depth > 0 && task.parked, PATIENCE);
    if (task.depth === 0 || !task.parked) {
      this.#differ(call, call.line, 'no signal handler is running');
      return;
    }
    const { interrupted } = task;
    this.#give(task, 'return');
    const depth = task.depth;
    this.#runUntil(() => task.depth < depth && task.parked, A_WHILE);
    for (const { call: late, line } of task.late.splice(0)) this.#end(late, line);
    // A call that failed because of the signal has its result in the register that rt_sigreturn restores.
    if (interrupted !== null && call.result === -Errno.EINTR) {
      task.interrupted = null;
      this.#runUntil(() => this.#outcomes.has(interrupted), A_WHILE);
      const result = this.#outcomes.get(interrupted)?.result;
      this.#count(
        interrupted,
        result === -Errno.EINTR ? [] : [`it returns ${shown(result ?? null)}, in the trace EINTR`],
        new Set(),
        call.line,
      );
    }
  }

  #ended(event: { readonly line: number; readonly pid: number }, how: string, agrees: (task: TracedTask) => boolean): void {
    const task = this.#tasks.get(event.pid);
    if (task === undefined) return;
    if (!task.ended) this.#runUntil(() => task.ended, AT_ONCE);
    if (task.ended && (agrees(task) || (task.thread?.process.threads.length ?? 0) > 0)) return;
    const exit = task.thread?.process.exit ?? null;
    const found = exit === null ? 'goes on' : exit.signal === 0 ? `has exited with ${exit.status}` : `was killed by signal ${exit.signal}`;
    this.#differences.push({ line: event.line, text: `process ${event.pid} ${how}`, what: `in the model it ${found}` });
  }

  /** The first process, as its execve begins. */
  #start(call: TracedCall): TracedTask {
    const task = TracedTask.first(call.pid);
    this.#tasks.set(call.pid, task);
    const path = textOf(call.args[0]);
    const directory = this.#directory;
    const player = this;
    const first = executable(nameOf(call), function* (p) {
      // What a shell would have given it.
      for (const flags of [OpenFlag.RDONLY, OpenFlag.WRONLY, OpenFlag.WRONLY]) yield* p.open('/dev/null', flags);
      yield* p.chdir(directory);
      const { process } = p.context.thread;
      const rights = player.#capabilities();
      if (rights !== null) process.credentials = { ...process.credentials, effective: rights, permitted: rights, bounding: rights };
      player.#executes(p.context.thread, path);
      player.#outcomes.set(call, { result: 0, differences: [], ignored: new Set() });
      yield* player.#life(p, task);
    });
    this.#machine.spawn(first);
    this.#runUntil(() => task.parked, AT_ONCE);
    return task;
  }

  /** What the traced program may do, as its first capget says; null: everything, as root may. */
  #capabilities(): SignalBits | null {
    for (const event of this.#trace.events) {
      if (event.kind !== 'end' || event.call.name !== 'capget' || event.call.result !== 0) continue;
      const [low, high] = /permitted=(0x[0-9a-f]+)(?:\|(0x[0-9a-f]+))?/.exec(event.call.text)?.slice(1) ?? [];
      if (low !== undefined) return { low: Number(low) | 0, high: Number(high ?? 0) | 0 };
    }
    return null;
  }

  /** What /proc/self/exe of a process leads to. */
  #executes(thread: Thread, path: string): void {
    const tree = treeOf(this.#machine);
    const found = tree.lookUp(path);
    if (found !== null) tree.executables.set(thread.process, found);
  }

  /** A thread of the model executes commands until it is told to end. */
  *#life(p: Program, task: TracedTask): Generator<void, void> {
    this.#adopt(p);
    task.thread = p.context.thread;
    task.modelPid = p.context.thread.pid;
    this.#byThread.set(p.context.thread, task);
    if (task.scratch === null) task.scratch = new Scratch(yield* p.allocate(SCRATCH_BYTES));
    yield* this.#obey(p, task);
  }

  *#obey(p: Program, task: TracedTask): Generator<void, void> {
    const { thread } = p.context;
    for (;;) {
      yield* p.syscall(NEXT);
      // Signals come when the trace says so: with a call of the trace, or where it has a line for them.
      thread.blocked = task.mask;
      recalculatePending(thread);
      const { command } = task;
      task.command = null;
      if (command === 'return') return;
      if (command === 'signal') yield* p.getpid();
      else if (command !== null) {
        // A signal to the process is for the thread that has it in the trace, not for one that sleeps meanwhile.
        const sleeps = this.#undisturbed.has(command);
        if (sleeps) thread.blocked = ALL;
        yield* this.#make(p, task, command);
        if (sleeps) thread.blocked = task.mask;
      }
    }
  }

  *#make(p: Program, task: TracedTask, call: TracedCall): Generator<void, void> {
    let outcome: Outcome;
    if (CLONES.has(call.name)) outcome = yield* this.#clone(p, task, call);
    else if (call.name === 'execve') outcome = yield* this.#exec(p, task, call);
    else outcome = yield* perform(p, task, call, (pid) => this.#modelPid(pid));
    this.#outcomes.set(call, outcome);
    task.pending.splice(task.pending.indexOf(call), 1);
  }

  *#clone(p: Program, task: TracedTask, { name, args, result }: TracedCall): Generator<void, Outcome> {
    const sum = (field: string): number =>
      args.reduce((value, arg) => value + (arg.kind === 'struct' ? numberOf(arg.fields.get(field)) : 0), 0);
    const child = result === null ? undefined : this.#tasks.get(result);
    const player = this;
    p.context.childMain = function* (q) {
      if (child !== undefined) yield* player.#life(q, child);
    };
    const nr = name === 'fork' || name === 'vfork' ? LinuxCall[name] : LinuxCall.clone;
    // At this word whoever joins a thread waits for its end.
    const word = sum('child_tid') + sum('child_tidptr');
    const at = word === 0 ? 0 : yield* addressOf({ p, task }, word, 4);
    const made = yield* p.syscall(nr, sum('flags') + sum('exit_signal'), 0, 0, at);
    if (child !== undefined && made > 0) child.modelPid = made;
    return { result: made, differences: [], ignored: new Set() };
  }

  *#exec(p: Program, task: TracedTask, call: TracedCall): Generator<void, Outcome> {
    const path = textOf(call.args[0]);
    const player = this;
    if (call.result === 0) {
      this.#image = executable(nameOf(call), function* (q) {
        if (!path.startsWith('/proc/')) player.#executes(q.context.thread, path);
        player.#outcomes.set(call, { result: 0, differences: [], ignored: new Set() });
        task.pending.length = 0;
        task.renewed();
        yield* player.#life(q, task);
      });
    }
    const scratch = task.scratch as Scratch;
    scratch.clear();
    const at = scratch.room(path.length + 1);
    yield* p.storeBytes(at, new TextEncoder().encode(`${path}\0`));
    const result = yield* p.syscall(LinuxCall.execve, at);
    this.#image = null;
    return { result, differences: [], ignored: new Set() };
  }

  #image: Substitutes['image'] = null;

  /** From here on the program's arguments are those of the trace. */
  #adopt(p: Program): void {
    const player = this;
    const substitutes: Substitutes = {
      get image() {
        return player.#image;
      },
      *handler(q) {
        const interrupted = player.#byThread.get(q.context.thread) as TracedTask;
        interrupted.depth++;
        player.#adopt(q);
        yield* player.#obey(q, interrupted);
        interrupted.depth--;
      },
    };
    (p.context as { args: unknown }).args = new ReplayArguments(p.context, substitutes);
  }

  #prepareChild(task: TracedTask, call: TracedCall): void {
    const pid = call.result as number;
    const flags = call.args.reduce((sum, arg) => sum + (arg.kind === 'struct' ? numberOf(arg.fields.get('flags')) : 0), 0);
    this.#tasks.set(pid, task.child(pid, (flags & 0x1_0000) !== 0 ? 'thread' : 'process'));
  }

  /** The model's number of a process of the trace; one that nobody has if it is none of it. */
  #modelPid(pid: number): number {
    return this.#tasks.get(pid)?.modelPid ?? 0;
  }

  #give(task: TracedTask, command: Command): void {
    task.command = command;
    task.parked = false;
    const thread = task.thread as Thread;
    const { cpu } = thread;
    const { platform, kernel } = this.#machine;
    // It is on its way to sleep until another one is current on its CPU; a wake-up from outside before that would be lost.
    for (let i = 0; i < SWITCH_STEPS && kernel.scheduler.current(cpu) === thread; i++) platform.run(platform.now + SWITCH_STEP);
    kernel.scheduler.wakeUp(cpu, thread);
    if (cpu.halted) cpu.wake(Math.max(...platform.cpus.map(({ clock }) => clock)));
  }

  /** @param limit nanoseconds of machine time */
  #runUntil(done: () => boolean, limit: number): void {
    const { platform } = this.#machine;
    const end = platform.now + limit * platform.costs.tscPerNs;
    while (!done() && platform.now < end) if (platform.run(end) !== 'stopped') return;
  }

  /** The player's call: sleeps until there is a command. */
  #next(cpu: Thread['cpu'], thread: Thread): number {
    const task = this.#byThread.get(thread) as TracedTask;
    const { platform } = this.#machine;
    task.mask = thread.blocked;
    thread.blocked = ALL;
    recalculatePending(thread);
    thread.operation = {
      step: (on) => {
        thread.state = TaskState.RUNNING;
        if (task.command !== null) return 0;
        if (thread.signalPending) {
          thread.blocked = task.mask;
          return -Errno.ERESTARTNOINTR;
        }
        thread.prepareToSleep(on, TaskState.INTERRUPTIBLE, { describe: () => 'the next call of the trace' });
        task.parked = true;
        platform.stop();
        return Pending.SLEEP;
      },
    };
    return thread.operation.step(cpu);
  }
}

/** Calls that sleep while others go on, and that come back before their thread has a signal. */
function undisturbed(events: readonly TraceEvent[]): ReadonlySet<TracedCall> {
  const under: Map<number, TracedCall> = new Map();
  const found: Set<TracedCall> = new Set();
  for (const event of events) {
    if (event.kind === 'begin') {
      if (SLEEPS.has(event.call.name)) under.set(event.call.pid, event.call);
    } else if (event.kind === 'end') {
      const { call, line } = event;
      if (under.delete(call.pid) && line !== call.line && call.result !== null && call.result !== -Errno.EINTR) found.add(call);
    } else {
      under.delete(event.pid);
    }
  }
  return found;
}

function nameOf({ args }: TracedCall): string {
  return textOf(args[0]).split('/').at(-1) || 'program';
}

/** A result for people. */
function shown(result: number | null): string {
  if (result === null) return 'nothing';
  return result < 0 && result > -4096 ? errnoName(result) : String(result);
}
