/** Seconds, milliseconds and microseconds in nanoseconds, as `sleep` takes them. */
export const Time = { us: 1e3, ms: 1e6, s: 1e9 } as const;
