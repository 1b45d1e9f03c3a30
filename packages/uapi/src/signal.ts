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
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  WINCH: 28,
  SYS: 31,
  /** First and last real-time signal, as the kernel counts; libc keeps the first two to itself. */
  RTMIN: 32,
  RTMAX: 64,
} as const;

/** `si_code` of SIGSEGV and SIGBUS. */
export const SignalCode = {
  ILL_ILLOPN: 2,
  FPE_INTDIV: 1,
  SEGV_MAPERR: 1,
  SEGV_ACCERR: 2,
  SEGV_PKUERR: 4,
  BUS_ADRERR: 2,
  KERNEL: 0x80,
  USER: 0,
  QUEUE: -1,
  TIMER: -2,
  MESGQ: -3,
  TKILL: -6,
  CLD_EXITED: 1,
  CLD_KILLED: 2,
  CLD_DUMPED: 3,
  CLD_STOPPED: 5,
  CLD_CONTINUED: 6,
} as const;

const signalNames = new Map<number, string>(Object.entries(Signal).map(([name, number]) => [number, `SIG${name}`]));

/** `SIGSEGV` for 11; `SIGRTMIN+2` for a real-time signal; `signal 16` for a number without a name. */
export function signalName(signal: number): string {
  const name = signalNames.get(signal);
  if (name !== undefined) return name;
  return signal > Signal.RTMIN && signal < Signal.RTMAX ? `SIGRTMIN+${signal - Signal.RTMIN}` : `signal ${signal}`;
}

/** `SEGV_MAPERR` for SIGSEGV and 1: the name of the `si_code` that came with a signal; `code 7` for one without a name. */
export function signalCodeName(signal: number, code: number): string {
  if (code === SignalCode.USER) return 'SI_USER';
  if (code === SignalCode.KERNEL) return 'SI_KERNEL';
  const family = `${signalName(signal).slice('SIG'.length)}_`;
  const found = Object.entries(SignalCode).find(([name, value]) => name.startsWith(family) && value === code);
  return found?.[0] ?? `code ${code}`;
}

/** Flags of sigaction. As 32-bit signed numbers, like all masks in the model. */
export const SignalFlag = { NOCLDSTOP: 1, NOCLDWAIT: 2, RESTART: 0x1000_0000, NODEFER: 0x4000_0000, RESETHAND: 0x8000_0000 | 0 } as const;

/** Options of wait4 and waitid; WSTOPPED is WUNTRACED. */
export const WaitOption = {
  NOHANG: 1,
  UNTRACED: 2,
  EXITED: 4,
  CONTINUED: 8,
  NOWAIT: 0x0100_0000,
  NOTHREAD: 0x2000_0000,
  ALL: 0x4000_0000,
  CLONE: 0x8000_0000 | 0,
} as const;

/** What sigprocmask does with its mask. */
export const SignalMask = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;
