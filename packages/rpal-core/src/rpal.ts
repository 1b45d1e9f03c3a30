import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { CpuSet, type KernelPath } from '@rpal/sched';
import { RPAL_FIRST_KEY, RPAL_NR_ID } from './abi/constants.js';
import type { Isolation } from './memory/isolation.js';
import type { Sharing } from './memory/sharing.js';
import type { QuirkName, RaceFix } from './quirks.js';
import type { RpalSeams } from './seams.js';
import type { RoleData, RpalService } from './services/service.js';
import type { TransitionObserver } from './threads/transitions.js';

/** A thread's RPAL state (patch 04: members of `task_struct`). */
export class RpalThread {
  service: RpalService | null = null;
  /** `RpalFlag` bits. */
  flags = 0;
  /** One place for either role: registering twice overwrites it. It is not cleared when the role ends. */
  data: RoleData | null = null;
  /** TSC cycles at which the thread's claim of run time was last looked at. */
  claimedAt = 0;
  /** Correction of the run time, ns (patch 33). */
  stealTime = 0;

  /** The record of a thread that has a role. */
  get role(): RoleData {
    return this.data as RoleData;
  }
}

declare module '@rpal/kernel' {
  interface Thread {
    rpal: RpalThread;
  }
}

declare module '@rpal/mm' {
  interface MmStruct {
    rpalService?: RpalService | null;
  }
}

/** RPAL's state for one machine. */
export class Rpal {
  readonly kernel: Kernel;
  /** Services by key and by id. */
  readonly byKey: Map<number, RpalService> = new Map();
  readonly #ids: boolean[] = Array.from({ length: RPAL_NR_ID }, () => false);
  #nextKey = RPAL_FIRST_KEY;
  readonly #slots: RpalSeams['slots'];
  readonly #repaired: ReadonlySet<QuirkName>;
  /** By patch number: 1 if the part that closes a race was left out. Asked on every lazy switch. */
  readonly #without = new Uint8Array(36);
  /** On the path of every lazy switch, so not looked up there. */
  readonly checksCall: boolean;
  /** Patch 24 is there. */
  readonly criticalSections: boolean;
  /** What a task that lost its user context to a lazy switch goes on with. Set once, by the plugin. */
  returnPath!: KernelPath;
  /** What the patches print, in order. */
  readonly log: string[] = [];
  /** Service objects that nobody can free any more. */
  leakedServices = 0;
  /**
   * Called between two steps of the kernel that other CPUs can come between although interrupts are off here: with it a
   * tool lets them. Null in ordinary runs.
   */
  interleaver: ((cpu: Cpu, point: string) => void) | null = null;
  /** Told of every change of a receiver's or sender's state. Null in ordinary runs. */
  observer: TransitionObserver | null = null;
  /**
   * Orders a failure, as `/proc/self/fail-nth` does in Linux: of the allocations that /proc/rpal makes from now on the n-th fails
   * as if no memory were left. 0: none does.
   */
  failNth = 0;
  /** Records in use, by `RecordKind`. */
  readonly records: number[] = [0, 0, 0];
  /** Since boot. */
  lazySwitches = 0;
  kernelReturns = 0;
  refusedWakeUps = 0;

  /** Each CPU as a set of its own, for threads tied to it. */
  readonly #alone: readonly CpuSet[];

  constructor(kernel: Kernel, slots: RpalSeams['slots'], repaired: ReadonlySet<QuirkName>, without: ReadonlySet<RaceFix> = new Set()) {
    this.kernel = kernel;
    this.#slots = slots;
    this.#repaired = repaired;
    for (const patch of without) this.#without[patch] = 1;
    this.checksCall = repaired.has('lazy-switch-unchecked');
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

  /** A point at which other CPUs may come between. */
  between(cpu: Cpu, point: string): void {
    if (this.interleaver !== null) this.interleaver(cpu, point);
  }

  /** The lowest free id, taken; -1 if all are in use (patch 03). */
  takeId(): number {
    const id = this.#ids.indexOf(false);
    if (id >= 0) this.#ids[id] = true;
    return id;
  }

  freeId(id: number): void {
    this.#ids[id] = false;
  }

  /** Ids in use: of live services, of dead ones that somebody refers to, and in quarantine. */
  get idsInUse(): number {
    return this.#ids.filter(Boolean).length;
  }

  /** Keys are handed out in sequence and never twice. */
  takeKey(): number {
    return this.#nextKey++;
  }

  /** The service of a thread, or null. */
  serviceOf(thread: Thread): RpalService | null {
    return thread.rpal.service;
  }

  /** Prints a warning, as the patches do where something is amiss but the kernel goes on. */
  warn(cpu: Cpu, text: string): void {
    this.log.push(`[${cpu.clock}] ${text}`);
  }
}

/** The service that an address space belongs to, or null. */
export function serviceOfMm(mm: MmStruct): RpalService | null {
  return mm.rpalService ?? null;
}
