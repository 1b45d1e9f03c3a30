import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { RpalFlag } from '@rpal/rpal-core';
import { ViewStep } from './steps.js';
import { deniedBy } from './view.js';
import { Views } from './views.js';

/**
 * Views are changed by the kernel, through a gate that does nothing else: in, load CR3, out. It opens a peer only for
 * threads with a role, and only peers that both sides have requested; others keep the rights they have.
 */
export class PageTableSwitch extends Views {
  override readonly name = 'page-table switch through a kernel gate';
  /** Changes that the gate has refused, since boot. */
  refused = 0;

  override refusal(): null {
    return null;
  }

  override userLoad(cpu: Cpu, rights: number): void {
    cpu.charge(ViewStep.gate);
    const thread = this.kernel.current(cpu);
    if (this.#mayHave(thread, rights)) this.#load(cpu, thread, rights);
    else this.refused++;
  }

  override kernelLoad(cpu: Cpu, rights: number): void {
    this.#load(cpu, this.kernel.current(cpu), rights);
  }

  #load(cpu: Cpu, thread: Thread, rights: number): void {
    const flushed = this.show(cpu, thread, rights);
    cpu.charge(flushed ? ViewStep.loadViewFlush : ViewStep.loadView);
  }

  /** Threads without a role may only give rights up; a role opens mutually requested peers, and nothing else is in any view. */
  #mayHave(thread: Thread, rights: number): boolean {
    const { service, flags } = thread.rpal;
    if (service === null || (flags & (RpalFlag.SENDER | RpalFlag.RECEIVER)) !== 0) return true;
    return service.map.every(({ service: peer, mapped }) => peer === null || !mapped || (deniedBy(rights, peer) & 1) !== 0);
  }
}
