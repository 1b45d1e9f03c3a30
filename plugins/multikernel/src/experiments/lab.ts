import type { ExperimentOptions } from '@rpal/compare';
import { BareMetal, type BareProgram, type CpuProfile, PAGE_SIZE, queuedLines } from '@rpal/hw-x86';
import { MultikernelError } from '../errors.js';

/** Where programs of experiments have the memory that they share. */
const SHARED = 0x4000_0000;

/** Bare cores that share some memory, for experiments below any kernel: programs run in user mode, in one address space. */
export class Lab {
  readonly machine: BareMetal;
  readonly #root: number;
  #next = SHARED;
  #running = 0;

  constructor(profile: CpuProfile, { costs, seed }: ExperimentOptions) {
    this.machine = new BareMetal({ profile, costs, seed, coherence: queuedLines });
    this.#root = this.machine.addressSpace();
  }

  /** Memory, zeroed and mapped for all, at the beginning of a page of its own. @returns its address */
  memory(bytes: number): number {
    const at = this.#next;
    for (; this.#next < at + bytes; this.#next += PAGE_SIZE) this.machine.map(this.#root, this.#next);
    return at;
  }

  /** Starts a program on a core. */
  start(core: number, program: BareProgram): void {
    this.#running++;
    const lab = this;
    this.machine.start(core, function* (own) {
      own.load(lab.#root);
      own.user = true;
      yield;
      yield* program(own);
      lab.#running--;
    });
  }

  /** Runs all programs to their ends. @throws MultikernelError RUN_FAILED if some wait for ever */
  run(): void {
    this.machine.run();
    if (this.#running > 0) throw new MultikernelError('RUN_FAILED', `${this.#running} programs have not come to their ends`);
  }
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
