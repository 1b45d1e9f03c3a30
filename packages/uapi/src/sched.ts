/** Whose resource usage getrusage(2) returns (include/uapi/linux/resource.h). */
export const Rusage = { SELF: 0, CHILDREN: -1, THREAD: 1 } as const;

/** What the id of setpriority(2) stands for (include/uapi/linux/resource.h). */
export const Prio = { PROCESS: 0, PGRP: 1, USER: 2 } as const;

/** Options of prctl. */
export const Prctl = { SET_TIMERSLACK: 29, GET_TIMERSLACK: 30, SCHED_CORE: 62 } as const;

/** Commands of PR_SCHED_CORE, and what its pid stands for (include/uapi/linux/prctl.h). */
export const SchedCore = { GET: 0, CREATE: 1, SHARE_TO: 2, SHARE_FROM: 3 } as const;
export const SchedCoreScope = { THREAD: 0, THREAD_GROUP: 1, PROCESS_GROUP: 2 } as const;

/** Limits of a process (include/uapi/asm-generic/resource.h). */
export const Rlimit = {
  CPU: 0,
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  RSS: 5,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  AS: 9,
  LOCKS: 10,
  SIGPENDING: 11,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
  RTTIME: 15,
} as const;

/** How many limits there are. */
export const RLIM_NLIMITS = 16;
