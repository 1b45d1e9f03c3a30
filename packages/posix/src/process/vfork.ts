import type { Cpu } from '@rpal/hw-x86';
import { type Call, type Main, type Process, ProgramBase, type Syscall, type Thread } from '@rpal/kernel';
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

/** vfork(2). */
export function defineVfork(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const waiting = new WeakMap<Process, VforkWait>();
  const { handler: fork } = kernel.syscalls.get(LinuxCall.fork) as Syscall;

  calls.define(
    'vfork',
    (cpu, thread, registers) => {
      const pid = fork(cpu, thread, registers);
      const child = pid < 0 ? undefined : kernel.processes.get(pid);
      if (child === undefined) return pid;
      const wait = new VforkWait(thread, pid);
      waiting.set(child, wait);
      return begin(cpu, thread, wait);
    },
    { missing: 'the child has a copy of the memory: what it writes there the parent does not see' },
  );

  hooks.kernelMemoryRelease.tap(plugin, (cpu, { process }) => {
    waiting.get(process)?.complete(kernel.scheduler, cpu);
    waiting.delete(process);
  });
}

/** vfork for programs of the host. @public for programs: `Program` has it once the plugin's module is loaded */
export class VforkCalls extends ProgramBase {
  /** As `fork`; the parent goes on when the child has ended or called exec. */
  vfork(child: Main): Call {
    this.context.childMain = child;
    return this.syscall(LinuxCall.vfork);
  }
}
