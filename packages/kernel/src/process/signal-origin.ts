import { SignalCode } from '@rpal/uapi';

/** How a signal came and from whom: what its `siginfo_t` says beside its number (Linux: `struct kernel_siginfo`). */
export interface SignalOrigin {
  /** `si_code`. */
  readonly code: number;
  /** `si_pid` and `si_uid`: of the sender; of a timer, its id and overruns. */
  readonly pid: number;
  readonly uid: number;
  /** `si_value`, as a 32-bit integer; of SIGCHLD, `si_status`. */
  readonly value: number;
  /** The upper word of `si_value`, if it is a pointer. */
  readonly valueHigh: number;
}

/** A signal that the kernel sends of its own accord (Linux: `SEND_SIG_PRIV`). */
export const FROM_KERNEL: SignalOrigin = { code: SignalCode.KERNEL, pid: 0, uid: 0, value: 0, valueHigh: 0 };

/** A signal that is pending and for which there was no room in the queues: nothing more is known of it. */
export const NOT_QUEUED: SignalOrigin = { code: SignalCode.USER, pid: 0, uid: 0, value: 0, valueHigh: 0 };

/** A signal that a process sends. @param sender as `Process.credentials` has it @param code `si_code`: by kill, if it is left out */
export function sentBy(
  { pid, uid }: { readonly pid: number; readonly uid: number },
  code: number = SignalCode.USER,
  value = 0,
  valueHigh = 0,
): SignalOrigin {
  return { code, pid, uid, value, valueHigh };
}
