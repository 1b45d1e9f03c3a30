import type { Cpu } from '../core/cpu.js';
import { Exception } from '../core/interrupts.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { isCanonical } from '../memory/address.js';
import { Access, Translations } from '../mmu/mmu.js';
import { Globals } from '../mmu/tlb.js';
import type { BareMetal } from './bare-metal.js';

/** How deep exception handlers may raise exceptions before the model gives up. */
const DEEPEST = 16;

/** What an access does. */
const Kind = { LOAD: 0, STORE: 1, FETCH: 2 } as const;

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
   * @param translations those of `pcid`: KEEP is bit 63 of the value
   */
  load(root: number, pcid = 0, translations: Translations = Translations.DROP): void {
    if (!this.#privileged()) return;
    if (!Number.isInteger(pcid) || pcid < 0 || pcid > 4095) throw new HardwareError('INVALID_ARGUMENT', `pcid: ${pcid} is not 0 .. 4095`);
    const { name, features } = this.cpu.costs.profile;
    if (pcid !== 0 && !features.pcid) throw new HardwareError('INVALID_ARGUMENT', `pcid: ${name} has no PCIDs; use 0`);
    this.cpu.charge(translations === Translations.KEEP ? HwStep.cr3Write : HwStep.cr3WriteFlush);
    this.cpu.mmu.loadRoot(root, pcid, translations);
  }

  /** Loads may be at any address; a load that faults and is skipped reads 0. */
  read8(address: number): number {
    return this.#load(address, 1) ? this.cpu.lsu.value : 0;
  }

  /** An unsigned 16-bit load. */
  read16(address: number): number {
    return this.#load(address, 2) ? this.cpu.lsu.value : 0;
  }

  /** A signed 32-bit load. */
  read32(address: number): number {
    return this.#load(address, 4) ? (this.cpu.lsu.words[0] as number) : 0;
  }

  /** A 64-bit load; exact below 2^53 in magnitude. */
  read64(address: number): number {
    return this.#load(address, 8) ? this.cpu.lsu.value : 0;
  }

  write8(address: number, value: number): void {
    this.#store(address, 1, value);
  }

  write16(address: number, value: number): void {
    this.#store(address, 2, value);
  }

  write32(address: number, value: number): void {
    this.#store(address, 4, value);
  }

  write64(address: number, value: number): void {
    this.#store(address, 8, value);
  }

  /** Fetches an instruction from `address`. @returns false if the fetch faulted and was skipped */
  fetch(address: number): boolean {
    return this.#access(Kind.FETCH, address, 1, 0);
  }

  /** WRPKRU; #UD goes to `onException` where there are no protection keys. */
  wrpkru(value: number): void {
    if (this.#opcode(this.cpu.mmu.pke)) this.cpu.wrpkru(value);
  }

  /** RDPKRU; #UD as for `wrpkru`. 0 if skipped. */
  rdpkru(): number {
    return this.#opcode(this.cpu.mmu.pke) ? this.cpu.rdpkru() : 0;
  }

  /** INVLPG. A non-canonical address is ignored (SDM vol. 2). */
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
    else mmu.invpcidAll(type === 2 ? Globals.DROP : Globals.KEEP);
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
    if (this.#load(address, 1)) this.#machine.monitors.arm(this.cpu, this.cpu.lsu.first);
  }

  /**
   * MWAIT: waits in an idle state of the profile for an interrupt, or for a store to the monitored line. A
   * store since `monitor` counts as well. Leaving takes the state's exit latency. C6 loses what the core's TLBs and private caches hold.
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
        this.cpu.mmu.invpcidAll(Globals.DROP);
        this.#machine.caches?.flush(this.cpu);
      }
      this.cpu.halt();
      yield;
      this.leaveIdle();
    }
    monitors.disarm(this.cpu);
  }

  /** The wait is over: charges the exit latency once. */
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

  #load(address: number, size: number): boolean {
    return this.#access(Kind.LOAD, address, size, 0);
  }

  #store(address: number, size: number, value: number): void {
    if (!this.#access(Kind.STORE, address, size, value)) return;
    const { first, last } = this.cpu.lsu;
    const { monitors } = this.#machine;
    monitors.stored(this.cpu, first);
    if (last !== first) monitors.stored(this.cpu, last);
  }

  /** Tries an access until it succeeds. @returns false if it faulted and was skipped */
  #access(kind: number, address: number, size: number, value: number): boolean {
    if (!Number.isInteger(address)) throw new HardwareError('INVALID_ARGUMENT', `address: ${address} is not an integer`);
    const { cpu } = this;
    if (cpu.mmu.root === 0) throw new HardwareError('INVALID_ARGUMENT', `core ${cpu.id} has no address space; give it one with load()`);
    for (;;) {
      let answer: 'retry' | 'skip';
      if (!isCanonical(address) || !isCanonical(address + size - 1)) {
        answer = this.exception(Exception.generalProtection, 0, address);
      } else if (this.#attempt(kind, address, size, value)) {
        return true;
      } else {
        answer = this.exception(Exception.pageFault, cpu.mmu.faultCode, cpu.mmu.faultAddress);
      }
      if (answer === 'skip') return false;
    }
  }

  /** @returns false on a fault */
  #attempt(kind: number, address: number, size: number, value: number): boolean {
    const { cpu } = this;
    const { lsu } = cpu;
    const mode = this.user ? Access.user : this.ac ? Access.ac : 0;
    if (kind === Kind.LOAD) return lsu.load(address, size, mode);
    if (kind === Kind.STORE) {
      lsu.value = value;
      return lsu.store(address, size, mode);
    }
    const access = mode | Access.fetch;
    // The caches that are modelled are those for data.
    return (this.#machine.caches === null ? cpu.data(address, access) : cpu.mmu.translate(address, access)) >= 0;
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

  /** An exception that a retry would raise again. */
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
