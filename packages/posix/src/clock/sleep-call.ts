import type { Cpu } from '@rpal/hw-x86';
import { FOREVER, type Kernel, KernelStep, type RestartBlock, type SyscallHandler, type Thread } from '@rpal/kernel';
import { type Scheduler, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Clock, Errno, isAlarmClock, TIMER_ABSTIME } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { getTime, putTime, Unit } from '../user-memory.js';
import { readClock } from './clocks.js';
import { ClockTimer } from './cpu-timer.js';

/** Clocks that one can sleep by. */
const SLEEPING: ReadonlySet<number> = new Set([Clock.REALTIME, Clock.MONOTONIC, Clock.BOOTTIME, Clock.TAI]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(Clock));

/** Clocks of devices, among negative ids; the others are of CPU time. */
const DYNAMIC = 3;
const DYNAMIC_MASK = 7;
/** A clock of one thread, not of a process. */
const PER_THREAD = 4;

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

/** A sleep until others have used up CPU time (Linux: `do_cpu_nanosleep`). */
class CpuSleep implements RestartBlock {
  readonly #thread: Thread;
  readonly #timer: ClockTimer;
  readonly #absolute: boolean;
  readonly #left: number;
  #expired = false;

  constructor(kernel: Kernel, cpu: Cpu, thread: Thread, id: number, due: number, absolute: boolean, left: number) {
    this.#thread = thread;
    this.#absolute = absolute;
    this.#left = left;
    const read = (on: Cpu): number => {
      const clock = readClock(kernel, on, thread, id);
      // Whose time it was has ended: nobody uses it up any more.
      return typeof clock === 'number' ? 0 : clock.now;
    };
    this.#timer = new ClockTimer(
      kernel.scheduler,
      read,
      () => kernel.platform.cpus.length,
      (on) => {
        this.#expired = true;
        kernel.scheduler.wakeUp(on, thread);
      },
    );
    this.#timer.start(cpu, due, 0);
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    if (this.#expired) return 0;
    if (!thread.signalPending) {
      thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this);
      return Pending.SLEEP;
    }
    const rest = this.#timer.left(cpu);
    const failed = this.#absolute || this.#left === 0 ? 0 : putTime(cpu, thread, this.#left, rest, Unit.TIMESPEC);
    if (failed < 0 || this.#absolute) this.#timer.stop();
    if (failed < 0) return failed;
    if (this.#absolute) return -Errno.ERESTARTNOHAND;
    thread.restartBlock = this;
    return -Errno.ERESTART_RESTARTBLOCK;
  }

  abandon(): void {
    this.#timer.stop();
  }

  describe(): string {
    return 'a clock of CPU time';
  }
}

/** clock_nanosleep by a clock of CPU time. */
function sleepByCpuTime({ kernel }: Calls, cpu: Cpu, thread: Thread, id: number, time: number, flags: number, left: number): number {
  const who = ~(id >> 3);
  // Its own time a thread that sleeps would wait for in vain.
  if (id < 0 && (id & PER_THREAD) !== 0 && (who === 0 || who === thread.pid)) return -Errno.EINVAL;
  const clock = readClock(kernel, cpu, thread, id);
  if (typeof clock === 'number') return -Errno.EINVAL;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const due = absolute ? time : clock.now + time;
  if (due <= clock.now) return 0;
  return begin(cpu, thread, new CpuSleep(kernel, cpu, thread, id, due, absolute, left));
}

/** clock_nanosleep, and what nanosleep says of the rest. */
export function defineSleepCalls(calls: Calls): void {
  const { scheduler } = calls.kernel;

  calls.define('clock_nanosleep', (cpu, thread, { a0, a1, a2, a3 }) => {
    cpu.charge(KernelStep.nanosleep);
    const id = a0 | 0;
    const isCpuClock = id === Clock.PROCESS_CPUTIME_ID || (id < 0 && (id & DYNAMIC_MASK) !== DYNAMIC);
    if (!KNOWN.has(id) && !isCpuClock) return -Errno.EINVAL;
    const isAlarm = isAlarmClock(id);
    if (!SLEEPING.has(id) && !isCpuClock && !isAlarm) return -Errno.EOPNOTSUPP;
    const time = getTime(cpu, thread, a2, Unit.TIMESPEC);
    if (time < 0) return time;
    // No clock could wake a machine that is suspended.
    if (isAlarm) return -Errno.EOPNOTSUPP;
    if (isCpuClock) return sleepByCpuTime(calls, cpu, thread, id, time, a1, a3);
    const absolute = (a1 & TIMER_ABSTIME) !== 0;
    const ns = absolute ? Math.max(0, time - nowOf(cpu)) : time;
    return begin(cpu, thread, new Sleep(scheduler, cpu, thread, ns, absolute, absolute ? 0 : a3));
  });

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
