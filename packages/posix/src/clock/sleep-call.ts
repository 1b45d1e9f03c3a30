import type { Cpu } from '@rpal/hw-x86';
import { FOREVER, KernelStep, type RestartBlock, type SyscallHandler, type Thread } from '@rpal/kernel';
import { type Scheduler, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Clock, Errno, TIMER_ABSTIME } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { getTime, putTime, Unit } from '../user-memory.js';

/** Clocks that one can sleep by. */
const SLEEPING: ReadonlySet<number> = new Set([Clock.REALTIME, Clock.MONOTONIC, Clock.BOOTTIME, Clock.TAI]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(Clock));

/** Clocks of devices, among negative ids; the others are of CPU time. */
const DYNAMIC = 3;
const DYNAMIC_MASK = 7;

/** A sleep that tells how much of it was left. After a stop it goes on until the same time; a handler ends it. */
class Sleep implements RestartBlock {
  readonly #thread: Thread;
  readonly #timer: SleepTimer;
  readonly #absolute: boolean;
  readonly #left: number;
  #expired = false;

  /** @param left where a relative sleep that a signal ends tells what is left; 0: nowhere */
  constructor(scheduler: Scheduler, cpu: Cpu, thread: Thread, ns: number, absolute: boolean, left: number) {
    this.#thread = thread;
    this.#absolute = absolute;
    this.#left = left;
    this.#timer = new SleepTimer(scheduler, (on) => {
      this.#expired = true;
      scheduler.wakeUp(on, thread);
    });
    this.#timer.start(cpu, ns, sleepSlack(thread));
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    if (this.#expired) return 0;
    if (!thread.signalPending) {
      thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this.#timer);
      return Pending.SLEEP;
    }
    if (this.#absolute) {
      // It is made again with the same time.
      this.#timer.stop();
      return -Errno.ERESTARTNOHAND;
    }
    const rest = Math.max(0, this.#timer.soft - cpu.clock) / cpu.costs.tscPerNs;
    const failed = this.#left === 0 ? 0 : putTime(cpu, thread, this.#left, rest, Unit.TIMESPEC);
    if (failed < 0) {
      this.#timer.stop();
      return failed;
    }
    thread.restartBlock = this;
    return -Errno.ERESTART_RESTARTBLOCK;
  }

  abandon(): void {
    this.#timer.stop();
  }
}

/** clock_nanosleep, and what nanosleep says of the rest. */
export function defineSleepCalls(calls: Calls): void {
  const { scheduler } = calls.kernel;

  calls.define(
    'clock_nanosleep',
    (cpu, thread, { a0, a1, a2, a3 }) => {
      cpu.charge(KernelStep.nanosleep);
      const id = a0 | 0;
      const isCpuClock = id < 0 && (id & DYNAMIC_MASK) !== DYNAMIC;
      if ((!KNOWN.has(id) && !isCpuClock) || id === Clock.REALTIME_ALARM || id === Clock.BOOTTIME_ALARM) return -Errno.EINVAL;
      if (!SLEEPING.has(id) && !isCpuClock) return -Errno.EOPNOTSUPP;
      const time = getTime(cpu, thread, a2, Unit.TIMESPEC);
      if (time < 0) return time;
      if (isCpuClock) return -Errno.EINVAL;
      const absolute = (a1 & TIMER_ABSTIME) !== 0;
      const ns = absolute ? Math.max(0, time - nowOf(cpu)) : time;
      return begin(cpu, thread, new Sleep(scheduler, cpu, thread, ns, absolute, absolute ? 0 : a3));
    },
    { missing: 'clocks of CPU time' },
  );

  calls.extend(
    'nanosleep',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        if (registers.a1 === 0) return inner(cpu, thread, registers);
        cpu.charge(KernelStep.nanosleep);
        const ns = registers.args.timespec(cpu, thread, registers.a0);
        if (!(ns >= 0)) return ns === FOREVER ? -Errno.EFAULT : ns;
        return begin(cpu, thread, new Sleep(scheduler, cpu, thread, ns, false, registers.a1));
      },
  );
}
