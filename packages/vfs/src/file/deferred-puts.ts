import type { Cpu } from '@rpal/hw-x86';
import type { File } from './file.js';

/**
 * Files that messages brought and nobody took. Linux drops the last reference of such a file not on the spot but on the way
 * to user mode, or in a work item (fs/file_table.c: `____fput`, `delayed_fput`): later ones first, and those that a release
 * drops in turn after all of these.
 */
export class DeferredPuts {
  #waiting: File[] = [];
  #held = false;

  get any(): boolean {
    return this.#waiting.length > 0;
  }

  /** Drops a reference; a file that has none left is released by `settle`. */
  drop(file: File): void {
    if (file.drop()) this.#waiting.push(file);
  }

  /** Drops the files of a message, in Linux's order (`__scm_destroy`). */
  dropAll(files: readonly File[]): void {
    for (let i = files.length - 1; i >= 0; i--) this.drop(files[i] as File);
  }

  /** Releases what waits, unless an outer caller is about to. */
  settle(cpu: Cpu): void {
    if (this.#held) return;
    while (this.any) this.settleOnce(cpu);
  }

  /** What `drops` drops is released when it has returned. */
  batch(cpu: Cpu, drops: () => void): void {
    const outer = this.#held;
    this.#held = true;
    drops();
    this.#held = outer;
    this.settle(cpu);
  }

  /** One round: what is waiting now. What that drops in turn waits for the next round. */
  settleOnce(cpu: Cpu): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const outer = this.#held;
    this.#held = true;
    for (let i = batch.length - 1; i >= 0; i--) batch[i]?.destroy(cpu);
    this.#held = outer;
  }
}
