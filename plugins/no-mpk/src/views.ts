import type { Cpu, CpuProfile } from '@rpal/hw-x86';
import type { Kernel, Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { type Isolation, PkuOn, type RpalService } from '@rpal/rpal-core';
import { CpuViews, deniedBy, View } from './view.js';

/**
 * Isolation by what an address space shows: each set of rights of a service has a view, and changing rights is changing
 * the view. How a CPU gets from one view to another, and what that costs, is the subclass's.
 */
export abstract class Views implements Isolation {
  abstract readonly name: string;
  protected readonly kernel: Kernel;
  readonly #cpus: readonly CpuViews[];
  readonly #byService: Map<RpalService, Map<number, View>> = new Map();
  #ids = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#cpus = kernel.platform.cpus.map((cpu) => new CpuViews(cpu));
  }

  abstract refusal(profile: CpuProfile): string | null;
  abstract userLoad(cpu: Cpu, rights: number): void;
  abstract kernelLoad(cpu: Cpu, rights: number): void;

  denies(cpu: Cpu, owner: RpalService, write: boolean): boolean {
    return this.viewed(this.kernel.current(cpu)) && (deniedBy(cpu.mmu.pkru, owner) & (write ? 3 : 1)) !== 0;
  }

  relinked(_cpu: Cpu, service: RpalService): void {
    for (const view of this.#byService.get(service)?.values() ?? []) view.fill();
  }

  /** `cpu` has switched to `next`, its address space and its rights. The scheduler has paid for loading CR3. */
  switched(cpu: Cpu, next: Thread): void {
    // Without an address space of its own the task borrows what is loaded.
    if (next.mm === null) return;
    this.show(cpu, next, cpu.mmu.pkru);
  }

  /** An address space ends: nobody will load its views again. */
  forget(mm: MmStruct): void {
    for (const cpu of this.#cpus) if (cpu.current?.mm === mm) cpu.current = null;
    for (const [service, views] of this.#byService) {
      if (service.mm !== mm) continue;
      for (const view of views.values()) view.free();
      this.#byService.delete(service);
    }
  }

  /** True for threads whose rights count: those of a service that has its key. */
  protected viewed(thread: Thread): boolean {
    const { service } = thread.rpal;
    return service !== null && service.pkuOn === PkuOn.FINISH && service.mm === thread.memory;
  }

  /** Gives `thread`, which runs on `cpu`, the view of `rights`. @returns true if the CPU's translations were flushed */
  protected show(cpu: Cpu, thread: Thread, rights: number): boolean {
    cpu.mmu.pkru = rights;
    const views = this.#cpus[cpu.id] as CpuViews;
    if (!this.viewed(thread)) {
      views.leave();
      return false;
    }
    const view = this.#viewOf(thread.rpal.service as RpalService, rights);
    return view === views.current ? false : views.enter(view);
  }

  #viewOf(service: RpalService, rights: number): View {
    let views = this.#byService.get(service);
    if (views === undefined) {
      views = new Map();
      this.#byService.set(service, views);
    }
    let view = views.get(rights);
    if (view === undefined) {
      view = new View(++this.#ids, service, rights);
      views.set(rights, view);
    }
    return view;
  }
}
