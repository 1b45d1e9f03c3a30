import { Clock, Errno } from '@rpal/uapi';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { getLong, getTime, putLong, putTime, Unit } from '../user-memory.js';
import { readClock } from './clocks.js';

const NO_SETTING = 'the clocks cannot be set: EPERM, as without CAP_SYS_TIME';

/** Reading the clocks. */
export function defineClockCalls(calls: Calls): void {
  const { kernel } = calls;

  calls.define('clock_gettime', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.clockRead);
    const clock = readClock(kernel, cpu, thread, a0 | 0);
    return typeof clock === 'number' ? clock : putTime(cpu, thread, a1, clock.now, Unit.TIMESPEC);
  });

  calls.define('clock_getres', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.clockRead);
    const clock = readClock(kernel, cpu, thread, a0 | 0);
    if (typeof clock === 'number') return clock;
    return a1 === 0 ? 0 : putTime(cpu, thread, a1, clock.resolution, Unit.TIMESPEC);
  });

  // Only the real-time clock can be set at all; CPU clocks of others say EPERM to everybody.
  calls.define(
    'clock_settime',
    (cpu, thread, { a0, a1 }) => {
      cpu.charge(PosixStep.clockRead);
      const id = a0 | 0;
      if (id > Clock.REALTIME) return -Errno.EINVAL;
      const wanted = getTime(cpu, thread, a1, Unit.TIMESPEC);
      if (wanted === -Errno.EFAULT) return wanted;
      if (id < 0 && typeof readClock(kernel, cpu, thread, id) === 'number') return -Errno.EINVAL;
      if (id !== Clock.REALTIME) return -Errno.EPERM;
      return wanted < 0 ? wanted : settable(wanted);
    },
    { missing: NO_SETTING },
  );

  calls.define('gettimeofday', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.timeOfDay);
    const failed = a0 === 0 ? 0 : putTime(cpu, thread, a0, nowOf(cpu), Unit.TIMEVAL);
    // The time zone is Greenwich.
    return failed < 0 || a1 === 0 ? failed : putLong(cpu, thread, a1, 0);
  });

  calls.define(
    'settimeofday',
    (cpu, thread, { a0, a1 }) => {
      cpu.charge(PosixStep.clockRead);
      const wanted = a0 === 0 ? 0 : getTime(cpu, thread, a0, Unit.TIMEVAL);
      // How many microseconds there are is looked at before the time zone, the seconds after it.
      if (wanted === -Errno.EINVAL && getLong(cpu, thread, a0 + 8) >= 1e6) return wanted;
      if (wanted === -Errno.EFAULT || (a1 !== 0 && getLong(cpu, thread, a1) === -Errno.EFAULT)) return -Errno.EFAULT;
      return wanted < 0 ? wanted : settable(wanted);
    },
    { missing: NO_SETTING },
  );

  calls.define('time', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.seconds);
    const seconds = Math.floor(nowOf(cpu) / 1e9);
    const failed = a0 === 0 ? 0 : putLong(cpu, thread, a0, seconds);
    return failed < 0 ? failed : seconds;
  });
}

/** The latest time that the clock could be set to (TIME_SETTOD_SEC_MAX), seconds: it is to go on for thirty years then. */
const LATEST = 9_223_372_036 - 30 * 365 * 24 * 3600;

/** What a clock says that somebody sets to a valid time. */
function settable(ns: number): number {
  return ns / 1e9 >= LATEST ? -Errno.EINVAL : -Errno.EPERM;
}
