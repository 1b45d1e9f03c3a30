import { Vector } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { SchedStep } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

/** Commands of membarrier (include/uapi/linux/membarrier.h). */
export const Membarrier = {
  QUERY: 0,
  GLOBAL: 1,
  GLOBAL_EXPEDITED: 2,
  REGISTER_GLOBAL_EXPEDITED: 4,
  PRIVATE_EXPEDITED: 8,
  REGISTER_PRIVATE_EXPEDITED: 16,
  PRIVATE_EXPEDITED_SYNC_CORE: 32,
  REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: 64,
  PRIVATE_EXPEDITED_RSEQ: 128,
  REGISTER_PRIVATE_EXPEDITED_RSEQ: 256,
  GET_REGISTRATIONS: 512,
} as const;

const ALL = 1023;
/** The command is for one CPU: `cpu_id`. */
const FLAG_CPU = 1;

/** membarrier(2): other CPUs that run the process execute a barrier. In the model memory is coherent at each step: what is left is the price. */
export function defineMembarrier(calls: Calls): void {
  const { scheduler, platform } = calls.kernel;
  const registered = new WeakMap<Process, number>();

  calls.define('membarrier', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.identity);
    const { process } = thread;
    const [command, flags] = [a0 | 0, a1 >>> 0];
    const known = registered.get(process) ?? 0;
    const forOneCpu = command === Membarrier.PRIVATE_EXPEDITED_RSEQ && flags === FLAG_CPU;
    if (flags !== 0 && !forOneCpu) return -Errno.EINVAL;
    const interrupt = (only: number, wanted: (running: object) => boolean): void => {
      for (const other of platform.cpus) {
        const { current } = scheduler.runQueue(other);
        if (other === cpu || (only >= 0 && other.id !== only) || !wanted(current)) continue;
        cpu.charge(SchedStep.kickByIpi);
        cpu.sendInterrupt(other, Vector.reschedule);
      }
    };
    const ownThread = (running: object): boolean => process.threads.some((other) => other === running);
    switch (command) {
      case Membarrier.QUERY:
        return ALL;
      case Membarrier.GLOBAL:
        // A grace period: every CPU has been through the scheduler.
        cpu.charge(PosixStep.gracePeriod);
        return 0;
      case Membarrier.GLOBAL_EXPEDITED:
        interrupt(-1, (running) => {
          const owner = (running as { process?: Process }).process;
          return owner !== undefined && ((registered.get(owner) ?? 0) & Membarrier.REGISTER_GLOBAL_EXPEDITED) !== 0;
        });
        return 0;
      case Membarrier.REGISTER_GLOBAL_EXPEDITED:
      case Membarrier.REGISTER_PRIVATE_EXPEDITED:
      case Membarrier.REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
      case Membarrier.REGISTER_PRIVATE_EXPEDITED_RSEQ:
        registered.set(process, known | command);
        return 0;
      case Membarrier.PRIVATE_EXPEDITED:
      case Membarrier.PRIVATE_EXPEDITED_SYNC_CORE:
      case Membarrier.PRIVATE_EXPEDITED_RSEQ:
        // Each has its registration one bit higher.
        if ((known & (command << 1)) === 0) return -Errno.EPERM;
        if (forOneCpu && platform.cpus[a2 | 0] === undefined) return -Errno.EINVAL;
        interrupt(forOneCpu ? a2 | 0 : -1, ownThread);
        return 0;
      case Membarrier.GET_REGISTRATIONS:
        return known;
      default:
        return -Errno.EINVAL;
    }
  });
}
