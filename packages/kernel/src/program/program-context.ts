import type { Cpu } from '@rpal/hw-x86';
import type { CpuSet } from '@rpal/sched';
import type { MessageHeader } from '../calls/message-syscalls.js';
import type { MessageQueueAttributes } from '../calls/mqueue-syscalls.js';
import { SyscallNumber } from '../entry/syscall-numbers.js';
import type { ContextTable } from '../process/context-table.js';
import type { Image, Main } from '../process/image.js';
import type { Thread } from '../process/thread.js';
import { UserContext } from '../process/user-context.js';
import type { SignalBits } from '../signals/pending-signals.js';
import { DEFAULT_ACTION, type SignalAction, type SignalHandler } from '../signals/signal.js';
import { Program } from './program.js';

/** A routine of a library that may be suspended, and goes on by itself. */
export interface Routine {
  /** Goes on. @returns true once it is through; whoever called it then asks it for its result */
  resume(): boolean;
}

/** Below the top of a process's stack is what its start-up has put there; below that the threads have their stacks, side by side. */
const STACK_SLACK = 0x1000;
const STACK_SPACING = 0x2000;
/** They fill the 8 MiB that a stack may grow to. */
const STACKS = 1000;

/** The user-mode side of a program written as a generator. */
export class ProgramContext extends UserContext {
  readonly thread: Thread;
  /** The library routine that the program waits in. It is resumed in the program's stead until it is through. */
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
  /** Arguments that stand for memory the model does not lay out: a message header, an affinity mask, the code of a new thread. */
  header: MessageHeader = { segments: [] };
  affinity: CpuSet | readonly number[] = [];
  childMain: Main;
  image: Image | null = null;
  queueAttributes: MessageQueueAttributes | null = null;
  action: SignalAction = DEFAULT_ACTION;

  constructor(contexts: ContextTable, cpu: Cpu, thread: Thread, main: Main) {
    super(contexts, cpu, thread);
    this.thread = thread;
    this.exitCall = thread === thread.process.leader ? SyscallNumber.exit_group : SyscallNumber.exit;
    this.childMain = main;
    this.rip = thread.process.textStart;
    this.rsp = thread.process.stackTop - STACK_SLACK - (thread.process.contexts++ % STACKS) * STACK_SPACING;
    this.#generator = main(new Program(this));
  }

  override get program(): ProgramContext {
    return this;
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    if (this.routine !== null && !this.routine.resume()) return;
    if (!this.#ended && !this.#returning) {
      const { done, value } = this.#advance();
      if (done !== true) return;
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

  /** The program goes on with a signal handler; `leaveHandler` takes it back to where it was. */
  enterHandler(handler: SignalHandler, signal: number, value: number, state: HandlerState): void {
    const { nr, a0, a1, a2, a3, a4, a5, text, header, action, affinity } = this;
    const registers = { nr, a0, a1, a2, a3, a4, a5, text, header, action, affinity };
    const { calling } = this;
    this.#interrupted.push({ generator: this.#generator, callers: this.#callers, routine: this.routine, calling, registers, state });
    this.calling = false;
    this.#callers = [];
    this.routine = null;
    this.#generator = handler(new Program(this), signal, value);
  }

  leaveHandler(): HandlerState {
    const { generator, callers, routine, calling, registers, state } = this.#interrupted.pop() as Interrupted;
    Object.assign(this, registers);
    this.#generator = generator;
    this.#callers = callers;
    this.routine = routine;
    this.calling = calling;
    this.#returning = false;
    return state;
  }
}

/** What a signal handler's frame on the user stack keeps, beside registers. */
export interface HandlerState {
  /** The flow that was interrupted: the program, or a fiber of a library it uses. */
  readonly user: UserContext;
  /** Result of the system call that was interrupted, if one was. */
  readonly rax: number;
  /** It is to be executed again. */
  readonly restart: boolean;
  readonly mask: SignalBits;
  readonly pkru: number;
}

interface Interrupted {
  readonly generator: Generator<void, number | void>;
  readonly callers: Generator<void, number | void>[];
  readonly routine: Routine | null;
  readonly calling: boolean;
  readonly registers: Partial<ProgramContext>;
  readonly state: HandlerState;
}
