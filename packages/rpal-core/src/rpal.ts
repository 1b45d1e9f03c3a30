import type { Cpu } from '@rpal/hw-x86';
import type { Kernel } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { CpuSet, DelayedWork, DirectedQuota, type KernelPath } from '@rpal/sched';
import { QUARANTINE_NS, RPAL_FIRST_KEY, RPAL_NR_ID } from './abi/constants.js';
import { Instruments } from './instruments.js';
import type { QuirkName, RaceFix } from './quirks.js';
import { type RpalSeams, ServiceChange } from './seams.js';
import type { Isolation } from './services/isolation.js';
import { RecordHeap } from './services/record-heap.js';
import type { RpalService } from './services/service.js';
import type { Sharing } from './services/sharing.js';
import type { RpalTask } from './services/thread.js';

declare module '@rpal/mm' {
  interface MmStruct {
    rpalService?: RpalService | null;
  }
}

/** RPAL's state for one machine. */
export class Rpal {
  readonly kernel: Kernel;
  readonly instruments: Instruments;
  readonly heap: RecordHeap = new RecordHeap();
  /** Registered services by key. */
  readonly byKey: Map<number, RpalService> = new Map();
  readonly #ids: boolean[] = Array.from({ length: RPAL_NR_ID }, () => false);
  #nextKey = RPAL_FIRST_KEY;
  readonly #slots: RpalSeams['slots'];
  readonly #yieldPoint: Kernel['seams']['hooks']['kernelYieldPoint'];
  readonly #repaired: ReadonlySet<QuirkName>;
  /** By patch number: 1 if the part that closes a race was left out. Read on every lazy switch. */
  readonly #without = new Uint8Array(36);
  // On the path of every lazy switch, so not looked up there.
  readonly checksCall: boolean;
  /** A caller's number is read from its record, where any service may write. */
  readonly readsSenderId: boolean;
  /** Whether a wait has a timer is read from the record when it ends. */
  readonly rereadsTimeout: boolean;
  /** What happens to groups that are out of run time when a lazy switch goes to a task in one of them. */
  readonly rechecksQuota: DirectedQuota;
  /** Patch 24 is applied. */
  readonly criticalSections: boolean;
  /** How a task that lost its user context to a lazy switch goes on. Set once, by the plugin. */
  returnPath!: KernelPath;
  /** The receiver whose kernel context a lazy switch is leaving; null while none is. */
  leaving: RpalTask | null = null;
  /** Each CPU as a set of its own, for threads tied to it. */
  readonly #alone: readonly CpuSet[];

  constructor(kernel: Kernel, seams: RpalSeams, repaired: ReadonlySet<QuirkName>, without: ReadonlySet<RaceFix> = new Set()) {
    this.kernel = kernel;
    this.instruments = new Instruments(seams.events);
    this.#slots = seams.slots;
    this.#yieldPoint = kernel.seams.hooks.kernelYieldPoint;
    this.#repaired = repaired;
    for (const patch of without) this.#without[patch] = 1;
    this.checksCall = repaired.has('lazy-switch-unchecked');
    this.readsSenderId = !repaired.has('sender-id-unchecked');
    this.rereadsTimeout = !repaired.has('timeout-reread');
    this.rechecksQuota = repaired.has('quota-rechecked') ? DirectedQuota.WAIVE : DirectedQuota.CHECK;
    this.criticalSections = !without.has(24);
    const { cpus } = kernel.platform;
    this.#alone = cpus.map(({ id }) => new CpuSet(cpus.length, [id]));
  }

  /** What keeps services out of each other's memory. */
  get isolation(): Isolation {
    return this.#slots.rpalIsolation.value;
  }

  /** What gives services each other's memory. */
  get sharing(): Sharing {
    return this.#slots.rpalSharing.value;
  }

  /** The kernel gives the thread that `cpu` runs these rights. */
  loadRights(cpu: Cpu, rights: number): void {
    this.#slots.rpalIsolation.value.kernelLoad(cpu, rights);
    this.instruments.rights(cpu, rights);
  }

  /** The set of one CPU. Nobody changes it. */
  only(cpu: Cpu): CpuSet {
    return this.#alone[cpu.id] as CpuSet;
  }

  /** True if the series' behaviour of that name is reproduced, false if it is repaired. */
  quirk(name: QuirkName): boolean {
    return !this.#repaired.has(name);
  }

  /** True unless the part of that patch which closes a race was left out. */
  fixes(patch: RaceFix): boolean {
    return this.#without[patch] === 0;
  }

  /** A point at which other CPUs may come between (hook `kernelYieldPoint`). */
  between(cpu: Cpu, point: string): void {
    if (this.#yieldPoint.tapped) this.#yieldPoint.call(cpu, point);
  }

  /** The lowest free id, taken; -1 if all are in use (patch 03). */
  takeId(): number {
    const id = this.#ids.indexOf(false);
    if (id >= 0) this.#ids[id] = true;
    return id;
  }

  /** Ids in use: those of live services, of dead ones that are still referenced, and in quarantine. */
  get idsInUse(): number {
    return this.#ids.filter(Boolean).length;
  }

  /** Keys are handed out in sequence and never twice. */
  takeKey(): number {
    return this.#nextKey++;
  }

  /** Takes a reference to a service. */
  getService(service: RpalService): RpalService {
    service.references++;
    return service;
  }

  /** Drops a reference. After the last one the id stays in quarantine for 30 s (patch 04). */
  putService(cpu: Cpu, service: RpalService): void {
    if (--service.references > 0) return;
    const { scheduler, workqueue } = this.kernel;
    const free = new DelayedWork(workqueue, scheduler, (on) => {
      service.mm.rpalService = null;
      this.#ids[service.id] = false;
      this.changed(on, service, ServiceChange.FREED);
    });
    workqueue.queueDelayed(cpu, free, QUARANTINE_NS);
  }

  /** Announces a step in the life of a service. @param change one of `ServiceChange` */
  changed(cpu: Cpu, service: RpalService, change: number): void {
    const { rpalService } = this.instruments.events;
    if (rpalService.observed) rpalService.emit(cpu.id, cpu.clock, service, change);
  }

  /** Prints a warning, as the patches do where something is amiss but the kernel goes on. */
  warn(cpu: Cpu, text: string): void {
    this.instruments.events.rpalWarning.emit(cpu.id, cpu.clock, text);
  }
}

/** The service that an address space belongs to, or null. */
export function serviceOfMm(mm: MmStruct): RpalService | null {
  return mm.rpalService ?? null;
}
