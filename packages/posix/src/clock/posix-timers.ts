import type { Cpu } from '@rpal/hw-x86';
import { hasSignal, type Kernel, type Process, type SyscallHandler, type Thread, UserBuffer } from '@rpal/kernel';
import { Clock, Errno, isAlarmClock, Rlimit, SigEvent, Signal, SignalCode, TIMER_ABSTIME } from '@rpal/uapi';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { getSetting, putSetting, Unit } from '../user-memory.js';
import { processTime, threadTime } from './clocks.js';
import { ClockTimer, type Reading } from './cpu-timer.js';

/** Bytes of `struct sigevent`. */
const SIGEVENT = 64;
/** Timers of these clocks cannot be made, though there are the clocks. */
const UNTIMED: ReadonlySet<number> = new Set([Clock.MONOTONIC_RAW, Clock.REALTIME_COARSE, Clock.MONOTONIC_COARSE]);
const TIMED: ReadonlySet<number> = new Set([Clock.REALTIME, Clock.MONOTONIC, Clock.BOOTTIME, Clock.TAI]);

/** What an expiry does: a signal to the process, or to one of its threads. */
interface Event {
  readonly notify: number;
  readonly signal: number;
  readonly value: number;
  readonly valueHigh: number;
  readonly thread: Thread | null;
}

/** A timer of timer_create. */
class PosixTimer {
  readonly clock: ClockTimer;
  readonly #event: Event;
  readonly #process: Process;
  /** Expiries while the signal of an earlier one was still pending, and those that went with the signal before. */
  #overruns = 0;
  #before = 0;

  /** @param id what timer_create has given */
  constructor(kernel: Kernel, process: Process, id: number, event: Event, read: Reading, threads: () => number) {
    this.#process = process;
    this.#event = event;
    this.clock = new ClockTimer(kernel.scheduler, read, threads, (cpu, periods) => {
      const { notify, signal, value, valueHigh, thread } = event;
      if (notify === SigEvent.NONE || process.exit !== null) return;
      if (this.#pending) {
        this.#overruns += periods;
        return;
      }
      this.#before = this.#overruns;
      this.#overruns = periods - 1;
      const origin = { code: SignalCode.TIMER, pid: id, uid: this.#overruns, value, valueHigh };
      if (thread === null) kernel.signals.sendToProcess(cpu, process, signal, origin);
      else if (process.threads.includes(thread)) kernel.signals.send(cpu, thread, signal, origin);
    });
  }

  get #pending(): boolean {
    const { signal, thread } = this.#event;
    return hasSignal(thread?.pending ?? this.#process.pending, signal);
  }

  /** Expiries that went with the signal that was taken last. */
  get overruns(): number {
    return this.#pending ? this.#before : this.#overruns;
  }
}

interface Timers {
  readonly byId: Map<number, PosixTimer>;
  next: number;
}

/** timer_create and what one does with such timers. They are not inherited, and go with exec. */
export function definePosixTimers(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const all = new WeakMap<Process, Timers>();
  const buffer = new UserBuffer(SIGEVENT);
  const drop = (process: Process): void => {
    for (const timer of all.get(process)?.byId.values() ?? []) timer.clock.stop();
    all.delete(process);
  };

  calls.define(
    'timer_create',
    (cpu, thread, { a0, a1, a2 }) => {
      cpu.charge(PosixStep.timerSet);
      const { process } = thread;
      const timers = all.get(process) ?? { byId: new Map<number, PosixTimer>(), next: 0 };
      let event: Event = { notify: SigEvent.SIGNAL, signal: Signal.ALRM, value: timers.next, valueHigh: 0, thread: null };
      let tid = 0;
      if (a1 !== 0) {
        if (buffer.load(cpu, thread, a1, SIGEVENT) < 0) return -Errno.EFAULT;
        event = { value: buffer.i32(0), valueHigh: buffer.i32(4), signal: buffer.i32(8), notify: buffer.i32(12), thread: null };
        tid = buffer.i32(16);
      }
      const id = a0 | 0;
      // What only the clock itself can refuse, it refuses last.
      const ofOthers = id < 0 && (id & 7) !== 3;
      const late = isAlarmClock(id) ? -Errno.EOPNOTSUPP : ofOthers ? -Errno.EINVAL : 0;
      let read: Reading = nowOf;
      let threads = (): number => 0;
      if (id === Clock.PROCESS_CPUTIME_ID || id === ~0 << 3 || id === ((~0 << 3) | 2)) {
        read = (on) => processTime(kernel, on, process).total;
        threads = () => process.threads.length;
      } else if (id === Clock.THREAD_CPUTIME_ID || id === ((~0 << 3) | 6)) {
        read = (on) => threadTime(kernel, on, thread);
        threads = () => 1;
      } else if (!TIMED.has(id) && late === 0) {
        return UNTIMED.has(id) ? -Errno.EOPNOTSUPP : -Errno.EINVAL;
      }
      if (timers.byId.size >= process.limits.of(Rlimit.SIGPENDING)) return -Errno.EAGAIN;
      // It has a number from here on, which is used up even if it is refused.
      all.set(process, timers);
      const number = timers.next++;
      if (event.notify === (SigEvent.SIGNAL | SigEvent.THREAD_ID)) {
        const target = process.threads.find(({ pid }) => pid === tid);
        if (target === undefined) return -Errno.EINVAL;
        event = { ...event, thread: target };
      } else if (event.notify !== SigEvent.SIGNAL && event.notify !== SigEvent.NONE && event.notify !== SigEvent.THREAD) {
        return -Errno.EINVAL;
      }
      if (event.notify !== SigEvent.NONE && (event.signal <= 0 || event.signal > Signal.RTMAX)) return -Errno.EINVAL;
      if (buffer.set32(0, number).copy(cpu, thread, a2, 4) < 0) return -Errno.EFAULT;
      if (late < 0 && read === nowOf) return late;
      timers.byId.set(number, new PosixTimer(kernel, process, number, event, read, threads));
      return 0;
    },
    { missing: 'clocks of CPU time of other threads and processes; of two timers with one signal, overruns are counted for both' },
  );

  const onTimer =
    (call: (cpu: Cpu, thread: Thread, timer: PosixTimer, registers: Parameters<SyscallHandler>[2]) => number): SyscallHandler =>
    (cpu, thread, registers) => {
      cpu.charge(PosixStep.timerSet);
      const timer = all.get(thread.process)?.byId.get(registers.a0 | 0);
      return timer === undefined ? -Errno.EINVAL : call(cpu, thread, timer, registers);
    };

  calls.define('timer_settime', (cpu, thread, registers) => {
    const { a1, a2, a3 } = registers;
    if (a2 === 0) return -Errno.EINVAL;
    const wanted = getSetting(cpu, thread, a2, Unit.TIMESPEC);
    if (typeof wanted === 'number') return wanted;
    return onTimer((on, caller, { clock }) => {
      const before = { value: clock.left(on), interval: clock.interval };
      const { value, interval } = wanted;
      clock.stop();
      clock.interval = interval;
      if (value > 0) clock.start(on, (a1 & TIMER_ABSTIME) !== 0 ? value : clock.read(on) + value, interval);
      return a3 === 0 ? 0 : putSetting(on, caller, a3, before, Unit.TIMESPEC);
    })(cpu, thread, registers);
  });

  calls.define(
    'timer_gettime',
    onTimer((cpu, thread, { clock }, { a1 }) =>
      putSetting(cpu, thread, a1, { value: clock.left(cpu), interval: clock.interval }, Unit.TIMESPEC),
    ),
  );

  calls.define(
    'timer_getoverrun',
    onTimer((_cpu, _thread, timer) => timer.overruns),
  );

  calls.define(
    'timer_delete',
    onTimer((_cpu, thread, { clock }, { a0 }) => {
      clock.stop();
      all.get(thread.process)?.byId.delete(a0 | 0);
      return 0;
    }),
  );

  hooks.kernelThreadExit.tap(plugin, (_cpu, { process }, last) => {
    if (last) drop(process);
  });
  hooks.kernelExec.tap(plugin, (_cpu, { process }) => drop(process));
}
