import { type Cpu, taggedNumber } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { findRpal, type Instruments, type Isolation, protectionKeys, type QuirkName, type Rpal } from '@rpal/rpal-core';
import type { Handover, Scheduler } from '@rpal/sched';
import { refuse } from '../checks.js';
import { RpalError } from '../errors.js';
import { type LibraryBuild, type LibSteps, unoptimised } from '../steps.js';
import { SenderSlots } from './sender-slots.js';
import { Warmth } from './warmth.js';

/** A service that this one has requested, as the library remembers it. */
export interface Peer {
  readonly key: number;
  readonly id: number;
  readonly pkey: number;
  /** What opening the peer's key leaves of PKRU. */
  readonly pkruMask: number;
  /** Address of the peer's pool, and of its descriptor table. */
  readonly pool: number;
  readonly fdTable: number;
  /** The request was taken back. The entry stays. */
  readonly released: boolean;
}

/** User addresses of a receiver's queue of descriptors and of its two extra stacks. */
export interface ReceiverParts {
  readonly readyQueue: number;
  readonly stacks: number;
}

/** A thread that may be sender and receiver. */
interface ThreadRoles {
  /** To the library the thread is neither any more. */
  forgetRoles(): void;
}

/** The library's globals in one process. */
export class LibProcess {
  /** The kernel half, for its instruments and for what is to be repaired; null on a machine without it. */
  readonly #kernelHalf: Rpal | null;
  initialised = false;
  /** What opens and closes the memory of peers on this machine. Set by `rpal_init`. */
  isolation: Isolation = protectionKeys;
  error: number = RpalError.NONE;
  rpalFd = -1;
  key = 0;
  id = -1;
  pkey = -1;
  pool = 0;
  receivers = 0;
  receiverCount = 0;
  /** What each receiver has besides its record, by its number. */
  receiverParts: readonly ReceiverParts[] = [];
  fdTable = 0;
  receiverContexts = 0;
  senders = 0;
  /** Number of the next receiver; numbers are never used again. */
  nextReceiver = 0;
  senderSlots: SenderSlots = new SenderSlots();
  /** The library in each thread that has used it: what a thread is lives and dies with the key of thread-specific data. */
  readonly threads: Set<ThreadRoles> = new Set();
  /** Descriptors that have, or had, a record. */
  readonly usedFds: Set<number> = new Set();
  /** Descriptor records that were in use when they were to be freed, by address, with their slots. */
  readonly lazyFree: { readonly slot: number; readonly record: number }[] = [];
  /** Scratch memory for arguments of system calls. */
  scratch = 0;
  /** Sections of library code whose addresses matter. */
  libText: number = taggedNumber();
  retBegin: number = taggedNumber();
  retEnd: number = taggedNumber();
  /** Requested services by id. */
  peers: Peer[] = [];
  /** Where words go from sender to receiver: one for all processes of a machine. */
  readonly handover: Handover;
  /** What the compiler made of the library: the program was linked with it. */
  readonly build: LibraryBuild;
  /** The steps of that build. */
  readonly steps: LibSteps;
  readonly warmth: Warmth;

  static readonly #all: WeakMap<Process, LibProcess> = new WeakMap();
  static readonly #handovers: WeakMap<object, Handover> = new WeakMap();

  // Needed at each call, so looked up once.
  /** A call looks whether there is such a receiver. */
  readonly checksReceivers: boolean;
  /** A caller leaves its key in the record that it takes a reference to. */
  readonly leavesKeys: boolean;
  /** Event bits are set by one atomic operation. */
  readonly atomicBits: boolean;
  /** A recovery point within another one restores it when it is over. */
  readonly nestsRecovery: boolean;

  /** A look-up that finds no record in a slot leaves the reference that it has taken. */
  readonly leavesReference: boolean;

  constructor(kernelHalf: Rpal | null, scheduler: Scheduler, handover: Handover, build: LibraryBuild) {
    this.#kernelHalf = kernelHalf;
    this.handover = handover;
    this.build = build;
    this.steps = build.steps;
    this.warmth = new Warmth(scheduler);
    this.libText = 0;
    this.retBegin = 0;
    this.retEnd = 0;
    this.checksReceivers = !this.quirk('receiver-id-unchecked');
    this.leavesKeys = !this.quirk('dead-callers-record-kept');
    this.atomicBits = !this.quirk('event-bits-not-atomic');
    this.nestsRecovery = !this.quirk('nested-recovery-lost');
    this.leavesReference = this.quirk('reference-to-empty-slot');
  }

  /** The error, negated, of a call whose thread cannot become a sender. */
  get senderRefused(): number {
    return this.quirk('refused-sender-as-fault') ? RpalError.ERR_PEER_MEM : RpalError.INVAL_THREAD;
  }

  /** A routine of the library fails, and `code` becomes the caller's error code. @returns -1 */
  fail(code: number): number {
    this.error = code;
    return -1;
  }

  /** As `fail`, where the posted library forgets to set the code; `code` is what it should be. @returns -1 */
  failWithout(code: number): number {
    return this.quirk('failure-without-code') ? -1 : this.fail(code);
  }

  /** Receives the changes of state and of rights that the library makes; null on a machine without the kernel half. */
  get instruments(): Instruments | null {
    return this.#kernelHalf === null ? null : this.#kernelHalf.instruments;
  }

  /** What user mode may do on the CPU it runs on, two bits per key: PKRU, or what stands for it where there are no keys. */
  rights(cpu: Cpu): number {
    return cpu.mmu.pke ? cpu.rdpkru() : cpu.mmu.pkru;
  }

  /** User mode takes these rights, two bits per key, on the CPU it runs on. */
  loadRights(cpu: Cpu, rights: number): void {
    this.isolation.userLoad(cpu, rights);
    this.instruments?.rights(cpu, rights);
  }

  /** True if the library's behaviour of that name is reproduced, false if it is repaired. */
  quirk(name: QuirkName): boolean {
    return this.#kernelHalf === null || this.#kernelHalf.quirk(name);
  }

  /**
   * The library's state in `process`.
   * @param build what its program is linked with: `unoptimised` by default; the first who asks decides
   * @throws MachineError INVALID_ARGUMENT if it is linked with another one
   */
  static of(process: Process, build?: LibraryBuild): LibProcess {
    let state = LibProcess.#all.get(process);
    if (state === undefined) {
      const { kernel } = process;
      let handover = LibProcess.#handovers.get(kernel);
      if (handover === undefined) {
        handover = kernel.scheduler.handovers.open('RPAL');
        LibProcess.#handovers.set(kernel, handover);
      }
      state = new LibProcess(findRpal(kernel), kernel.scheduler, handover, build ?? unoptimised);
      LibProcess.#all.set(process, state);
    }
    if (build !== undefined && build !== state.build)
      refuse('librpal', 'the build', build.name, `that of its process, ${state.build.name}`);
    return state;
  }
}
