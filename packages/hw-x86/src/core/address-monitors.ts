import { CACHE_LINE } from '../memory/address.js';
import type { Cpu } from './cpu.js';

/**
 * The address monitors of a machine's processors, as MONITOR arms them: a store to the line ends the wait of MWAIT, also
 * one that came between the two instructions.
 */
export class AddressMonitors {
  /** Armed monitors, by processor; the line's physical address. */
  readonly #armed: Map<Cpu, number> = new Map();

  /** MONITOR: watches the line of physical `address`. */
  arm(cpu: Cpu, address: number): void {
    this.#armed.set(cpu, Math.floor(address / CACHE_LINE));
  }

  /** The monitor is armed and nothing has been stored to its line. */
  armed(cpu: Cpu): boolean {
    return this.#armed.has(cpu);
  }

  /** The processor stops watching. */
  disarm(cpu: Cpu): void {
    this.#armed.delete(cpu);
  }

  /** `cpu` has stored to physical `address`. */
  stored(cpu: Cpu, address: number): void {
    if (this.#armed.size === 0) return;
    const line = Math.floor(address / CACHE_LINE);
    for (const [watcher, watched] of this.#armed) {
      if (watched !== line) continue;
      this.#armed.delete(watcher);
      cpu.triggerMonitor(watcher);
    }
  }
}
