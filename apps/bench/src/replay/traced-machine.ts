import { definePlugin } from '@rpal/bus';
import { defaultProfile } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type Program, recalculatePending, type SignalBits, type Thread } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { TaskState } from '@rpal/sched';
import { type FileRecord, tmpfs, treeOf } from '@rpal/tmpfs';
import { Errno, LinuxCall, OpenFlag, Signal } from '@rpal/uapi';
import { Pending } from '@rpal/vfs';
import { ReplayArguments, type Substitutes } from './arguments.js';
import { CLONES, RECEIVES } from './call-shapes.js';
import { SCRATCH_BYTES, Scratch } from './guest-memory.js';
import { perform } from './perform.js';
import { numberOf, textOf } from './trace-files.js';
import type { TracedCall, TraceEvent } from './trace-line.js';
import { addressOf } from './traced-memory.js';
import { type Command, type Outcome, TracedTask } from './traced-task.js';

/** Enough for what traces do at a time. */
const FOUR_CPUS = { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 8 };
/** The player's own call: a thread asks what to do next. */
const NEXT = 4000;
/** All signals but those that cannot be blocked. */
const ALL = { low: ~((1 << (Signal.KILL - 1)) | (1 << (Signal.STOP - 1))), high: -1 };
/** How long, in nanoseconds of machine time, a call may take that comes back at once in the trace. */
export const AT_ONCE = 50e6;
/** A switch is over after a few steps of so many TSC cycles. */
const SWITCH_STEP = 500;
const SWITCH_STEPS = 100;

/** Calls in which threads of a program sleep, and that do not touch their mask of signals. */
const SLEEPS: ReadonlySet<string> = new Set(['futex', ...RECEIVES]);

/** The machine on which a trace is played: its threads sleep until they are told what to do next. */
export class TracedMachine {
  readonly #machine: Machine;
  readonly #events: readonly TraceEvent[];
  readonly #directory: string;
  /** Calls that are under way while others come, and that no signal interrupts in the trace. */
  readonly #undisturbed: ReadonlySet<TracedCall>;
  readonly #byThread: WeakMap<Thread, TracedTask> = new WeakMap();
  /** Processes and threads, by their numbers in the trace. */
  readonly tasks: Map<number, TracedTask> = new Map();
  /** Calls that have come back. */
  readonly outcomes: Map<TracedCall, Outcome> = new Map();
  /** The program of the execve that is under way. */
  #image: Substitutes['image'] = null;

  /** @param files that the trace finds @param directory where the traced program began */
  constructor(events: readonly TraceEvent[], files: FileRecord[], directory: string) {
    this.#events = events;
    this.#directory = directory;
    this.#undisturbed = undisturbed(events);
    const next = definePlugin({
      name: 'rpal-bench replay-strace',
      version: '1.0.0',
      setup: ({ plugin, syscalls }) => syscalls.define(NEXT, (cpu, thread) => this.#next(cpu, thread), { name: 'next', plugin }),
    });
    this.#machine = createMachine({
      profile: { ...defaultProfile, topology: FOUR_CPUS },
      plugins: [posix(), tmpfs({ files }), next()],
      idle: 'poll',
      epollNestingCountsUpwards: true,
      unixCloseSkipsEmptyMessage: true,
      unixConnectInheritsOptions: true,
    });
  }

  /** Whether it has a system call. */
  has(name: string): boolean {
    return this.#machine.kernel.syscalls.get(LinuxCall[name as keyof typeof LinuxCall]) !== undefined;
  }

  /** The first process, as its execve begins. */
  start(call: TracedCall): TracedTask {
    const task = TracedTask.first(call.pid);
    this.tasks.set(call.pid, task);
    const path = textOf(call.args[0]);
    const directory = this.#directory;
    const machine = this;
    const first = executable(nameOf(call), function* (p) {
      // What a shell would have given it.
      for (const flags of [OpenFlag.RDONLY, OpenFlag.WRONLY, OpenFlag.WRONLY]) yield* p.open('/dev/null', flags);
      yield* p.chdir(directory);
      const { process } = p.context.thread;
      const rights = machine.#capabilities();
      if (rights !== null) process.credentials = { ...process.credentials, effective: rights, permitted: rights, bounding: rights };
      machine.#executes(p.context.thread, path);
      machine.outcomes.set(call, { result: 0, differences: [], ignored: new Set() });
      yield* machine.#life(p, task);
    });
    this.#machine.spawn(first);
    this.runUntil(() => task.parked, AT_ONCE);
    return task;
  }

  /** The call is going to make a task. */
  prepareChild(task: TracedTask, call: TracedCall): void {
    const pid = call.result as number;
    this.tasks.set(pid, task.child(pid, (fieldOf(call.args, 'flags') & 0x1_0000) !== 0 ? 'thread' : 'process'));
  }

  /** The model's number of a process of the trace; one that nobody has if it is none of it. */
  modelPid(pid: number): number {
    return this.tasks.get(pid)?.modelPid ?? 0;
  }

  /** Tells a task what to do next. */
  give(task: TracedTask, command: Command): void {
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
  runUntil(done: () => boolean, limit: number): void {
    const { platform } = this.#machine;
    const end = platform.now + limit * platform.costs.tscPerNs;
    while (!done() && platform.now < end) if (platform.run(end) !== 'stopped') return;
  }

  /** What the traced program may do, as its first capget says; null: everything, as root may. */
  #capabilities(): SignalBits | null {
    for (const event of this.#events) {
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
    else outcome = yield* perform(p, task, call, (pid) => this.modelPid(pid));
    this.outcomes.set(call, outcome);
    task.pending.splice(task.pending.indexOf(call), 1);
  }

  *#clone(p: Program, task: TracedTask, { name, args, result }: TracedCall): Generator<void, Outcome> {
    const child = result === null ? undefined : this.tasks.get(result);
    const machine = this;
    p.context.childMain = function* (q) {
      if (child !== undefined) yield* machine.#life(q, child);
    };
    const nr = name === 'fork' || name === 'vfork' ? LinuxCall[name] : LinuxCall.clone;
    // At this word whoever joins a thread waits for its end.
    const word = fieldOf(args, 'child_tid') + fieldOf(args, 'child_tidptr');
    const at = word === 0 ? 0 : yield* addressOf({ p, task }, word, 4);
    const made = yield* p.syscall(nr, fieldOf(args, 'flags') + fieldOf(args, 'exit_signal'), 0, 0, at);
    if (child !== undefined && made > 0) child.modelPid = made;
    return { result: made, differences: [], ignored: new Set() };
  }

  *#exec(p: Program, task: TracedTask, call: TracedCall): Generator<void, Outcome> {
    const path = textOf(call.args[0]);
    const machine = this;
    if (call.result === 0) {
      this.#image = executable(nameOf(call), function* (q) {
        if (!path.startsWith('/proc/')) machine.#executes(q.context.thread, path);
        machine.outcomes.set(call, { result: 0, differences: [], ignored: new Set() });
        task.pending.length = 0;
        task.renewed();
        yield* machine.#life(q, task);
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

  /** From here on the program's arguments are those of the trace. */
  #adopt(p: Program): void {
    const machine = this;
    const substitutes: Substitutes = {
      get image() {
        return machine.#image;
      },
      *handler(q) {
        const interrupted = machine.#byThread.get(q.context.thread) as TracedTask;
        interrupted.depth++;
        machine.#adopt(q);
        yield* machine.#obey(q, interrupted);
        interrupted.depth--;
      },
    };
    (p.context as { args: unknown }).args = new ReplayArguments(p.context, substitutes);
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

/** A field of the structures among the arguments of a call; 0: none has it. */
function fieldOf(args: TracedCall['args'], field: string): number {
  return args.reduce((value, arg) => value + (arg.kind === 'struct' ? numberOf(arg.fields.get(field)) : 0), 0);
}
