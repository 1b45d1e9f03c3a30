import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Process } from '@rpal/kernel';
import { Errno, Itimer, Signal } from '@rpal/uapi';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { getSetting, putSetting, type TimerSetting, Unit } from '../user-memory.js';
import { processTime } from './clocks.js';
import { ClockTimer } from './cpu-timer.js';

const SIGNALS = { [Itimer.REAL]: Signal.ALRM, [Itimer.VIRTUAL]: 26, [Itimer.PROF]: 27 } as const;
const NS = 1e9;
const OFF: TimerSetting = { value: 0, interval: 0 };

/** The three interval timers of a process. They outlive exec, and are not inherited. */
class IntervalTimers {
  readonly #timers: readonly ClockTimer[];

  constructor(kernel: Kernel, process: Process) {
    const threads = (): number => process.threads.length;
    const timer = (which: keyof typeof SIGNALS, read: (cpu: Cpu) => number, counted: () => number): ClockTimer =>
      new ClockTimer(kernel.scheduler, read, counted, (cpu) => {
        if (process.exit === null) kernel.signals.sendToProcess(cpu, process, SIGNALS[which]);
      });
    this.#timers = [
      timer(Itimer.REAL, nowOf, () => 0),
      timer(Itimer.VIRTUAL, (cpu) => processTime(kernel, cpu, process).user, threads),
      timer(Itimer.PROF, (cpu) => processTime(kernel, cpu, process).total, threads),
    ];
  }

  get(cpu: Cpu, which: number): TimerSetting {
    const timer = this.#timers[which] as ClockTimer;
    return timer.armed ? { value: timer.left(cpu), interval: timer.interval } : { value: 0, interval: timer.interval };
  }

  set(cpu: Cpu, which: number, { value, interval }: TimerSetting): void {
    const timer = this.#timers[which] as ClockTimer;
    timer.stop();
    timer.interval = interval;
    if (value > 0) timer.start(cpu, timer.read(cpu) + value, interval);
  }

  stop(): void {
    for (const timer of this.#timers) timer.stop();
  }
}

/** setitimer, getitimer and alarm. */
export function defineItimerCalls(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const all = new WeakMap<Process, IntervalTimers>();
  const of = (process: Process): IntervalTimers => {
    let timers = all.get(process);
    if (timers === undefined) {
      timers = new IntervalTimers(kernel, process);
      all.set(process, timers);
    }
    return timers;
  };
  const isTimer = (which: number): boolean => which >= Itimer.REAL && which <= Itimer.PROF;

  calls.define('getitimer', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.structure);
    if (!isTimer(a0 | 0)) return -Errno.EINVAL;
    return putSetting(cpu, thread, a1, of(thread.process).get(cpu, a0 | 0), Unit.TIMEVAL);
  });

  calls.define('setitimer', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.timerSet);
    // Without a new setting the timer is stopped.
    const wanted = a1 === 0 ? OFF : getSetting(cpu, thread, a1, Unit.TIMEVAL);
    if (typeof wanted === 'number') return wanted;
    if (!isTimer(a0 | 0)) return -Errno.EINVAL;
    const timers = of(thread.process);
    const before = timers.get(cpu, a0 | 0);
    timers.set(cpu, a0 | 0, wanted);
    return a2 === 0 ? 0 : putSetting(cpu, thread, a2, before, Unit.TIMEVAL);
  });

  calls.define('alarm', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.timerSet);
    const timers = of(thread.process);
    const { value } = timers.get(cpu, Itimer.REAL);
    timers.set(cpu, Itimer.REAL, { value: (a0 >>> 0) * NS, interval: 0 });
    const seconds = Math.floor(value / NS);
    const rest = value % NS;
    // Never 0 for a timer that ran. It is an unsigned int.
    return (seconds + ((seconds === 0 && rest > 0) || rest >= NS / 2 ? 1 : 0)) >>> 0;
  });

  hooks.kernelThreadExit.tap(plugin, (_cpu, { process }, last) => {
    if (last) all.get(process)?.stop();
  });
}
