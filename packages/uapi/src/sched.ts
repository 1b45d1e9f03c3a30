/** Whose resource usage getrusage(2) returns (include/uapi/linux/resource.h). */
export const Rusage = { SELF: 0, CHILDREN: -1, THREAD: 1 } as const;

/** Whom setpriority(2) means (include/uapi/linux/resource.h). */
export const Prio = { PROCESS: 0, PGRP: 1, USER: 2 } as const;

/** Options of prctl. */
export const Prctl = { SET_TIMERSLACK: 29, GET_TIMERSLACK: 30 } as const;

/** Limits of a process that the model knows (prlimit). */
export const Rlimit = { NOFILE: 7, SIGPENDING: 11 } as const;
