import { type Cpu, type CpuProfile, EPTP_LIST_ENTRIES, GuestMode } from '@rpal/hw-x86';
import { currentThread, type Kernel, type Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { pkruOf, type RpalService, rpalThread } from '@rpal/rpal-core';
import { ViewStep } from './steps.js';
import { Hypercall, ViewHypervisor } from './view-hypervisor.js';
import { Views } from './views.js';

/**
 * Linux runs as a guest, and each view is a set of extended page tables that lacks the closed peers' frames; user mode
 * changes between the views on its service's list with VMFUNC, without the kernel. When a CPU goes to another service,
 * the hypervisor installs that one's list. Walks have two dimensions from boot on, for everybody.
 */
export class Vmfunc extends Views {
  override readonly name = 'VMFUNC between EPT views';
  readonly hypervisor: ViewHypervisor;

  constructor(kernel: Kernel) {
    super(kernel);
    this.hypervisor = new ViewHypervisor(kernel.platform);
  }

  override refusal({ features, name }: CpuProfile): string | null {
    return features.vmfunc ? null : `needs VMFUNC, an instruction of Intel's VMX, which ${name} does not have; choose page-table or none`;
  }

  override userLoad(cpu: Cpu, rights: number): void {
    if (this.#show(cpu, currentThread(this.kernel.scheduler, cpu), rights) < 0) this.refused++;
  }

  /** The kernel is a guest too: it changes the view as user mode does. */
  override kernelLoad(cpu: Cpu, rights: number): void {
    this.#give(cpu, currentThread(this.kernel.scheduler, cpu), rights);
  }

  override switched(cpu: Cpu, next: Thread): void {
    // Without an address space of its own the task borrows what is loaded. One whose rights do not count sees no slices
    // but its own, whatever view it runs in.
    if (next.mm !== null && this.viewed(next)) this.#give(cpu, next, cpu.mmu.pkru);
  }

  override relinked(cpu: Cpu, service: RpalService): void {
    if (this.hypervisor.viewsOf(service) !== null) GuestMode.of(cpu).vmcall(Hypercall.RELINKED, service.id);
  }

  override forget(mm: MmStruct): void {
    const service = mm.rpalService ?? null;
    if (service === null || this.hypervisor.viewsOf(service) === null) return;
    GuestMode.of(this.kernel.platform.running as Cpu).vmcall(Hypercall.DROP_LIST, service.id);
  }

  /** Index of the view of `rights` on the list that `cpu` uses, or -1: what the read-only page in all views tells user mode. */
  indexOf(cpu: Cpu, rights: number): number {
    const service = this.hypervisor.serviceOf(cpu);
    return service === null ? -1 : (this.hypervisor.viewsOf(service)?.indexOf(rights) ?? -1);
  }

  protected override shown(cpu: Cpu): number {
    const service = this.hypervisor.serviceOf(cpu);
    const view = service === null ? undefined : this.hypervisor.viewsOf(service)?.views[GuestMode.of(cpu).view];
    return view === undefined ? cpu.mmu.pkru : view.rights;
  }

  /** The kernel cannot leave a thread with the rights of another: if there is no room for a view, it gets those of its own key. */
  #give(cpu: Cpu, thread: Thread, rights: number): void {
    if (this.#show(cpu, thread, rights) === 0) return;
    this.refused++;
    this.#show(cpu, thread, pkruOf((rpalThread(thread).service as RpalService).pkey));
  }

  /** Gives `thread`, which runs on `cpu`, the view of `rights`. @returns 0 or -ENOSPC */
  #show(cpu: Cpu, thread: Thread, rights: number): number {
    if (this.viewed(thread)) {
      const guest = GuestMode.of(cpu);
      const service = rpalThread(thread).service as RpalService;
      const listed = this.hypervisor.serviceOf(cpu) === service;
      if (!listed) this.#useList(cpu, service, rights);
      cpu.charge(ViewStep.findView);
      let index = this.indexOf(cpu, rights);
      if (index < 0) index = guest.vmcall(Hypercall.MAKE_VIEW, rights);
      if (index < 0) return index;
      // The processor cannot be asked which view is in use: it is switched in any case, unless the list has just been installed with it.
      if (listed || index !== guest.view) guest.vmfunc(index);
    }
    cpu.mmu.pkru = rights;
    return 0;
  }

  #useList(cpu: Cpu, service: RpalService, rights: number): void {
    const { hypervisor } = this;
    if (hypervisor.viewsOf(service) === null) hypervisor.register(service);
    const index = hypervisor.viewsOf(service)?.indexOf(rights) ?? -1;
    GuestMode.of(cpu).vmcall(Hypercall.USE_LIST, service.id * EPTP_LIST_ENTRIES + Math.max(index, 0));
  }
}
