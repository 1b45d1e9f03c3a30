import type { Cpu } from '@rpal/hw-x86';
import { signalName } from '@rpal/uapi';
import type { ContextTable } from '../process/context-table.js';
import type { UserHandler } from '../process/signal-action.js';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import { type HandlerState, ThreadContext } from '../process/thread-context.js';
import type { CallRegisters } from '../process/user-context.js';
import { forgotten, Made } from './forgotten-call.js';
import { HostArguments } from './host-arguments.js';
import { begun, type Main } from './main.js';
import { Program } from './program.js';

/** What a program runs when a signal comes; `value` is the value that sigqueue sent. */
export type SignalHandler = (program: Program, signal: number, value: number) => Generator<void, void>;

/** A routine of a library that may be suspended, and goes on by itself. */
export interface Routine {
  /** Goes on. @returns true once it has ended; its caller then asks it for its result */
  resume(): boolean;
}

/** Below the top of a process's stack is what its start-up has put there; below that the threads have their stacks, side by side. */
const STACK_SLACK = 0x1000;
const STACK_SPACING = 0x4000;
/** They fill the 8 MiB that a stack may grow to. */
const STACKS = 500;

/** The user-mode side of a program written as a generator. */
export class ProgramContext extends ThreadContext {
  /** The library routine that the program waits in. It is resumed instead of the program until it has ended. */
  routine: Routine | null = null;
  #generator: Generator<void, number | void>;
  /** Those that have called the present generator with `Program.call`, innermost last. */
  #callers: Generator<void, number | void>[] = [];
  #called = false;
  /** What signal handlers that are running have interrupted, innermost last. */
  readonly #interrupted: Interrupted[] = [];
  /** A handler has ended: rt_sigreturn is next. */
  #returning = false;
  /** What the end of the program calls: exit_group, or exit in a thread that is not the first. */
  readonly exitCall: number;
  #ended = false;
  args: HostArguments = new HostArguments(this);
  /** The call that has been made and not been awaited to its end, as `Made`. */
  made: number = Made.NONE;
  /** What the next thread or child process executes. */
  childMain: Main;

  constructor(contexts: ContextTable, cpu: Cpu, thread: Thread, main: Main) {
    super(contexts, cpu, thread);
    this.exitCall = thread === thread.process.leader ? SyscallNumber.exit_group : SyscallNumber.exit;
    this.childMain = main;
    this.rip = thread.process.textStart;
    this.rsp = thread.process.stackTop - STACK_SLACK - (thread.process.contexts++ % STACKS) * STACK_SPACING;
    this.#generator = begun(thread.process.name, main(new Program(this)));
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    if (this.routine !== null && !this.routine.resume()) return;
    if (!this.#ended && !this.#returning) {
      const { done, value } = this.#advance();
      if (done !== true) return;
      if (this.made !== Made.NONE) throw forgotten(this, 'the end of the program, or of its signal handler');
      this.#returning = this.#interrupted.length > 0;
      this.#ended = !this.#returning;
      this.nr = this.#returning ? SyscallNumber.rt_sigreturn : this.exitCall;
      this.a0 = value ?? 0;
    }
    cpu.trap.syscall(cpu);
  }

  /** Goes on with `generator`, and with the present one when that one has ended. */
  call(generator: Generator<void, void>): void {
    this.#callers.push(this.#generator);
    this.#generator = generator;
    this.#called = true;
  }

  /**
   * Executes `routine` where an instruction has trapped; the program then goes on with that instruction, with its registers, but for the
   * result register. Until then nothing of the program runs: its trap ends with `TrapOutcome.PENDING`.
   */
  divert(routine: Main): void {
    this.call(this.#diverted(begun(this.thread.process.name, routine(new Program(this)))));
  }

  *#diverted(routine: Generator<void, number | void>): Generator<void, void> {
    const progress = this.#setAside();
    yield* routine;
    if (this.made !== Made.NONE) throw forgotten(this, 'the end of a routine that a trap has begun');
    this.#goOn(progress);
  }

  /** What comes between begins afresh. @returns where the program is in what it does */
  #setAside(): Progress {
    const { routine, calling, made, args } = this;
    const registers = this.saveRegisters();
    this.routine = null;
    this.calling = false;
    this.made = Made.NONE;
    this.args = new HostArguments(this);
    return { routine, calling, made, args, registers };
  }

  #goOn({ routine, calling, made, args, registers }: Progress): void {
    this.routine = routine;
    this.calling = calling;
    this.made = made;
    this.args = args;
    this.restoreRegisters(registers);
  }

  /** Executes the program up to the next point where it waits, or to its end. */
  #advance(): IteratorResult<void, number | void> {
    for (;;) {
      const end = this.#generator.next();
      if (end.done === true) {
        const caller = this.#callers.pop();
        if (caller === undefined) return end;
        this.#generator = caller;
      } else if (this.#called) {
        this.#called = false;
      } else {
        return end;
      }
    }
  }

  override takeLanding(): number {
    const landing = super.takeLanding();
    if (landing !== 0) this.made = Made.NONE;
    return landing;
  }

  override child(cpu: Cpu, thread: Thread): ProgramContext {
    return new ProgramContext(this.contexts, cpu, thread, this.childMain);
  }

  override enterHandler(_cpu: Cpu, handler: UserHandler, signal: number, value: number, state: HandlerState): number {
    const progress = this.#setAside();
    this.#interrupted.push({ generator: this.#generator, callers: this.#callers, rsp: this.rsp, progress, state });
    this.rsp = state.stack;
    this.#callers = [];
    const place = `${this.thread.process.name}, handler of ${signalName(signal)}`;
    this.#generator = begun(place, (handler as SignalHandler)(new Program(this), signal, value));
    return 0;
  }

  override leaveHandler(): HandlerState | null {
    const interrupted = this.#interrupted.pop();
    if (interrupted === undefined) return null;
    this.#goOn(interrupted.progress);
    this.#generator = interrupted.generator;
    this.#callers = interrupted.callers;
    this.rsp = interrupted.rsp;
    this.#returning = false;
    return interrupted.state;
  }
}

/** Where a program is in what it does besides its generators. */
interface Progress {
  readonly routine: Routine | null;
  readonly calling: boolean;
  readonly made: number;
  readonly args: HostArguments;
  readonly registers: CallRegisters;
}

interface Interrupted {
  readonly generator: Generator<void, number | void>;
  readonly callers: Generator<void, number | void>[];
  readonly rsp: number;
  readonly progress: Progress;
  readonly state: HandlerState;
}
