import { type Cpu, Exception, GuestMode, type Hypervisor, ModelBug, type TrapHandler, TrapOutcome } from '@rpal/hw-x86';
import type { GuestBorder, Main, ProgramContext } from '@rpal/kernel';
import { DuneStep } from '../steps.js';
import type { GuestMemory } from './guest-memory.js';

/** What the guest has set up for the traps that it takes itself: its IDT, and where SYSCALL leads. */
export interface GuestVectors {
  /** Executed in ring 0 where an exception has come, which is repeated afterwards; null: nobody handles it, and Linux ends the process. */
  exception(vector: number, code: number, address: number): Main | null;
  /** Executed in ring 0 where ring 3 has made a system call. */
  syscall(): Main;
}

const NO_VECTORS: GuestVectors = {
  exception: () => null,
  syscall: () => {
    throw new ModelBug('ring 3 is entered by a runtime that takes its calls');
  },
};

/** A thread in Dune mode: the guest's registers, the border to Linux, and the traps that never get there. */
export class Vcpu implements GuestBorder, TrapHandler {
  readonly memory: GuestMemory;
  /** CR3: guest-physical frame of the top-level table, and PCID. */
  root: number;
  pcid = 0;
  /** Current privilege level. */
  ring: 0 | 3 = 0;
  vectors: GuestVectors = NO_VECTORS;
  /** The next system call is a VMCALL, whatever the ring. */
  vmcallNext = false;
  /** Where traps of the host go on the CPU that it runs on. */
  #host: TrapHandler;
  readonly #hypervisor: Hypervisor;
  /** Where it ran last: elsewhere translations may be left of an earlier time. */
  #cpu: Cpu | null = null;

  constructor(memory: GuestMemory, root: number, host: TrapHandler, hypervisor: Hypervisor) {
    this.memory = memory;
    this.root = root;
    this.#host = host;
    this.#hypervisor = hypervisor;
  }

  exit(cpu: Cpu): void {
    GuestMode.of(cpu).suspend();
    cpu.trap = this.#host;
    cpu.charge(DuneStep.run);
  }

  enter(cpu: Cpu): void {
    const mode = GuestMode.of(cpu);
    if (this.#cpu !== cpu) mode.inveptTables(this.memory.tables);
    this.#cpu = cpu;
    this.#host = cpu.trap;
    mode.resume(this.#hypervisor, this.memory.tables, this.root, this.pcid);
    cpu.trap = this;
  }

  /** From ring 0 a system call is a VMCALL; that of ring 3 goes to the runtime, and its VMCALL is an invalid instruction. */
  syscall(cpu: Cpu): TrapOutcome {
    const context = cpu.context as ProgramContext;
    const vmcall = this.vmcallNext || this.ring === 0;
    if (!vmcall) {
      if (context.mustYield()) return TrapOutcome.RETRY;
      cpu.charge(DuneStep.syscallTrap);
      this.#divert(context, this.vectors.syscall());
      return TrapOutcome.PENDING;
    }
    if (this.ring === 0) return this.#host.syscall(cpu);
    const outcome = this.exception(cpu, Exception.invalidOpcode, 0);
    if (outcome !== TrapOutcome.RETRY) this.vmcallNext = false;
    return outcome;
  }

  exception(cpu: Cpu, vector: number, code: number): TrapOutcome {
    const context = cpu.context as ProgramContext;
    const { mmu } = cpu;
    const isPageFault = vector === Exception.pageFault;
    // The guest has mapped what the process does not have, or may not use so.
    if (isPageFault && mmu.second?.violated === true) return this.#host.exception(cpu, Exception.generalProtection, 0);
    if (context.mustYield()) return TrapOutcome.RETRY;
    const handler = this.vectors.exception(vector, code, mmu.faultAddress);
    // Linux's page tables are not what has failed.
    if (handler === null) return this.#host.exception(cpu, isPageFault ? Exception.generalProtection : vector, 0);
    cpu.charge(DuneStep.trap);
    this.#divert(context, function* (p) {
      yield* handler(p);
      context.cpu.charge(DuneStep.trapReturn);
    });
    return TrapOutcome.PENDING;
  }

  interrupt(cpu: Cpu, vector: number): void {
    this.#host.interrupt(cpu, vector);
  }

  nmi(cpu: Cpu): void {
    this.#host.nmi(cpu);
  }

  /** Ring 0 executes `handler`, and the instruction that has trapped goes on in its own ring. */
  #divert(context: ProgramContext, handler: Main): void {
    const { ring } = this;
    this.ring = 0;
    const vcpu = this;
    context.divert(function* (p) {
      yield* handler(p);
      vcpu.ring = ring;
    });
  }
}
