import { type Cpu, Touch } from '@rpal/hw-x86';
import { type Kernel, yieldInKernel } from '@rpal/kernel';
import { userPage } from '@rpal/mm';
import { Errno, OpenFlag } from '@rpal/uapi';
import { begin, type Caller, File, type Operation } from '@rpal/vfs';

/** The files by which CPUs are taken out of use. CPU 0 has none: it cannot be. */
export function defineCpuFiles(kernel: Kernel): void {
  for (const target of kernel.platform.cpus.slice(1)) {
    const path = `/sys/devices/system/cpu/cpu${target.id}/online`;
    kernel.specialFiles.define(path, (_cpu, _thread, flags) => new CpuOnlineFile(kernel, target, flags & OpenFlag.ACCMODE));
  }
}

/** `/sys/devices/system/cpu/cpuN/online`: "0" takes the CPU out of use, "1" back into it. */
class CpuOnlineFile extends File {
  readonly #kernel: Kernel;
  readonly #target: Cpu;

  constructor(kernel: Kernel, target: Cpu, flags: number) {
    super(flags);
    this.#kernel = kernel;
    this.#target = target;
  }

  override get pollable(): boolean {
    return false;
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const page = length === 0 ? -Errno.EINVAL : userPage(cpu, caller.memory, address, Touch.LOAD);
    if (page < 0) return page;
    const kernel = this.#kernel;
    const { hotplug } = kernel.scheduler;
    const target = this.#target;
    const letter = String.fromCharCode(cpu.memory.read8(page));
    if (letter !== '0' && letter !== '1') return -Errno.EINVAL;
    if (hotplug.isActive(target) === (letter === '1')) return length;
    if (letter === '0') return begin(cpu, caller, offline(kernel, target, length));
    hotplug.activate(cpu, target, kernel.processes.threads());
    return length;
  }
}

/**
 * The CPU gets nothing new; what it has is moved away, thread by thread, and the caller waits until nothing runs there.
 * Kernel threads that are tied to the CPU, and timers, are left to it.
 */
function offline(kernel: Kernel, target: Cpu, length: number): Operation {
  const { scheduler } = kernel;
  const { hotplug } = scheduler;
  hotplug.deactivate(target);
  return {
    step: (cpu) => {
      let left = false;
      for (const thread of kernel.processes.threads()) {
        if (!hotplug.vacate(cpu, target, thread)) left = true;
        else if (thread.cpu === target && thread.onRq) left = true;
      }
      return left ? yieldInKernel(scheduler, cpu) : length;
    },
  };
}
