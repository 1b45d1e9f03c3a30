import type { Cpu } from '@rpal/hw-x86';
import { RpalFlag } from '../abi/constants.js';
import type { Rpal } from '../rpal.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';

/**
 * Ties a thread to the CPU it runs on, whatever masks and cpusets say (patch 16). As written it fails on a CPU that is no longer active,
 * and nobody looks at that: the thread counts as locked and keeps its affinity. As written a second lock takes the one CPU of the first for
 * the thread's affinity, which is lost.
 */
export function lockCpu(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  cpu.charge(RpalStep.cpuLock);
  const { data } = thread.rpal;
  if (data === null) return;
  if ((thread.rpal.flags & RpalFlag.CPU_LOCKED) === 0 || rpal.quirk('cpu-lock-nests')) data.oldAffinity = thread.affinity;
  thread.rpal.flags |= RpalFlag.CPU_LOCKED;
  if (!rpal.kernel.scheduler.hotplug.isActive(cpu) && rpal.quirk('cpu-lock-fails')) return;
  thread.affinity = rpal.only(cpu);
  thread.affinitySize = 1;
}

/**
 * Gives a thread its affinity back. If it may not stay where it is, it is moved as soon as it can be; if none of its CPUs
 * is active any more, the change fails and the thread stays tied to the CPU it is on. As written nobody asks whether it is locked: one
 * that is not gets the affinity that was kept last.
 */
export function unlockCpu(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  cpu.charge(RpalStep.cpuUnlock);
  const { data } = thread.rpal;
  if (data === null || data.oldAffinity === null) return;
  if ((thread.rpal.flags & RpalFlag.CPU_LOCKED) === 0 && !rpal.quirk('cpu-lock-nests')) return;
  const affinity = data.oldAffinity;
  thread.rpal.flags &= ~RpalFlag.CPU_LOCKED;
  const { scheduler } = rpal.kernel;
  const { hotplug } = scheduler;
  const usable = hotplug.active === scheduler.everyCpu ? affinity : hotplug.narrow(affinity);
  if (usable.size === 0) rpal.warn(cpu, `thread ${thread.pid} stays on CPU ${cpu.id}: no CPU of its affinity is active`);
  else scheduler.applyAffinity(cpu, thread, usable.equals(affinity) ? affinity : usable);
}
