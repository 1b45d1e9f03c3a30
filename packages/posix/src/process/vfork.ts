import type { Cpu } from '@rpal/hw-x86';
import { type Call, type Main, ProgramBase, type Thread } from '@rpal/kernel';
import { type Scheduler, TaskState, type WaitTarget } from '@rpal/sched';
import { Errno, LinuxCall } from '@rpal/uapi';
import { begin, type Operation, Pending } from '@rpal/vfs';
import type { Calls } from '../calls.js';

const CHILD: WaitTarget = { describe: () => 'the child of vfork to end or to exec' };

/** The parent of a vfork waits until the child no longer uses its memory; only a signal that kills ends that early. */
class VforkWait implements Operation {
  readonly #thread: Thread;
  readonly #pid: number;
  done = false;

  constructor(thread: Thread, pid: number) {
    this.#thread = thread;
    this.#pid = pid;
  }

  /** The child has let go of its memory. */
  complete(scheduler: Scheduler, cpu: Cpu): void {
    this.done = true;
    scheduler.wakeUp(cpu, this.#thread, TaskState.UNINTERRUPTIBLE);
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    thread.state = TaskState.RUNNING;
    if (this.done) return this.#pid;
    if (thread.killPending) return -Errno.EINTR;
    thread.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, CHILD);
    return Pending.SLEEP;
  }
}

/** Parents that wait for what they have made by vfork, or clone with CLONE_VFORK, to let go of their memory. */
export class VforkWaits {
  readonly #scheduler: Scheduler;
  readonly #waiting = new WeakMap<Thread, VforkWait>();

  constructor({ kernel, hooks, plugin }: Calls) {
    this.#scheduler = kernel.scheduler;
    hooks.kernelMemoryRelease.tap(plugin, (cpu, thread) => {
      this.#waiting.get(thread)?.complete(this.#scheduler, cpu);
      this.#waiting.delete(thread);
    });
  }

  /** The caller waits for `child`. @returns what stands for the result of the call, which is to be `child`'s id */
  wait(cpu: Cpu, thread: Thread, child: Thread): number {
    const wait = new VforkWait(thread, child.pid);
    this.#waiting.set(child, wait);
    return begin(cpu, thread, wait);
  }
}

/** vfork for programs of the host. @public for programs: `Program` has it once the plugin's module is loaded */
export class VforkCalls extends ProgramBase {
  /** As `fork`; the parent goes on when the child has ended or called exec. */
  vfork(child: Main): Call {
    this.context.childMain = child;
    return this.syscall(LinuxCall.vfork);
  }
}
