import type { Cpu } from '@rpal/hw-x86';
import type { FlushEntry } from '@rpal/mm';
import type { Scheduler } from '@rpal/sched';
import { EntryKind } from '../process/entry-kind.js';
import type { Thread } from '../process/thread.js';

/** The kernel's way in and out for an interrupt. */
interface InterruptEntry {
  enterFromUser(cpu: Cpu, kind: number): void;
  leaveInterrupt(cpu: Cpu): void;
}

/**
 * A flush interrupt enters the kernel as every interrupt does, so taps on kernel entries come first, and the flush finds the address space
 * of the thread that is current then. A CPU that the kernel has not entered for another thread goes on as it was.
 */
export class WatchedFlushEntry implements FlushEntry {
  readonly #scheduler: Scheduler;
  readonly #entry: InterruptEntry;

  constructor(scheduler: Scheduler, entry: InterruptEntry) {
    this.#scheduler = scheduler;
    this.#entry = entry;
  }

  arrive(cpu: Cpu, time: number): void {
    const scheduler = this.#scheduler;
    if (!cpu.halted || cpu.context === scheduler.kernelMode) return;
    if ((scheduler.current(cpu) as Thread).entryWatched) cpu.wake(Math.max(cpu.clock, time));
  }

  enter(cpu: Cpu): boolean {
    const scheduler = this.#scheduler;
    // Interrupts are off where a CPU is in the middle of another entry.
    if (cpu.context === scheduler.kernelMode || !cpu.interruptsEnabled) return false;
    const thread = scheduler.current(cpu) as Thread;
    if (!thread.entryWatched) return false;
    const { frame } = thread;
    const user = cpu.context;
    cpu.interruptsEnabled = false;
    this.#entry.enterFromUser(cpu, EntryKind.INTERRUPT);
    const changed = scheduler.current(cpu) !== thread || frame.user !== user || frame.rip !== 0;
    // A guest is entered again by the way back; else the CPU goes on as it was.
    if (!changed && thread.guest === null) cpu.interruptsEnabled = true;
    return changed || thread.guest !== null;
  }

  leave(cpu: Cpu): void {
    this.#entry.leaveInterrupt(cpu);
  }
}
