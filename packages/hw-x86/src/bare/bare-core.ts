import type { Cpu } from '../core/cpu.js';
import { Exception } from '../core/interrupts.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { isCanonical } from '../memory/address.js';
import { Access } from '../mmu/mmu.js';
import type { BareMetal } from './bare-metal.js';

/** Exceptions raised in exception handlers, after which the model gives up. */
const DEEPEST = 16;

/** Kinds of INVPCID (SDM vol. 2): one address, one context, everything, everything but global translations. Others raise #GP. */
export type InvpcidType = 0 | 1 | 2 | 3;

/**
 * A core as a bare-metal program uses it. Every operation costs what the profile says. An access that faults goes to the
 * machine's `onException`, and is repeated or skipped as that answers.
 */
export class BareCore {
  readonly cpu: Cpu;
  /** Runs in user mode (CPL 3). */
  user = false;
  /** EFLAGS.AC: in supervisor mode SMAP does not apply. */
  ac = false;
  readonly #machine: BareMetal;
  /** Exit latency of the idle state that the core is in, TSC cycles; 0 if it is in none. */
  #exitLatency = 0;
  /** Exceptions whose handlers have not returned. */
  #depth = 0;

  constructor(cpu: Cpu, machine: BareMetal) {
    this.cpu = cpu;
    this.#machine = machine;
  }

  /**
   * Writes CR3. @param root frame of the top-level table @param pcid 0 .. 4095
   * @param noFlush bit 63 of the value: translations of `pcid` are kept
   */
  load(root: number, pcid = 0, noFlush = false): void {
    if (!this.#privileged()) return;
    if (!Number.isInteger(pcid) || pcid < 0 || pcid > 4095) throw new HardwareError('INVALID_ARGUMENT', `pcid: ${pcid} is not 0 .. 4095`);
    const { name, features } = this.cpu.costs.profile;
    if (pcid !== 0 && !features.pcid) throw new HardwareError('INVALID_ARGUMENT', `pcid: ${name} has no PCIDs; use 0`);
    this.cpu.charge(noFlush ? HwStep.cr3Write : HwStep.cr3WriteFlush);
    this.cpu.mmu.loadRoot(root, pcid, noFlush);
  }

  read8(address: number): number {
    const physical = this.#access(address, Access.read, 1);
    return physical < 0 ? 0 : this.cpu.memory.read8(physical);
  }

  /** A signed 32-bit load. */
  read32(address: number): number {
    const physical = this.#access(address, Access.read, 4);
    return physical < 0 ? 0 : this.cpu.memory.read32(physical);
  }

  /** A 64-bit load; exact below 2^53 in magnitude. */
  read64(address: number): number {
    const physical = this.#access(address, Access.read, 8);
    return physical < 0 ? 0 : this.cpu.memory.read64(physical);
  }

  write8(address: number, value: number): void {
    const physical = this.#access(address, Access.write, 1);
    if (physical >= 0) this.cpu.memory.write8(physical, value);
  }

  write32(address: number, value: number): void {
    const physical = this.#access(address, Access.write, 4);
    if (physical >= 0) this.cpu.memory.write32(physical, value);
  }

  write64(address: number, value: number): void {
    const physical = this.#access(address, Access.write, 8);
    if (physical >= 0) this.cpu.memory.write64(physical, value);
  }

  /** Fetches an instruction from `address`. @returns false if the fetch faulted and was skipped */
  fetch(address: number): boolean {
    return this.#access(address, Access.fetch, 1) >= 0;
  }

  /** WRPKRU; #UD goes to `onException` where there are no protection keys. */
  wrpkru(value: number): void {
    if (this.#opcode(this.cpu.mmu.pke)) this.cpu.wrpkru(value);
  }

  /** RDPKRU, likewise; 0 if skipped. */
  rdpkru(): number {
    return this.#opcode(this.cpu.mmu.pke) ? this.cpu.rdpkru() : 0;
  }

  /** INVLPG. Of an address that is not canonical it takes no notice. */
  invlpg(address: number): void {
    if (!this.#privileged()) return;
    this.cpu.charge(HwStep.invlpg);
    if (isCanonical(address)) this.cpu.mmu.invlpg(address);
  }

  /**
   * INVPCID. #UD goes to `onException` where the profile does not have it, #GP for a type above 3, a PCID of more than 12 bits,
   * or, with type 0, an address that is not canonical (SDM vol. 2).
   */
  invpcid(type: InvpcidType, pcid = 0, address = 0): void {
    if (!this.#opcode(this.cpu.costs.profile.features.invpcid) || !this.#privileged()) return;
    const { mmu } = this.cpu;
    if (!(type >= 0 && type <= 3) || !(pcid >= 0 && pcid < 4096) || (type === 0 && !isCanonical(address))) {
      this.#raise(Exception.generalProtection);
      return;
    }
    this.cpu.charge(HwStep.invpcid);
    if (type === 0) mmu.invpcidAddress(address, pcid);
    else if (type === 1) mmu.invpcidContext(pcid);
    else mmu.invpcidAll(type === 2);
  }

  /** Computes for `cycles` TSC cycles; interrupts come in between. */
  *compute(cycles: number): Generator<void, void> {
    for (let left = cycles; left > 0; ) {
      const part = Math.min(left, Math.max(1, this.cpu.timeLeft));
      this.cpu.chargeCycles(HwStep.compute, part);
      left -= part;
      yield;
    }
  }

  /** HLT: waits for an interrupt, in state C1. */
  *hlt(): Generator<void, void> {
    if (!this.#privileged()) return;
    this.#exitLatency = this.#latency('C1');
    this.cpu.halt();
    yield;
    this.leaveIdle();
  }

  /** MONITOR: watches the cache line at `address` for a store by another core. */
  monitor(address: number): void {
    if (!this.#opcode(!this.user)) return;
    const physical = this.#access(address, Access.read, 1);
    if (physical >= 0) this.#machine.monitors.arm(this.cpu, physical);
  }

  /**
   * MWAIT: waits in an idle state of the profile for an interrupt, or for a store to the monitored line, of which one
   * since `monitor` counts too. Leaving takes the state's exit latency. C6 loses what the core's TLBs and private caches hold.
   * @throws HardwareError INVALID_ARGUMENT for a state that MWAIT cannot enter on the profile
   */
  *mwait(state: string): Generator<void, void> {
    const { profile } = this.cpu.costs;
    const idle = profile.idle.find(({ name, mwaitHint }) => name === state && mwaitHint !== undefined);
    if (idle === undefined || !profile.features.mwait) {
      const known = profile.idle.filter(({ mwaitHint }) => mwaitHint !== undefined).map(({ name }) => name);
      throw new HardwareError('INVALID_ARGUMENT', `state: MWAIT on ${profile.name} does not enter ${state}; use ${known.join(', ')}`);
    }
    if (!this.#opcode(!this.user)) return;
    this.cpu.charge(HwStep.mwait);
    const { monitors } = this.#machine;
    if (monitors.armed(this.cpu)) {
      this.#exitLatency = this.#latency(state);
      if (state === 'C6') {
        this.cpu.mmu.invpcidAll(true);
        this.#machine.caches?.flush(this.cpu);
      }
      this.cpu.halt();
      yield;
      this.leaveIdle();
    }
    monitors.disarm(this.cpu);
  }

  /** The wait is over: the exit latency passes, once. */
  leaveIdle(): void {
    if (this.#exitLatency === 0) return;
    this.cpu.chargeCycles(HwStep.idleExit, this.#exitLatency);
    this.#exitLatency = 0;
  }

  #latency(state: string): number {
    const { costs } = this.cpu;
    const idle = costs.profile.idle.find(({ name }) => name === state);
    return idle === undefined ? 0 : costs.ns(idle.wake);
  }

  /** Physical address, or -1 if the access faulted and was skipped. */
  #access(address: number, kind: number, bytes: number): number {
    if (!Number.isInteger(address) || address % bytes !== 0) {
      throw new HardwareError('INVALID_ARGUMENT', `address: ${address} is not a multiple of ${bytes}; accesses of the model are aligned`);
    }
    const { cpu } = this;
    if (cpu.mmu.root === 0) throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} has no address space; give it one with load()`);
    for (;;) {
      const access = kind | (this.user ? Access.user : this.ac ? Access.ac : 0);
      let answer: 'retry' | 'skip';
      if (!isCanonical(address)) {
        answer = this.exception(Exception.generalProtection, 0, address);
      } else {
        const physical = this.#translate(address, access);
        if (physical >= 0) {
          if ((kind & 2) !== 0) this.#machine.monitors.stored(cpu, physical);
          return physical;
        }
        answer = this.exception(Exception.pageFault, cpu.mmu.faultCode, address);
      }
      if (answer === 'skip') return -1;
    }
  }

  #translate(address: number, access: number): number {
    // The caches that are modelled are those for data.
    const fetch = (access & Access.fetch) !== 0 && this.#machine.caches !== null;
    return fetch ? this.cpu.mmu.translate(address, access) : this.cpu.data(address, access);
  }

  /** Executes an instruction that the profile may not have, or not at this privilege. @returns false if it raised #UD and was skipped */
  #opcode(known: boolean): boolean {
    if (!known) this.#raise(Exception.invalidOpcode);
    return known;
  }

  /** Executes an instruction that user mode may not. @returns false if it raised #GP and was skipped */
  #privileged(): boolean {
    if (this.user) this.#raise(Exception.generalProtection);
    return !this.user;
  }

  /** An exception that comes again if the instruction is repeated. */
  #raise(vector: number): void {
    if (this.exception(vector, 0, 0) === 'skip') return;
    const name = vector === Exception.invalidOpcode ? '#UD' : '#GP';
    throw new HardwareError('INVALID_OPCODE', `onException answered retry to ${name}, which would come again for ever; answer skip`);
  }

  /** Takes an exception to `onException`, at the cost of its delivery and of IRET. @throws HardwareError UNHANDLED_EXCEPTION if handlers raise exceptions without end */
  exception(vector: number, code: number, address: number): 'retry' | 'skip' {
    if (this.#depth === DEEPEST) {
      throw new HardwareError('UNHANDLED_EXCEPTION', `core ${this.cpu.id}: onException itself raises exceptions, ${DEEPEST} deep`);
    }
    const { user } = this;
    this.#depth++;
    this.cpu.charge(HwStep.exception);
    this.user = false;
    const answer = this.#machine.onException(this, { vector, code, address });
    this.#depth--;
    this.user = user;
    this.cpu.charge(HwStep.iret);
    this.cpu.unblockNmi();
    return answer;
  }
}
