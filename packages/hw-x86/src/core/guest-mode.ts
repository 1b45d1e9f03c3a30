import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { Translations } from '../mmu/mmu.js';
import { SecondLevel, type SecondLevelTables } from '../mmu/second-level.js';
import type { Cpu } from './cpu.js';

/** Views that a core can tell apart in its TLBs at a time. Another one takes the tag of the least recently used. */
const TAGS = 15;
/** Entries of an EPTP list: one page of 64-bit pointers (SDM vol. 3, 26.5.6.3). */
export const EPTP_LIST_ENTRIES = 512;

/** What happens on VM exits. Each method says what happens if it is missing. */
export interface Hypervisor {
  /** VMCALL. @returns the guest's result register. Missing: the guest gets #UD */
  call?(cpu: Cpu, number: number, argument: number): number;
  /**
   * An access that the second-level tables do not allow; `view` has the guest-physical address and the access.
   * @returns true if it has been resolved: the guest repeats the access. Missing, or false: the guest gets #PF
   */
  violation?(cpu: Cpu, view: SecondLevel): boolean;
  /** VMFUNC with an index that the list has no view for. Missing: an error ends the run */
  invalidView?(cpu: Cpu, index: number): void;
}

/**
 * VMX non-root operation of one core, as far as switching between views of memory needs it: VMCALL, EPT violations, and
 * VMFUNC leaf 0, with which the guest itself selects one of the second-level tables on a list, without a VM exit and
 * without a flush.
 */
export class GuestMode {
  readonly #cpu: Cpu;
  #hypervisor: Hypervisor = {};
  #views: readonly SecondLevel[] = [];
  /** Every view that was on a list, by the root of its tables: a list that comes back finds its translations. */
  readonly #byRoot: Map<number, SecondLevel> = new Map();
  /** Views with a tag, least recently used first. */
  readonly #tagged: SecondLevel[] = [];
  /** Tags that no view has. */
  readonly #spare: number[] = [];
  #index = -1;
  /** CR3 of the host while a guest runs that `resume` has entered (host-state area of the VMCS); -1: there is no host below the guest. */
  #hostRoot = -1;
  #hostPcid = 0;
  /** VM exits since boot. */
  exits = 0;

  /** That of `cpu`; it comes into being when first asked for. */
  static of(cpu: Cpu): GuestMode {
    cpu.guest ??= new GuestMode(cpu);
    return cpu.guest;
  }

  private constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#freeTags();
  }

  /** The core runs a guest. */
  get active(): boolean {
    return this.#index >= 0;
  }

  /** Index of the view in use; -1 outside a guest. */
  get view(): number {
    return this.#index;
  }

  /**
   * VM entry: the core goes on as a guest. Addresses in its page tables are guest-physical from here on.
   * @param views the EPTP list, at most 512; one set of tables may be on it more than once
   */
  enter(hypervisor: Hypervisor, views: readonly SecondLevelTables[], index = 0): void {
    requireView(views, index);
    this.leave();
    this.#hypervisor = hypervisor;
    this.install(views, index);
  }

  /**
   * VM entry of a host that has an address space of its own: the core goes on as a guest, in the guest's. Charges nothing: the price is
   * part of the exit's. Nothing is flushed: translations are told apart by the second-level tables that they came through.
   * @param root guest-physical frame of the guest's top-level table @param pcid that of the guest's CR3
   */
  resume(hypervisor: Hypervisor, tables: SecondLevelTables, root: number, pcid: number): void {
    this.#hypervisor = hypervisor;
    const view = this.#viewOf(tables);
    if (this.#views.length !== 1 || this.#views[0] !== view) this.#views = [view];
    this.#toGuest(0, root, pcid);
  }

  /** VM exit to the host that has called `resume`: the core is the host's, in the host's address space. Charges exit and entry. */
  suspend(): void {
    this.#exit();
    this.#toHost();
  }

  /**
   * The hypervisor gives the guest another list, and goes on with view `index` of it. Charges nothing, as it happens in the
   * course of a VM exit, and flushes nothing: translations of views that come back are still there.
   * @param views as in `enter`
   */
  install(views: readonly SecondLevelTables[], index = 0): void {
    requireView(views, index);
    this.#views = views.map((tables) => this.#viewOf(tables));
    this.#select(index);
  }

  #viewOf({ root }: SecondLevelTables): SecondLevel {
    const known = this.#byRoot.get(root);
    if (known !== undefined) return known;
    const view = new SecondLevel(this.#cpu.memory, root, (on) => this.#violation(on));
    this.#byRoot.set(root, view);
    return view;
  }

  /** The core stops being a guest, and forgets what it has cached for guests. */
  leave(): void {
    if (!this.active && this.#byRoot.size === 0) return;
    this.#index = -1;
    this.#views = [];
    this.#hostRoot = -1;
    this.#cpu.mmu.selectSecondLevel(null);
    this.#cpu.mmu.invept();
    for (const view of this.#tagged) view.tag = 0;
    this.#tagged.length = 0;
    this.#freeTags();
    this.#byRoot.clear();
  }

  /**
   * VMCALL: into the hypervisor and back, at the price of the exit and the entry; the hypervisor charges its own work.
   * @throws HardwareError INVALID_OPCODE outside a guest, or if the hypervisor takes no calls
   */
  vmcall(number: number, argument = 0): number {
    const { call } = this.#hypervisor;
    if (!this.active || call === undefined) throw new HardwareError('INVALID_OPCODE', 'VMCALL without a hypervisor that takes calls: #UD');
    this.#exit();
    return call.call(this.#hypervisor, this.#cpu, number, argument);
  }

  /**
   * VMFUNC leaf 0: goes on with view `index` of the list.
   * @throws HardwareError INVALID_OPCODE outside a guest, or on a processor without VMFUNC
   */
  vmfunc(index: number): void {
    const { profile } = this.#cpu.costs;
    if (!profile.features.vmfunc) throw new HardwareError('INVALID_OPCODE', `VMFUNC on ${profile.name}, which does not have it: #UD`);
    if (!this.active) throw new HardwareError('INVALID_OPCODE', 'VMFUNC outside of a guest: #UD');
    this.#cpu.charge(HwStep.vmfunc);
    if (this.#views[index] !== undefined) {
      this.#select(index);
      return;
    }
    this.#exit();
    if (this.#hypervisor.invalidView === undefined) {
      throw new HardwareError('INVALID_ARGUMENT', `index: VMFUNC to view ${index}, but the list has ${this.#views.length}`);
    }
    this.#hypervisor.invalidView(this.#cpu, index);
  }

  /** INVEPT on this core: what was cached through view `index`, or through all, goes. */
  invept(index?: number): void {
    this.#cpu.charge(HwStep.invept);
    for (const [at, view] of this.#views.entries()) if (index === undefined || at === index) this.#flush(view);
  }

  /**
   * INVEPT on this core for tables, on the present list or not: what was cached through them goes.
   * @returns false if there was no need, as the core has never used them; nothing is charged then
   */
  inveptTables({ root }: SecondLevelTables): boolean {
    const view = this.#byRoot.get(root);
    if (view === undefined) return false;
    this.#cpu.charge(HwStep.invept);
    this.#flush(view);
    return true;
  }

  /**
   * The tables are about to be freed: INVEPT, and the core forgets them.
   * @throws HardwareError INVALID_ARGUMENT while they are on the list
   */
  forget(tables: SecondLevelTables): void {
    const view = this.#byRoot.get(tables.root);
    if (view === undefined) return;
    if (this.active && this.#views.includes(view)) {
      throw new HardwareError('INVALID_ARGUMENT', 'tables: they are on the list of the core; install another list before');
    }
    this.inveptTables(tables);
    if (!this.active) this.#views = [];
    this.#byRoot.delete(tables.root);
    const at = this.#tagged.indexOf(view);
    if (at >= 0) {
      this.#tagged.splice(at, 1);
      this.#spare.push(view.tag);
      view.tag = 0;
    }
  }

  #select(index: number): void {
    const view = this.#views[index] as SecondLevel;
    this.#index = index;
    if (view.tag === 0) this.#tag(view);
    else this.#tagged.splice(this.#tagged.indexOf(view), 1);
    this.#tagged.push(view);
    this.#cpu.mmu.selectSecondLevel(view);
  }

  #flush(view: SecondLevel): void {
    view.flush();
    if (view.tag !== 0) this.#cpu.mmu.invept(view.tag);
  }

  #tag(view: SecondLevel): void {
    const spare = this.#spare.pop();
    if (spare !== undefined) {
      view.tag = spare;
      return;
    }
    const oldest = this.#tagged.shift() as SecondLevel;
    this.#cpu.mmu.invept(oldest.tag);
    view.tag = oldest.tag;
    oldest.tag = 0;
  }

  #freeTags(): void {
    this.#spare.length = 0;
    for (let tag = TAGS; tag >= 1; tag--) this.#spare.push(tag);
  }

  #violation(view: SecondLevel): boolean {
    this.#exit();
    const hypervisor = this.#hypervisor;
    if (this.#hostRoot < 0) return hypervisor.violation?.(this.#cpu, view) ?? false;
    // The host works in its own address space.
    const { root, pcid } = this.#cpu.mmu;
    const index = this.#index;
    this.#toHost();
    const resolved = hypervisor.violation?.(this.#cpu, view) ?? false;
    this.#toGuest(index, root, pcid);
    return resolved;
  }

  /** From a host with an address space of its own to view `index`, in the guest's. */
  #toGuest(index: number, root: number, pcid: number): void {
    const { mmu } = this.#cpu;
    this.#hostRoot = mmu.root;
    this.#hostPcid = mmu.pcid;
    this.#select(index);
    mmu.loadRoot(root, pcid, Translations.KEEP);
  }

  #toHost(): void {
    const { mmu } = this.#cpu;
    mmu.selectSecondLevel(null);
    mmu.loadRoot(this.#hostRoot, this.#hostPcid, Translations.KEEP);
    this.#hostRoot = -1;
    this.#index = -1;
  }

  #exit(): void {
    this.exits++;
    this.#cpu.charge(HwStep.vmExit);
  }
}

function requireView(views: readonly SecondLevelTables[], index: number): void {
  if (views.length > EPTP_LIST_ENTRIES) {
    throw new HardwareError('INVALID_ARGUMENT', `views: ${views.length} do not fit a list of ${EPTP_LIST_ENTRIES}`);
  }
  if (views[index] === undefined) throw new HardwareError('INVALID_ARGUMENT', `index: there is no view ${index} among ${views.length}`);
}
