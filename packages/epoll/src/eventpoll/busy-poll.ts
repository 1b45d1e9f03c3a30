import type { Cpu } from '@rpal/hw-x86';
import { getUser32, putUser32 } from '@rpal/mm';
import { EpollIoctl, Errno } from '@rpal/uapi';
import type { Caller } from '@rpal/vfs';

/** Packets per round that anybody may ask for (Linux: NAPI_POLL_WEIGHT). */
const BUDGET_MAX = 64;

/**
 * How an epoll instance polls network devices while it waits (`struct epoll_params`: 32 bits of microseconds, 16 of packets per
 * round, 8 of preference, 8 unused). Unix sockets have no device queue (no NAPI id): nothing is polled on their behalf, and the
 * parameters are only kept.
 */
export class BusyPoll {
  #microseconds = 0;
  #budgetAndPreference = 0;

  /** ioctl(2) on an epoll. @returns 0 or a negative errno: EINVAL for anything else and for bad parameters, EPERM, EFAULT */
  ioctl(cpu: Cpu, { memory, credentials }: Caller, command: number, address: number): number {
    switch (command | 0) {
      case EpollIoctl.SPARAMS: {
        const microseconds = getUser32(cpu, memory, address);
        const rest = microseconds < 0 ? microseconds : getUser32(cpu, memory, address + 4);
        if (rest < 0) return -Errno.EFAULT;
        const preference = (rest >>> 16) & 0xff;
        if (rest >>> 24 !== 0 || microseconds > 0x7fff_ffff || preference > 1) return -Errno.EINVAL;
        if ((rest & 0xffff) > BUDGET_MAX && credentials.uid !== 0) return -Errno.EPERM;
        this.#microseconds = microseconds;
        this.#budgetAndPreference = rest;
        return 0;
      }
      case EpollIoctl.GPARAMS: {
        const failed =
          putUser32(cpu, memory, address, this.#microseconds) || putUser32(cpu, memory, address + 4, this.#budgetAndPreference);
        return failed < 0 ? -Errno.EFAULT : 0;
      }
      default:
        return -Errno.EINVAL;
    }
  }
}
