/** Signal numbers on x86-64. */
export const Signal = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  SYS: 31,
} as const;

/** `si_code` of SIGSEGV and SIGBUS. */
export const SignalCode = { SEGV_MAPERR: 1, SEGV_ACCERR: 2, SEGV_PKUERR: 4, BUS_ADRERR: 2, KERNEL: 0x80, USER: 0 } as const;
