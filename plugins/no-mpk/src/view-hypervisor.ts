import {
  type Cpu,
  EPTP_LIST_ENTRIES,
  GIB,
  GuestMode,
  HardwareError,
  HwStep,
  type Hypervisor,
  type Platform,
  type SecondLevel,
  SecondLevelTables,
} from '@rpal/hw-x86';
import { pkruOf, type RpalService } from '@rpal/rpal-core';
import { Errno } from '@rpal/uapi';
import { EptView } from './ept-view.js';
import { canonical } from './rights.js';
import { ViewStep } from './steps.js';
import { ViewTable } from './view-table.js';

/**
 * What the guest asks for with VMCALL. Only its kernel may ask for more than `MAKE_VIEW`: others get -EPERM.
 * @public for who watches the hypervisor
 */
export const Hypercall = {
  /** A view of the service whose list is in use, for the rights in the argument. Returns its index, or -ENOSPC. */
  MAKE_VIEW: 1,
  /** This CPU goes on with another service's list. Argument: the service's id times 512, plus the index of the view to use. */
  USE_LIST: 2,
  /** Top-level entries of a service have changed. */
  RELINKED: 3,
  /** A service is gone. */
  DROP_LIST: 4,
} as const;

/** What the hypervisor keeps of a service: its EPTP list. */
interface List {
  readonly service: RpalService;
  readonly table: ViewTable<EptView>;
  readonly eptps: SecondLevelTables[];
}

/**
 * The thin hypervisor below Linux: it keeps a list of views per service, changes lists when a CPU goes to another
 * service, and turns EPT violations into page faults of the guest. It trusts the guest's kernel, and nobody else.
 */
export class ViewHypervisor implements Hypervisor {
  /** EPT violations since boot. */
  violations = 0;
  /** VMFUNC with an index that is not on the list, since boot. */
  invalidViews = 0;
  readonly #platform: Platform;
  readonly #guestBytes: number;
  /** Everything: for CPUs that have not run a service yet. */
  readonly #full: SecondLevelTables;
  readonly #lists: Map<number, List> = new Map();
  /** The list in use, by CPU. */
  readonly #used: (List | null)[];

  /** All CPUs of the machine are guests from here on. */
  constructor(platform: Platform) {
    this.#platform = platform;
    const { sockets, memoryPerSocket } = platform.profile.topology;
    this.#guestBytes = sockets * memoryPerSocket * GIB;
    this.#full = new SecondLevelTables(platform.memory);
    this.#full.mapIdentity(this.#guestBytes);
    this.#used = platform.cpus.map(() => null);
    for (const cpu of platform.cpus) GuestMode.of(cpu).enter(this, [this.#full]);
  }

  /** A service has its key. Its list comes about with its first use, and has the view of that key alone as number 0. */
  register(service: RpalService): void {
    this.#lists.set(service.id, { service, table: new ViewTable(), eptps: [] });
  }

  /** The service whose list `cpu` uses. */
  serviceOf(cpu: Cpu): RpalService | null {
    return this.#used[cpu.id]?.service ?? null;
  }

  /** The views of a service; as the read-only page that is in all of them tells user mode. */
  viewsOf(service: RpalService): ViewTable<EptView> | null {
    const list = this.#lists.get(service.id);
    return list?.service === service ? list.table : null;
  }

  call(cpu: Cpu, number: number, argument: number): number {
    if (number === Hypercall.MAKE_VIEW) return this.#makeView(cpu, argument);
    // Whoever calls from user mode is refused: the model's kernel runs with interrupts off, which tells the two apart.
    if (cpu.interruptsEnabled) return -Errno.EPERM;
    const use = number === Hypercall.USE_LIST;
    const list = this.#lists.get(use ? Math.floor(argument / EPTP_LIST_ENTRIES) : argument);
    if (list === undefined) return -Errno.ESRCH;
    switch (number) {
      case Hypercall.USE_LIST:
        return this.#use(cpu, list, argument % EPTP_LIST_ENTRIES);
      case Hypercall.RELINKED:
        return this.#relinked(cpu, list);
      case Hypercall.DROP_LIST:
        return this.#drop(cpu, list);
      default:
        return -Errno.ENOSYS;
    }
  }

  /** Not resolved: the guest gets #PF, and Linux makes SIGSEGV of it. */
  violation(_cpu: Cpu, _view: SecondLevel): boolean {
    this.violations++;
    return false;
  }

  /** The guest gets #UD. */
  invalidView(_cpu: Cpu, index: number): void {
    this.invalidViews++;
    throw new HardwareError('INVALID_OPCODE', `VMFUNC to view ${index}, which is not on the list: the hypervisor injects #UD`);
  }

  #makeView(cpu: Cpu, rights: number): number {
    const list = this.#used[cpu.id] ?? null;
    // Only in the address space that the list is for: others have no use for it but to fill it up.
    if (list === null || cpu.mmu.root !== list.service.mm.tables.root) return -Errno.EPERM;
    return this.#add(cpu, list, rights);
  }

  #add(cpu: Cpu, list: List, rights: number): number {
    if (!list.table.admits(rights)) return -Errno.ENOSPC;
    cpu.charge(ViewStep.makeEptView);
    const view = new EptView(this.#platform.memory, this.#guestBytes, list.service, canonical(rights));
    list.eptps.push(view.tables);
    const index = list.table.add(rights, view);
    // The list is a page in memory: CPUs that use it see the entry at once.
    for (const other of this.#platform.cpus) {
      const guest = GuestMode.of(other);
      if (this.#used[other.id] === list) guest.install(list.eptps, guest.view);
    }
    return index;
  }

  #use(cpu: Cpu, list: List, index: number): number {
    if (list.eptps.length === 0) this.#add(cpu, list, pkruOf(list.service.pkey));
    if (list.eptps[index] === undefined) return -Errno.EINVAL;
    this.#used[cpu.id] = list;
    GuestMode.of(cpu).install(list.eptps, index);
    return 0;
  }

  #relinked(cpu: Cpu, list: List): number {
    let kick = false;
    for (const view of list.table.views) {
      cpu.charge(ViewStep.updateView);
      if (!view.update()) continue;
      for (const other of this.#platform.cpus) if (GuestMode.of(other).inveptTables(view.tables)) kick = true;
    }
    if (kick) this.#kick(cpu, list);
    return 0;
  }

  #drop(cpu: Cpu, list: List): number {
    this.#kick(cpu, list);
    this.#lists.delete(list.service.id);
    for (const other of this.#platform.cpus) {
      const guest = GuestMode.of(other);
      if (this.#used[other.id] === list) {
        this.#used[other.id] = null;
        guest.install([this.#full]);
      }
      for (const tables of list.eptps) guest.forget(tables);
    }
    for (const view of list.table.views) view.free();
    return 0;
  }

  /** The other CPUs that use the list leave the guest for a moment. */
  #kick(cpu: Cpu, list: List): void {
    for (const other of this.#platform.cpus) if (other !== cpu && this.#used[other.id] === list) other.charge(HwStep.vmExit);
  }
}
