import type { Cpu } from '@rpal/hw-x86';
import type { ContextTable } from './context-table.js';
import type { QueuedSignal, SignalBits } from './pending-signals.js';
import type { SignalAction, UserHandler } from './signal-action.js';
import type { Thread } from './thread.js';
import { UserContext } from './user-context.js';

/** What a signal handler's frame on the user stack keeps besides registers. */
export interface HandlerState {
  /** The flow that was interrupted: the thread's own, or a fiber of a library that it uses. */
  readonly user: UserContext;
  /** Result of the system call that was interrupted, if one was. */
  readonly rax: number;
  /** It is to be executed again. */
  readonly restart: boolean;
  readonly mask: SignalBits;
  readonly pkru: number;
  /** Stack pointer of the handler: where the frame lies, if frames are in memory; else as it was. */
  readonly stack: number;
}

/** Why a handler runs (Linux: `struct ksignal`). */
export interface HandledSignal extends QueuedSignal {
  /** It came with a fault of the thread itself: `thread.faultCode`, `thread.faultAddress`. */
  readonly fault: boolean;
  readonly action: SignalAction;
}

/** Keeps in user memory what handlers have interrupted (Linux: `setup_rt_frame`, `restore_sigcontext`). */
export interface SignalFrames {
  /** Writes a frame. @returns where it lies, or a negative errno if it does not fit */
  push(cpu: Cpu, thread: Thread, program: ThreadContext, why: HandledSignal, state: HandlerState): number;
  /** Reads the frame that `state` was written to, as the handler has left it. @returns null if it is none */
  pop(cpu: Cpu, thread: Thread, state: HandlerState): HandlerState | null;
}

/** The flow that a thread begins with, whatever engine executes it: the one that runs its signal handlers, forks and execs. */
export abstract class ThreadContext extends UserContext {
  readonly thread: Thread;

  constructor(contexts: ContextTable, cpu: Cpu, thread: Thread) {
    super(contexts, cpu, thread);
    this.thread = thread;
  }

  override get program(): ThreadContext {
    return this;
  }

  /** The flow of a thread that this one has made by fork or clone; it goes on in, or begins with, what the call said. */
  abstract child(cpu: Cpu, thread: Thread): ThreadContext;

  /**
   * The flow goes on in a signal handler; `leaveHandler` takes it back to where it was.
   * @returns 0, or a negative errno if the handler's frame does not fit on the stack
   */
  abstract enterHandler(cpu: Cpu, handler: UserHandler, signal: number, value: number, state: HandlerState): number;

  /** rt_sigreturn. @returns what the frame of the handler has kept; null if there is none */
  abstract leaveHandler(cpu: Cpu): HandlerState | null;
}
