/** Keys, flags and commands of System V IPC. */
export const Ipc = { PRIVATE: 0, CREAT: 0o1000, EXCL: 0o2000, NOWAIT: 0o4000, RMID: 0, SET: 1, STAT: 2 } as const;

/** Flags and commands of System V shared memory. */
export const Shm = { RDONLY: 0o10000, RND: 0o20000, REMAP: 0o40000, EXEC: 0o100000, LOCK: 11, UNLOCK: 12 } as const;
