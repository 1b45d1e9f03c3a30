import type { Cpu, TrapHandler, TrapOutcome } from '@rpal/hw-x86';
import type { Machine } from '@rpal/kernel';

/** Stands for everything in the kernel that is not modelled memory: run queues, wait queues, tables of objects. */
export const KERNEL = -1;

/** What one step has read and written, as addresses of 4-byte words of physical memory, and whether the kernel took part. */
export class Footprint {
  readonly reads: Set<number> = new Set();
  readonly writes: Set<number> = new Set();

  clear(): void {
    this.reads.clear();
    this.writes.clear();
  }
}

/** Adds the words in which the bytes from `address` on are. */
function touch(words: Set<number>, address: number, length: number): void {
  for (let word = address - (address % 4); word < address + length; word += 4) words.add(word);
}

/** Records what the machine's steps touch from now on. Only for machines that are explored: recording is slow. */
export function recordFootprints(machine: Machine): Footprint {
  const footprint = new Footprint();
  machine.platform.memory.observe({
    read: (address, length) => touch(footprint.reads, address, length),
    write: (address, length) => touch(footprint.writes, address, length),
  });
  for (const cpu of machine.platform.cpus) cpu.trap = new KernelUse(footprint, cpu.trap);
  return footprint;
}

/** Stands between the cores and the kernel: every trap is a use of the kernel. */
class KernelUse implements TrapHandler {
  readonly #footprint: Footprint;
  readonly #kernel: TrapHandler;

  constructor(footprint: Footprint, kernel: TrapHandler) {
    this.#footprint = footprint;
    this.#kernel = kernel;
  }

  syscall(cpu: Cpu): TrapOutcome {
    this.#footprint.writes.add(KERNEL);
    return this.#kernel.syscall(cpu);
  }

  exception(cpu: Cpu, vector: number, code: number): TrapOutcome {
    this.#footprint.writes.add(KERNEL);
    return this.#kernel.exception(cpu, vector, code);
  }

  interrupt(cpu: Cpu, vector: number): void {
    this.#footprint.writes.add(KERNEL);
    this.#kernel.interrupt(cpu, vector);
  }

  nmi(cpu: Cpu): void {
    this.#footprint.writes.add(KERNEL);
    this.#kernel.nmi(cpu);
  }
}

/**
 * What a CPU does next depends on more than memory, and others change it: they interrupt it, flush its TLB (which takes it time), set its
 * PKRU.
 */
export class CpuView {
  readonly cpu: Cpu;
  #context: unknown = null;
  #pkru = 0;
  #fsBase = 0;
  #pending = 0;
  #nmi = false;
  #clock = 0;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }

  look(): void {
    const { cpu } = this;
    this.#context = cpu.context;
    this.#pkru = cpu.mmu.pkru;
    this.#fsBase = cpu.fsBase;
    this.#pending = cpu.pending;
    this.#nmi = cpu.nmiPending;
    this.#clock = cpu.clock;
  }

  /** Since the last look. */
  get changed(): boolean {
    const { cpu } = this;
    return (
      cpu.context !== this.#context ||
      cpu.mmu.pkru !== this.#pkru ||
      cpu.fsBase !== this.#fsBase ||
      cpu.pending !== this.#pending ||
      cpu.nmiPending !== this.#nmi ||
      cpu.clock !== this.#clock
    );
  }
}
