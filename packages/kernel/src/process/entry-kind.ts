/** Why the kernel was entered from user mode. COMPAT: a 32-bit system call, which has entry code of its own. */
export const EntryKind = { SYSCALL: 0, EXCEPTION: 1, INTERRUPT: 2, NMI: 3, COMPAT: 4 } as const;
