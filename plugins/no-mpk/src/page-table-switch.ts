import type { Cpu } from '@rpal/hw-x86';
import { currentThread, type Kernel, type Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { pkruOf, RpalFlag, type RpalService, rpalThread } from '@rpal/rpal-core';
import { Errno, Pkey } from '@rpal/uapi';
import { CpuPageViews, PageView } from './page-view.js';
import { canonical, deniedBy } from './rights.js';
import { ViewStep } from './steps.js';
import { ViewTable } from './view-table.js';
import { Views } from './views.js';

/**
 * Views are changed by the kernel, through a gate that does nothing else: in, load CR3, out. It opens a peer only for
 * threads with a role, and only peers that both sides have requested; others keep the rights they have, as does a thread that asks for one
 * view more than the service may have.
 */
export class PageTableSwitch extends Views {
  override readonly name = 'page-table switch through a kernel gate';
  readonly #cpus: readonly CpuPageViews[];
  readonly #tables: Map<RpalService, ViewTable<PageView>> = new Map();
  #ids = 0;

  constructor(kernel: Kernel) {
    super(kernel);
    this.#cpus = kernel.platform.cpus.map((cpu) => new CpuPageViews(cpu));
  }

  override refusal(): null {
    return null;
  }

  override userLoad(cpu: Cpu, rights: number): void {
    this.gate(cpu, rights);
  }

  /**
   * What the gate does.
   * @returns 0; -EPERM to a thread that is neither sender nor receiver; -ENOSPC if the service has all the views it may have.
   *   The library's code does not look: its next access to the peer faults
   */
  gate(cpu: Cpu, rights: number): number {
    cpu.charge(ViewStep.gate);
    const thread = currentThread(this.kernel.scheduler, cpu);
    const result = this.#mayHave(thread, rights) ? this.#show(cpu, thread, rights) : -Errno.EPERM;
    if (result < 0) this.refused++;
    return result;
  }

  override kernelLoad(cpu: Cpu, rights: number): void {
    const thread = currentThread(this.kernel.scheduler, cpu);
    if (this.#show(cpu, thread, rights) === 0) return;
    this.refused++;
    this.#show(cpu, thread, pkruOf((rpalThread(thread).service as RpalService).pkey));
  }

  override switched(cpu: Cpu, next: Thread): void {
    // Without an address space of its own the task borrows what is loaded.
    if (next.mm === null) return;
    const views = this.#cpus[cpu.id] as CpuPageViews;
    const view = this.viewed(next) ? this.#viewOf(cpu, rpalThread(next).service as RpalService, cpu.mmu.pkru) : null;
    if (view === null) views.leave();
    else if (view !== views.current) views.enter(view);
  }

  override relinked(_cpu: Cpu, service: RpalService): void {
    for (const view of this.#tables.get(service)?.views ?? []) view.fill();
  }

  override forget(mm: MmStruct): void {
    for (const cpu of this.#cpus) if (cpu.current?.mm === mm) cpu.current = null;
    for (const [service, { views }] of this.#tables) {
      if (service.mm !== mm) continue;
      for (const view of views) view.free();
      this.#tables.delete(service);
    }
  }

  /** How many views a service has. */
  viewsOf(service: RpalService): number {
    return this.#tables.get(service)?.views.length ?? 0;
  }

  protected override shown(cpu: Cpu): number {
    return this.#cpus[cpu.id]?.current?.rights ?? cpu.mmu.pkru;
  }

  /** Gives `thread`, which runs on `cpu`, the view of `rights`. @returns 0 or -ENOSPC */
  #show(cpu: Cpu, thread: Thread, rights: number): number {
    const views = this.#cpus[cpu.id] as CpuPageViews;
    let flushed = false;
    if (this.viewed(thread)) {
      const view = this.#viewOf(cpu, rpalThread(thread).service as RpalService, rights);
      if (view === null) return -Errno.ENOSPC;
      if (view !== views.current) flushed = views.enter(view);
    } else {
      views.leave();
    }
    cpu.mmu.pkru = rights;
    cpu.charge(flushed ? ViewStep.loadViewFlush : ViewStep.loadView);
    return 0;
  }

  /** The view of a service with `rights`, made now if need be; null if the service has all that it may have. */
  #viewOf(cpu: Cpu, service: RpalService, rights: number): PageView | null {
    let table = this.#tables.get(service);
    if (table === undefined) {
      table = new ViewTable();
      this.#tables.set(service, table);
    }
    let index = table.indexOf(rights);
    if (index < 0) {
      if (!table.admits(rights)) return null;
      cpu.charge(ViewStep.makePageView);
      index = table.add(rights, new PageView(++this.#ids, service, canonical(rights)));
    }
    return table.views[index] as PageView;
  }

  /** Threads without a role may only give rights up; a role opens mutually requested peers, and nothing else is in any view. */
  #mayHave(thread: Thread, rights: number): boolean {
    const { service, flags } = rpalThread(thread);
    if (service === null || (flags & (RpalFlag.SENDER | RpalFlag.RECEIVER)) !== 0) return true;
    return service.map.every(
      ({ service: peer, mapped }) => peer === null || !mapped || (deniedBy(rights, peer) & Pkey.DISABLE_ACCESS) !== 0,
    );
  }
}
