import type { Cpu, CpuProfile } from '@rpal/hw-x86';
import { currentThread, type Kernel, type Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { type Isolation, PkuOn, type RpalService, rpalThread } from '@rpal/rpal-core';
import { Pkey } from '@rpal/uapi';
import { deniedBy } from './rights.js';

/**
 * Isolation by what can be seen: each set of rights of a service has a view, in which the slices of closed peers are
 * missing, and changing rights is changing the view. What a view is, and how a CPU gets to another, is the subclass's.
 */
export abstract class Views implements Isolation {
  abstract readonly name: string;
  protected readonly kernel: Kernel;
  /** Changes of rights that were refused since boot: the thread kept those it had. */
  refused = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  abstract refusal(profile: CpuProfile): string | null;
  abstract userLoad(cpu: Cpu, rights: number): void;
  abstract kernelLoad(cpu: Cpu, rights: number): void;
  abstract relinked(cpu: Cpu, service: RpalService): void;

  /** `cpu` has switched to `next`, its address space and its rights. The scheduler has paid for loading CR3. */
  abstract switched(cpu: Cpu, next: Thread): void;

  /** An address space ends: nobody will use its views again. */
  abstract forget(mm: MmStruct): void;

  /** Rights of the view that `cpu` has in use, whose thread is viewed. */
  protected abstract shown(cpu: Cpu): number;

  denies(cpu: Cpu, owner: RpalService, write: boolean): boolean {
    const thread = currentThread(this.kernel.scheduler, cpu);
    if (
      !this.viewed(thread) ||
      (deniedBy(this.shown(cpu), owner) & (write ? Pkey.DISABLE_ACCESS | Pkey.DISABLE_WRITE : Pkey.DISABLE_ACCESS)) === 0
    )
      return false;
    // If the owner is gone there is nothing to deny: a sender goes back to its recovery point, as with keys.
    return owner === rpalThread(thread).service || (!owner.mm.dead && rpalThread(thread).service?.map[owner.id]?.mapped === true);
  }

  /** True for threads whose rights count: those of a service that has its key. */
  protected viewed(thread: Thread): boolean {
    const { service } = rpalThread(thread);
    return service !== null && service.pkuOn === PkuOn.FINISH && service.mm === thread.memory;
  }
}
