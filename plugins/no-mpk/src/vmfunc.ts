import type { Cpu, CpuProfile } from '@rpal/hw-x86';
import type { Kernel, Thread } from '@rpal/kernel';
import { nestedWalkCycles, ViewStep } from './steps.js';
import { Views } from './views.js';

/** What a CPU's hypervisor side remembers. */
interface Guest {
  /** Context of the address space whose list of views is installed. */
  list: number;
  /** Walks of the MMU that have been paid for. */
  walks: number;
}

/**
 * Linux runs as a guest, and each view is an extended page table that lacks the closed peers' frames; user mode changes
 * between the views on its list with VMFUNC, without the kernel. A list belongs to a service: when the CPU goes to another
 * one, the hypervisor installs its list. Walks have two dimensions from now on.
 */
export class Vmfunc extends Views {
  override readonly name = 'VMFUNC between EPT views';
  readonly #guests: readonly Guest[];
  readonly #nestedWalk: number;

  constructor(kernel: Kernel) {
    super(kernel);
    const { costs, cpus } = kernel.platform;
    this.#guests = cpus.map(() => ({ list: 0, walks: 0 }));
    this.#nestedWalk = Math.round(nestedWalkCycles[costs.level] * costs.tscPerCore);
  }

  override refusal({ features, name }: CpuProfile): string | null {
    return features.vmfunc ? null : `needs VMFUNC, an instruction of Intel's VMX, which ${name} does not have; choose page-table or none`;
  }

  override userLoad(cpu: Cpu, rights: number): void {
    cpu.charge(ViewStep.vmfunc);
    this.#payWalks(cpu);
    this.show(cpu, this.kernel.current(cpu), rights);
  }

  /** The kernel is a guest too: it changes the view as user mode does. */
  override kernelLoad(cpu: Cpu, rights: number): void {
    this.userLoad(cpu, rights);
  }

  override switched(cpu: Cpu, next: Thread): void {
    super.switched(cpu, next);
    const guest = this.#guests[cpu.id] as Guest;
    if (next.mm === null || !this.viewed(next) || guest.list === next.memory.contextId) return;
    guest.list = next.memory.contextId;
    cpu.charge(ViewStep.installList);
    this.#payWalks(cpu);
  }

  #payWalks(cpu: Cpu): void {
    const guest = this.#guests[cpu.id] as Guest;
    const walks = cpu.mmu.walks - guest.walks;
    guest.walks = cpu.mmu.walks;
    if (walks > 0) cpu.chargeCycles(ViewStep.nestedWalk, walks * this.#nestedWalk);
  }
}
