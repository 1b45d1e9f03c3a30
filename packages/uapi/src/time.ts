/** Clocks (include/uapi/linux/time.h). */
export const Clock = {
  REALTIME: 0,
  MONOTONIC: 1,
  PROCESS_CPUTIME_ID: 2,
  THREAD_CPUTIME_ID: 3,
  MONOTONIC_RAW: 4,
  REALTIME_COARSE: 5,
  MONOTONIC_COARSE: 6,
  BOOTTIME: 7,
  REALTIME_ALARM: 8,
  BOOTTIME_ALARM: 9,
  TAI: 11,
} as const;

/** Timers of these may wake a computer that is suspended. @param clock of `Clock` */
export function isAlarmClock(clock: number): boolean {
  return clock === Clock.REALTIME_ALARM || clock === Clock.BOOTTIME_ALARM;
}

/** The time of clock_nanosleep and timer_settime is a moment, not a duration. */
export const TIMER_ABSTIME = 1;

/** Timers of setitimer. */
export const Itimer = { REAL: 0, VIRTUAL: 1, PROF: 2 } as const;

/** What happens when a timer of timer_create expires (include/uapi/asm-generic/siginfo.h). */
export const SigEvent = { SIGNAL: 0, NONE: 1, THREAD: 2, THREAD_ID: 4 } as const;
