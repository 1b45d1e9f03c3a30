import type { Cpu } from '@rpal/hw-x86';
import type { MmapLock } from '@rpal/mm';
import { type Task, TaskState, type WaitTarget, type Waker } from '@rpal/sched';
import { begin, type Operation, Pending } from '@rpal/vfs';
import type { SyscallHandler } from '../dispatch/syscall-table.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import { whenOver } from './when-over.js';

/** What a task sleeps for that waits for the lock of an address space. */
class LockToCome implements WaitTarget {
  readonly #lock: MmapLock;
  readonly #site: string;

  constructor(lock: MmapLock, site: string) {
    this.#lock = lock;
    this.#site = site;
  }

  get owner(): object | null {
    return this.#lock.holder;
  }

  describe(): string {
    const { name, holder } = this.#lock;
    const what = this.#site === '' ? name : `${name} in ${this.#site}`;
    return holder === null ? what : `${what}, held by task ${holder.pid} (${holder.name})`;
  }
}

/**
 * Can `task` take the lock of an address space? If somebody else keeps it, the task is about to sleep until it is given back.
 * @param site for reports: where it is wanted, if the system call does not say it
 * @returns true if it can; else the caller calls `schedule()` and then tries again
 */
export function awaitMmapLock(cpu: Cpu, waker: Waker, task: Task, lock: MmapLock, site: string = ''): boolean {
  if (lock.holder === null || lock.holder === task) return true;
  lock.onRelease((on) => waker.wakeUp(on, task));
  task.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, new LockToCome(lock, site));
  return false;
}

/** `call` under the lock of the thread's address space, which is kept if the call is pending. A thread that has it already has it throughout. */
function underLock(cpu: Cpu, thread: Thread, registers: UserContext, call: SyscallHandler): number {
  const { mmapLock } = thread.memory;
  if (mmapLock.holder !== null) return call(cpu, thread, registers);
  mmapLock.take(cpu, '');
  const result = call(cpu, thread, registers);
  if (result > Pending.AGAIN) {
    mmapLock.release(cpu);
    return result;
  }
  mmapLock.holder = thread;
  return whenOver(cpu, thread, result, (on, outcome) => {
    mmapLock.release(on);
    return outcome;
  });
}

/** A call that has found the lock of its address space taken. */
class LockedCall implements Operation {
  readonly #waker: Waker;
  readonly #thread: Thread;
  readonly #registers: UserContext;
  readonly #call: SyscallHandler;
  /** What the call goes on with once it has begun. */
  #rest: Operation | null = null;

  constructor(waker: Waker, thread: Thread, registers: UserContext, call: SyscallHandler) {
    this.#waker = waker;
    this.#thread = thread;
    this.#registers = registers;
    this.#call = call;
  }

  step(cpu: Cpu): number {
    if (this.#rest !== null) return this.#rest.step(cpu);
    const thread = this.#thread;
    if (!awaitMmapLock(cpu, this.#waker, thread, thread.memory.mmapLock)) return Pending.SLEEP;
    // Whoever has the last word about this call has put its own operation there, and keeps it.
    const outer = thread.operation;
    const result = underLock(cpu, thread, this.#registers, this.#call);
    if (result <= Pending.AGAIN) {
      this.#rest = thread.operation;
      thread.operation = outer;
    }
    return result;
  }
}

/** A call on the address space of the thread that makes it, under its lock. */
export function underMmapLock(waker: Waker, call: SyscallHandler): SyscallHandler {
  return (cpu, thread, registers) => {
    const { holder } = thread.memory.mmapLock;
    if (holder === null || holder === thread) return underLock(cpu, thread, registers, call);
    return begin(cpu, thread, new LockedCall(waker, thread, registers, call));
  };
}
