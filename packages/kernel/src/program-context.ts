import type { Cpu } from '@rpal/hw-x86';
import type { CpuSet } from '@rpal/sched';
import type { Main } from './image.js';
import type { Kernel } from './kernel.js';
import { Program } from './program.js';
import { SyscallNumber } from './syscall-numbers.js';
import type { Thread } from './thread.js';
import { UserContext } from './user-context.js';

/** The user-mode side of a program written as a generator. */
export class ProgramContext extends UserContext {
  readonly thread: Thread;
  readonly #generator: Generator<void, number | void>;
  /** What the end of the program calls: exit_group, or exit in a thread that is not the first. */
  readonly exitCall: number;
  #ended = false;
  /** Arguments that stand for memory the model does not lay out: an affinity mask, the code of a new thread. */
  affinity: CpuSet | readonly number[] = [];
  childMain: Main;

  constructor(kernel: Kernel, cpu: Cpu, thread: Thread, main: Main) {
    super(kernel, cpu);
    this.thread = thread;
    this.exitCall = thread === thread.process.leader ? SyscallNumber.exit_group : SyscallNumber.exit;
    this.childMain = main;
    this.rip = thread.process.textStart;
    this.rsp = thread.process.stackTop - 0x1000;
    this.#generator = main(new Program(this));
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    if (!this.#ended) {
      const { done, value } = this.#generator.next();
      if (done !== true) return;
      this.#ended = true;
      this.nr = this.exitCall;
      this.a0 = value ?? 0;
    }
    this.kernel.syscall(cpu, this);
  }
}
