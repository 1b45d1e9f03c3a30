/**
 * Why the kernel was entered from user mode. COMPAT: a system call by SYSENTER, or by SYSCALL of 32-bit code, which have entry code of their
 * own. INT80: one by INT 0x80, which enters as exceptions do.
 */
export const EntryKind = { SYSCALL: 0, EXCEPTION: 1, INTERRUPT: 2, NMI: 3, COMPAT: 4, INT80: 5 } as const;
