import { MIB } from '@rpal/hw-x86';
import { RLIM_NLIMITS, Rlimit } from '@rpal/uapi';

/** RLIM_INFINITY. @public for packages that define system calls */
export const UNLIMITED: number = Number.POSITIVE_INFINITY;

/** Limits of a process, each soft and hard, by number (`Rlimit`); `UNLIMITED` where there is none. */
export class ResourceLimits {
  readonly soft: number[];
  readonly hard: number[];

  constructor(soft: readonly number[], hard: readonly number[]) {
    this.soft = [...soft];
    this.hard = [...hard];
  }

  /**
   * Those of the first process (Linux: INIT_RLIMITS).
   * @param threads how many threads, and signals in queues, a user may have @param descriptors how many a process may have
   */
  static first(threads: number, descriptors: number): ResourceLimits {
    const hard = new Array<number>(RLIM_NLIMITS).fill(UNLIMITED);
    hard[Rlimit.NPROC] = hard[Rlimit.SIGPENDING] = threads;
    hard[Rlimit.NOFILE] = Math.max(4096, descriptors);
    hard[Rlimit.MEMLOCK] = 8 * MIB;
    hard[Rlimit.MSGQUEUE] = 819_200;
    hard[Rlimit.NICE] = hard[Rlimit.RTPRIO] = 0;
    const soft = [...hard];
    soft[Rlimit.STACK] = 8 * MIB;
    soft[Rlimit.CORE] = 0;
    soft[Rlimit.NOFILE] = descriptors;
    return new ResourceLimits(soft, hard);
  }

  of(resource: number): number {
    return this.soft[resource] as number;
  }
}
