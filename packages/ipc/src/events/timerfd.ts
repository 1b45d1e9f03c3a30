import type { Cpu } from '@rpal/hw-x86';
import { type Handover, type Scheduler, SleepTimer, WaitQueue } from '@rpal/sched';
import { Clock, Errno, isAlarmClock, OpenFlag, Poll, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } from '@rpal/uapi';
import { begin, type Caller, File, Pending, type PollTable, putValue, RetryOperation, VfsStep, Waiter } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** A timerfd on the monotonic clock (fs/timerfd.c). Times in nanoseconds. */
export class TimerFd extends File {
  readonly scheduler: Scheduler;
  readonly wait: WaitQueue = new WaitQueue('timerfd');
  readonly #timer: SleepTimer;
  readonly handover: Handover;
  /** Expirations that have not been read. */
  ticks = 0;
  #interval = 0;
  /** It may wake a computer that is suspended. */
  readonly isAlarm: boolean;
  /** When it is due next, or was due last; 0: it is not armed. */
  #due = 0;
  /** It has expired, and a period goes on only when somebody looks. */
  #expired = false;

  /** @param clock of `Clock`: all show the same time */
  constructor(scheduler: Scheduler, flags: number, clock: number = Clock.MONOTONIC) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.isAlarm = isAlarmClock(clock);
    this.scheduler = scheduler;
    this.handover = scheduler.handovers.open('timerfd');
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.ticks++;
      this.#expired = true;
      this.handover.put(cpu, 8);
      this.wait.wakeOne(cpu, Poll.IN);
    });
  }

  /** timerfd_settime: first expiration (0 disarms) and period (0: none). */
  set(cpu: Cpu, value: number, interval: number, flags: number): number {
    if (!(value >= 0) || !(interval >= 0) || (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -Errno.EINVAL;
    const now = nanoseconds(cpu);
    this.#timer.stop();
    this.ticks = 0;
    this.#expired = false;
    this.#interval = interval;
    this.#due = value === 0 ? 0 : (flags & TFD_TIMER_ABSTIME) !== 0 ? value : now + value;
    if (value > 0) this.#timer.start(cpu, Math.max(0, this.#due - now));
    return 0;
  }

  /** Nanoseconds between expirations; 0: it expires once. */
  get period(): number {
    return this.#interval;
  }

  /** timerfd_gettime: nanoseconds until it is due; 0 if it is not armed. */
  remaining(cpu: Cpu): number {
    this.forward(cpu);
    if (this.#due === 0 || (this.#expired && this.#interval === 0)) return 0;
    return Math.max(1, this.#due - nanoseconds(cpu));
  }

  /** Counts the periods that have passed since it expired, and arms it for the next one. */
  forward(cpu: Cpu): void {
    if (!this.#expired || this.#interval === 0) return;
    const now = nanoseconds(cpu);
    const periods = Math.max(1, Math.floor((now - this.#due) / this.#interval) + 1);
    this.ticks += periods - 1;
    this.#due += periods * this.#interval;
    this.#expired = false;
    this.#timer.start(cpu, this.#due - now);
  }

  override get readsIov(): boolean {
    return true;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    cpu.charge(IpcStep.eventfdFile);
    if (length < 8) return -Errno.EINVAL;
    return begin(cpu, caller, new TimerfdRead(caller, this.scheduler, Waiter.NONEXCLUSIVE).start(this, address));
  }

  override get canWrite(): boolean {
    return false;
  }

  /** noop_llseek: stays where it is. */
  override seek(): number {
    return 0;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.filePoll);
    table?.register(cpu, this.wait);
    return this.ticks > 0 ? Poll.IN : 0;
  }

  override release(cpu: Cpu): void {
    cpu.charge(VfsStep.anonRelease);
    this.#timer.stop();
  }
}

class TimerfdRead extends RetryOperation {
  #file!: TimerFd;
  #address = 0;

  start(file: TimerFd, address: number): this {
    this.#file = file;
    this.#address = address;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#file.wait;
  }

  protected override attempt(cpu: Cpu): number {
    const file = this.#file;
    cpu.charge(IpcStep.eventfdRead);
    if (file.ticks === 0) return file.nonblocking ? -Errno.EAGAIN : Pending.NOTHING_YET;
    file.handover.take(cpu, this.caller.task, 8);
    file.forward(cpu);
    const { ticks } = file;
    file.ticks = 0;
    return putValue(cpu, this.caller, this.#address, Math.floor(ticks / 0x1_0000_0000), ticks >>> 0) < 0 ? -Errno.EFAULT : 8;
  }
}

/** The monotonic clock. */
function nanoseconds(cpu: Cpu): number {
  return Math.floor(cpu.clock / cpu.costs.tscPerNs);
}
